"""Can anybody tell the twin from the original? A two-sample test with controls, and the certificate that it earns.

    trial.py        a later period in windows: what the original did, what the twin would have done from what it knew
    features.py     a window as numbers
    panel.py        the fixed classifiers that try to tell them apart
    two_sample.py   the test: p-value and distance
    controls.py     twins made worse on purpose, and stand-in originals that obey the twin: is the test awake?
    companions.py   NIS, PIT, CRPS skill
    certificate.py  all of it as one document with hashes
    watch.py        the same question asked live, reading by reading

Heavy (CasADi, scikit-learn): import it in a process of its own.
"""
