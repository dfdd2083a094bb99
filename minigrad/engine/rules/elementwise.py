"""Functions that work entry by entry: a rule is the slope, ∂out/∂x, by the name of the argument.

The engine multiplies by the gradient, un-broadcasts and casts. A number is a constant slope. Ops that choose between
values name the gradient `g` and pass it on or not. At singular points the convention stands beside the rule.
"""

import math

import numpy as np

from minigrad.engine.op import elementwise, op

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


def _power_x(x, y):
    """y·x**(y−1), and 0 for y = 0: the slope of 0**0 in x is 0."""
    if np.ndim(y) == 0 and not isinstance(y, np.ndarray) and np.shape(y) == () and not hasattr(y, "edge"):
        return y * x ** (y - 1) if y else 0 * x
    return np.where(y == 0, 0, y * x ** np.where(y == 0, 1, y - 1))


def _power_y(x, y, out):
    """x**y·ln x, and 0 where x = 0 and y ≥ 0."""
    zero = (x == 0) & (y >= 0)
    return np.where(zero, 0, out * np.log(np.where(zero, 1, x)))


power = elementwise(np.power, x=_power_x, y=_power_y)
float_power = power

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
    e = np.where(low == -math.inf, 0, np.exp(low - np.where(high == -math.inf, 0, high)))
    return np.where(x < y, e, np.where(x == -math.inf, 0, 1)) / (1 + e)


logaddexp = elementwise(np.logaddexp, x=lambda x, y: _share(x, y), y=lambda x, y: _share(y, x))

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
hypot = elementwise(
    np.hypot,  # 0 in both at (0, 0)
    x=lambda x, out: x / np.where(out == 0, 1, out),
    y=lambda y, out: y / np.where(out == 0, 1, out),
)

# Functions that choose: they pass the gradient on, or not
absolute = elementwise(np.absolute, x=lambda x: np.sign(x))  # 0 at 0
fabs = elementwise(np.fabs, x=lambda x: np.sign(x))
where = elementwise(
    np.where,
    args="condition x y",
    condition=None,
    x=lambda g, condition: np.where(condition, g, 0),
    y=lambda g, condition: np.where(condition, 0, g),
)
maximum = elementwise(  # ties: one half each
    np.maximum,
    x=lambda g, x, y: np.where(x > y, g, np.where(x == y, g / 2, 0)),
    y=lambda g, x, y: np.where(y > x, g, np.where(x == y, g / 2, 0)),
)
minimum = elementwise(
    np.minimum,
    x=lambda g, x, y: np.where(x < y, g, np.where(x == y, g / 2, 0)),
    y=lambda g, x, y: np.where(y < x, g, np.where(x == y, g / 2, 0)),
)


def _inside(a, a_min, a_max):
    """Where clip changes nothing; at a bound the gradient is that of a."""
    return (True if a_min is None else a >= a_min) & (True if a_max is None else a <= a_max)


clip = elementwise(
    np.clip,
    args="a a_min a_max",
    a=lambda g, a, a_min, a_max: np.where(_inside(a, a_min, a_max), g, 0),
    a_min=lambda g, a, a_min: np.where(a < a_min, g, 0),
    a_max=lambda g, a, a_max: np.where(a > a_max, g, 0),
)

# Piecewise constant: the gradient is 0 everywhere
sign = elementwise(np.sign, x=0)
floor = elementwise(np.floor, x=0)
ceil = elementwise(np.ceil, x=0)
rint = elementwise(np.rint, x=0)
trunc = elementwise(np.trunc, x=0)
round = op(np.round, a=lambda g, a_shape: np.zeros(a_shape, g.dtype))
floor_divide = elementwise(np.floor_divide, x=0, y=0)

remainder = elementwise(np.remainder, x=1, y=lambda x, y: -np.floor(x / y))
fmod = elementwise(np.fmod, x=1, y=lambda x, y: -np.trunc(x / y))
