"""Too much surprise, of any kind: the sum of NIS over a window against chi-squared (Bar-Shalom et al. 2001, 5.4).

Windows do not overlap, so each is a test of its own, and the false alarm rate is what was asked, exactly.
"""

import math

import numpy as np

from ectype.estimate.maths import Scalar, log, maximum, minimum, where
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


def log_tail(count: Scalar, x: Scalar) -> Scalar:
    """The logarithm of `tail` where x is above count, within 0.01 where `tail` is below 0.01; for a trace. 0 below.

    Legendre's continued fraction of the incomplete gamma function (Abramowitz and Stegun 6.5.31), from its 12th level,
    and Stirling's series, for the gamma function moved up by four.
    """
    a, y = 0.5 * count, 0.5 * maximum(x, count)
    fraction = y + 25.0 - a
    for i in range(12, 0, -1):
        fraction = y + (2.0 * i - 1.0) - a - i * (i - a) / fraction
    z = a + 4.0
    gamma = (z - 0.5) * log(z) - z + 0.5 * math.log(2 * math.pi) + 1.0 / (12.0 * z)
    gamma = gamma - log(a * (a + 1.0) * (a + 2.0) * (a + 3.0))
    return where(x > count, minimum(a * log(y) - y - gamma - log(fraction), 0.0), 0.0)
