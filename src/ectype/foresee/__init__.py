"""What will a twin do, what would it do if, and what makes it do what we want?

    followed.py   where a forecast begins: a twin's filter over its record
    ahead.py      how inputs may go on: held, as they did at moments like this one, or as recorded
    fan.py        a thousand trajectories drawn from the belief, the posterior and the twin's own noise
    skill.py      the forecast held against what came, and against persistence
    goal.py       what is wanted: `level >= 12 by 10 min`
    scenario.py   what-if: inputs, parameters and states changed on a branch, with the same luck
    steer.py      the input that reaches a goal at least cost, as surely as asked
    problem.py    the mean as a function of what steers it
    posterior.py  parameters drawn from what `ectype calibrate --out` wrote
    draw.py       a fan as a picture

Heavy (CasADi): import it in a process of its own.
"""
