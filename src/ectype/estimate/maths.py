"""The functions behaviours are written with: on CasADi symbols they trace, on floats and arrays they compute."""
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyright: reportMissingTypeStubs=false

from collections.abc import Sequence
from typing import Any

import casadi as ca
import numpy as np

Scalar = Any
"""A CasADi SX while tracing; a float or a numpy array when run plainly."""


def _pick(name: str, x: Scalar) -> Scalar:
    return getattr(ca if isinstance(x, ca.SX) else np, name)(x)


def sqrt(x: Scalar) -> Scalar:
    """Square root; keep its argument from going below 0 with `low=` or `maximum`."""
    return _pick("sqrt", x)


def exp(x: Scalar) -> Scalar:
    """e to the x."""
    return _pick("exp", x)


def log(x: Scalar) -> Scalar:
    """Natural logarithm."""
    return _pick("log", x)


def sin(x: Scalar) -> Scalar:
    """Sine of radians."""
    return _pick("sin", x)


def cos(x: Scalar) -> Scalar:
    """Cosine of radians."""
    return _pick("cos", x)


def tan(x: Scalar) -> Scalar:
    """Tangent of radians."""
    return _pick("tan", x)


def atan(x: Scalar) -> Scalar:
    """Arc tangent, in radians."""
    return ca.atan(x) if isinstance(x, ca.SX) else np.arctan(x)


def tanh(x: Scalar) -> Scalar:
    """Hyperbolic tangent: a step from -1 to 1 that has derivatives."""
    return _pick("tanh", x)


def sign(x: Scalar) -> Scalar:
    """-1, 0 or 1."""
    return _pick("sign", x)


def ceil(x: Scalar) -> Scalar:
    """Smallest whole number not below x."""
    return _pick("ceil", x)


def floor(x: Scalar) -> Scalar:
    """Largest whole number not above x."""
    return _pick("floor", x)


def maximum(a: Scalar, b: Scalar) -> Scalar:
    """The larger of two."""
    return ca.fmax(a, b) if isinstance(a, ca.SX) or isinstance(b, ca.SX) else np.maximum(a, b)


def minimum(a: Scalar, b: Scalar) -> Scalar:
    """The smaller of two."""
    return ca.fmin(a, b) if isinstance(a, ca.SX) or isinstance(b, ca.SX) else np.minimum(a, b)


def where(condition: Scalar, a: Scalar, b: Scalar) -> Scalar:
    """`a` where the condition holds, else `b`; the other branch may even be NaN."""
    if isinstance(condition, ca.SX):
        return ca.if_else(condition, a, b)
    return np.where(condition, a, b)


def both(a: Scalar, b: Scalar) -> Scalar:
    """Whether both conditions hold (`and` and `&` do not trace)."""
    return ca.logic_and(a, b) if isinstance(a, ca.SX) or isinstance(b, ca.SX) else np.logical_and(a, b)


def either(a: Scalar, b: Scalar) -> Scalar:
    """Whether at least one condition holds."""
    return ca.logic_or(a, b) if isinstance(a, ca.SX) or isinstance(b, ca.SX) else np.logical_or(a, b)


def opposite(a: Scalar) -> Scalar:
    """Whether the condition does not hold."""
    return ca.logic_not(a) if isinstance(a, ca.SX) else np.logical_not(a)


def ramp(x: Scalar, knots: Sequence[float], values: Sequence[float]) -> Scalar:
    """Straight lines through (knots, values), level outside: interpolation without a search, so it traces."""
    out: Scalar = values[0] + 0.0 * x
    for k0, k1, v0, v1 in zip(knots, knots[1:], values, values[1:], strict=False):
        if v1 != v0:
            out = out + (v1 - v0) / (k1 - k0) * minimum(maximum(x - k0, 0.0), k1 - k0)
    return out


def smooth_curve(x: Scalar, knots: Sequence[float], slopes: Sequence[float], start: float = 0.0) -> Scalar:
    """The curve whose slope runs straight through (knots, slopes): continuous slope, level outside, and
    monotone when no slope is negative. Evenly spaced or not; each piece costs one clip and three products.
    """
    out: Scalar = start + 0.0 * x
    for k0, k1, d0, d1 in zip(knots, knots[1:], slopes, slopes[1:], strict=False):
        if d0 != 0.0 or d1 != 0.0:
            s = minimum(maximum(x - k0, 0.0), k1 - k0)
            out = out + s * (d0 + (0.5 * (d1 - d0) / (k1 - k0)) * s)
    return out


def wrap_deg(x: Scalar) -> Scalar:
    """An angle in degrees brought to [-180, 180)."""
    return x - 360.0 * floor((x + 180.0) / 360.0)
