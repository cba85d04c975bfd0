"""Is something wrong with this twin's original, since when, what explains it, and how long has it left?

    residuals.py  what the filter did not expect, reading by reading
    cusum.py      small shifts that last: two-sided CUSUM of each sensor
    windows.py    too much surprise of any kind: NIS over windows
    explain.py    which one change explains it: parameters, states, inputs, sensors
    isolate.py    which sensor is wrong: the filter without each of them
    watch.py      all of it over a record, at a false alarm rate that is asked for
    life.py       remaining useful life: when a state passes its threshold
    settings.py   how readily, for which twins, and where alarms are told

Heavy (CasADi), but for the settings: import it in a process of its own.
"""
