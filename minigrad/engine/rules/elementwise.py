"""Functions that work entry by entry: a rule is the slope, ∂out/∂x, by the name of the argument.

The engine multiplies by the gradient, un-broadcasts and casts. A number is a constant slope, a mask lets the gradient
through where it is True. At singular points the convention stands beside the rule.
"""

import math

import numpy as np

from minigrad.engine.arraylike import RULES
from minigrad.engine.op import elementwise

# Arithmetic
add = elementwise(np.add, x=1, y=1)
subtract = elementwise(np.subtract, x=1, y=-1)
multiply = elementwise(np.multiply, x=lambda y: y, y=lambda x: x)
divide = elementwise(np.divide, x=lambda y: 1 / y, y=lambda x, y: -x / y / y)
negative = elementwise(np.negative, x=-1)
positive = elementwise(np.positive, x=1)
square = elementwise(np.square, x=lambda x: 2 * x)
sqrt = elementwise(np.sqrt, x=lambda out: 0.5 / out)
cbrt = elementwise(np.cbrt, x=lambda out: 1 / (3 * out * out))
reciprocal = elementwise(np.reciprocal, x=lambda out: -out * out)
remainder = elementwise(np.remainder, x=1, y=lambda x, y: -np.floor_divide(x, y))  # at jumps too; x/y may round up
fmod = elementwise(np.fmod, x=1, y=lambda x, y: -np.sign(x) * np.sign(y) * np.floor_divide(np.abs(x), np.abs(y)))


def _power_x(x, y):
    """y·x**(y−1), and 0 for y = 0: the slope of 0**0 in x is 0."""
    if isinstance(y, (int, float)):
        return y * x ** (y - 1) if y else np.zeros_like(x)
    return np.where(y == 0, 0, y * x ** np.where(y == 0, 1, y - 1))


def _power_y(x, y, out):
    """x**y·ln x, and 0 where x = 0 and y ≥ 0."""
    zero = (x == 0) & (y >= 0)
    return np.where(zero, 0, out * np.log(np.where(zero, 1, x)))


power = elementwise(np.power, x=_power_x, y=_power_y)
float_power = elementwise(np.float_power, x=_power_x, y=_power_y)

# Exponentials and logarithms
exp = elementwise(np.exp, x=lambda out: out)
exp2 = elementwise(np.exp2, x=lambda out: math.log(2) * out)
expm1 = elementwise(np.expm1, x=lambda x: np.exp(x))
log = elementwise(np.log, x=lambda x: 1 / x)
log2 = elementwise(np.log2, x=lambda x: 1 / (math.log(2) * x))
log10 = elementwise(np.log10, x=lambda x: 1 / (math.log(10) * x))
log1p = elementwise(np.log1p, x=lambda x: 1 / (1 + x))


def _share(x, y):
    """e^x / (e^x + e^y), for any size of x and y; 0 for x = −inf, also where both are."""
    low, high = np.where(x < y, x, y), np.where(x < y, y, x)
    e = np.where(low == high, 1, np.exp(low - high))
    return np.where(x == -math.inf, 0, np.where(x < y, e, 1)) / (1 + e)


logaddexp = elementwise(np.logaddexp, x=lambda x, y: _share(x, y), y=lambda x, y: _share(y, x))
logaddexp2 = elementwise(
    np.logaddexp2,
    x=lambda x, y: _share(math.log(2) * x, math.log(2) * y),
    y=lambda x, y: _share(math.log(2) * y, math.log(2) * x),
)

# Trigonometric and hyperbolic functions
sin = elementwise(np.sin, x=lambda x: np.cos(x))
cos = elementwise(np.cos, x=lambda x: -np.sin(x))
tan = elementwise(np.tan, x=lambda out: 1 + out * out)
arcsin = elementwise(np.arcsin, x=lambda x: 1 / np.sqrt((1 - x) * (1 + x)))
arccos = elementwise(np.arccos, x=lambda x: -1 / np.sqrt((1 - x) * (1 + x)))
arctan = elementwise(np.arctan, x=lambda x: 1 / (1 + x * x))
sinh = elementwise(np.sinh, x=lambda x: np.cosh(x))
cosh = elementwise(np.cosh, x=lambda x: np.sinh(x))
tanh = elementwise(np.tanh, x=lambda out: 1 - out * out)
arcsinh = elementwise(np.arcsinh, x=lambda x: 1 / np.hypot(1, x))
arccosh = elementwise(np.arccosh, x=lambda x: 1 / np.sqrt((x - 1) * (x + 1)))
arctanh = elementwise(np.arctanh, x=lambda x: 1 / ((1 - x) * (1 + x)))
degrees = elementwise(np.degrees, x=180 / math.pi)
radians = elementwise(np.radians, x=math.pi / 180)
RULES |= {np.rad2deg: degrees, np.deg2rad: radians}


def over(x, r):
    """x/r, and 0 where r = 0."""
    return np.where(r == 0, 0, x / np.where(r == 0, 1, r))


hypot = elementwise(np.hypot, x=lambda x, out: over(x, out), y=lambda y, out: over(y, out))  # 0, 0 at (0, 0)
arctan2 = elementwise(  # of a point (y, x): 0, 0 at (0, 0)
    np.arctan2,
    y=lambda y, x: over(over(x, np.hypot(y, x)), np.hypot(y, x)),
    x=lambda y, x: over(over(-y, np.hypot(y, x)), np.hypot(y, x)),
)

# Functions that choose
absolute = elementwise(np.absolute, x=lambda x: np.sign(x))  # 0 at 0
fabs = elementwise(np.fabs, x=lambda x: np.sign(x))
where = elementwise(
    np.where,
    args="condition x y",
    condition=None,
    x=lambda condition: np.asarray(condition, bool),
    y=lambda condition: ~np.asarray(condition, bool),
)


def _won(g, mine, tied):
    """The gradient where an argument was chosen; ties: one half each."""
    return np.where(mine, g, np.where(tied, g / 2, 0))


maximum = elementwise(  # a NaN always wins
    np.maximum,
    x=lambda g, x, y: _won(g, (x > y) | np.isnan(x), x == y),
    y=lambda g, x, y: _won(g, (y > x) | np.isnan(y), x == y),
)
minimum = elementwise(
    np.minimum,
    x=lambda g, x, y: _won(g, (x < y) | np.isnan(x), x == y),
    y=lambda g, x, y: _won(g, (y < x) | np.isnan(y), x == y),
)
fmax = elementwise(  # a NaN never wins
    np.fmax,
    x=lambda g, x, y: _won(g, (x > y) | np.isnan(y), x == y),
    y=lambda g, x, y: _won(g, (y > x) | np.isnan(x), x == y),
)
fmin = elementwise(
    np.fmin,
    x=lambda g, x, y: _won(g, (x < y) | np.isnan(y), x == y),
    y=lambda g, x, y: _won(g, (y < x) | np.isnan(x), x == y),
)


def _clip(a, a_min=None, a_max=None, **bounds):
    """np.clip, whose bounds go by two names each."""
    return clip(a, bounds.pop("min", a_min), bounds.pop("max", a_max), **bounds)


clip = elementwise(  # at a bound and at NaN the gradient is that of a; the upper bound has the last word
    np.clip,
    args="a a_min a_max",
    a=lambda a, a_min, a_max: (a_min is None or ~(a < a_min)) & (a_max is None or ~(a > a_max)),
    a_min=lambda a, a_min, a_max: (a < a_min) & (a_max is None or a_min <= a_max),
    a_max=lambda a, a_min, a_max: (a if a_min is None else np.maximum(a, a_min)) > a_max,
)
RULES[np.clip] = _clip

# Piecewise constant: the gradient is 0 everywhere
sign = elementwise(np.sign, x=0)
floor = elementwise(np.floor, x=0)
ceil = elementwise(np.ceil, x=0)
rint = elementwise(np.rint, x=0)
trunc = elementwise(np.trunc, x=0)
fix = elementwise(np.fix, x=0)
round = elementwise(np.round, a=0)
around = elementwise(np.around, a=0)
floor_divide = elementwise(np.floor_divide, x=0, y=0)
