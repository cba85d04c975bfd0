"""Too much surprise, of any kind: the sum of NIS over a window against chi-squared (Bar-Shalom et al. 2001, 5.4).

Windows do not overlap, so each is a test of its own, and the false alarm rate is what was asked, exactly.
"""

import math

import numpy as np

from ectype.values.block import Float64s


def tail(count: Float64s, x: Float64s) -> Float64s:
    """[n]: how often chi-squared of count [n] degrees of freedom (whole, one or more) is above x [n].

    The finite series of Abramowitz and Stegun, 26.4.4 and 26.4.5; all terms are positive, so nothing cancels.
    """
    y = 0.5 * np.maximum(x, 0.0)
    odd = count % 2 == 1
    root = np.array([math.erfc(math.sqrt(v)) for v in y.tolist()])
    with np.errstate(divide="ignore"):
        log_y = np.log(y)
    shift = np.where(odd, 0.5, 0.0)  # terms y^(i + 1/2) / Gamma(i + 3/2) where odd, else y^i / i!
    with np.errstate(invalid="ignore"):
        log_term = np.where(odd, 0.5 * log_y - math.lgamma(1.5), 0.0) - y
    terms = np.where(odd, (count - 1) // 2, count // 2)
    total = np.where(odd, root, 0.0)
    for i in range(int(terms.max(initial=0))):
        total = total + np.where(i < terms, np.exp(log_term), 0.0)
        log_term = log_term + log_y - np.log(i + 1.0 + shift)
    return np.minimum(total, 1.0)


def loud(count: Float64s, total: Float64s, false_share: Float64s) -> Float64s:
    """[n]: 1 where a window with a sum `total` of NIS over `count` readings is louder than all but `false_share` of
    those of a right twin; 0 else, and without readings.
    """
    out = np.zeros(count.shape)
    r = total / np.maximum(count, 1.0)
    # Chernoff: the tail is below exp(-I); it is not much smaller, so most windows need no series.
    with np.errstate(divide="ignore"):
        i = 0.5 * count * (r - 1.0 - np.log(np.maximum(r, 1e-300)))
    near = np.flatnonzero((count > 0) & (r > 1.0) & (i > -np.log(false_share) - 5.0 - 0.5 * np.log1p(count)))
    out[near] = tail(count[near], total[near]) < false_share[near]
    return out
