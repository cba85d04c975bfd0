"""What a twin's parameters are, how sure that is, and what the data cannot tell.

    coordinates.py  the free parameters as one vector with a Gaussian prior
    shooting.py     from far away to near: multiple shooting over windows, by Gauss-Newton in IPOPT
    likelihood.py   the filter's own likelihood of all readings, with exact derivatives
    climb.py        from near to the top of the posterior
    calibration.py  all of it: `calibrate(behaviour, measurements)`, and what comes out
    identify.py     what the data cannot tell
    experiment.py   what would tell it
    siblings.py     a twin with little data borrows from its fleet
    live.py         a parameter that drifts, followed by the filter
    hybrid.py       what the equations lack, learned with the parameters
    remade.py       a behaviour made from another

Heavy (CasADi): import it in a process of its own.
"""
