"""The losses written a second time, for one sample: on Python floats with `math`, or on mpmath numbers.

`FORMULAS[name](m, pred, target, **params)` returns the terms of the value, and for each entry of pred the terms of the
slope. `m` is `math` or an mpmath context. A caller adds the terms up; where two of them cancel, the larger one says how
exact the sum can be.
"""

import itertools


def ln_sigmoid(m, x):
    return -m.log1p(m.exp(-x)) if x > 0 else x - m.log1p(m.exp(x))


def sigmoid(m, x):
    return 1 / (1 + m.exp(-x)) if x > 0 else m.exp(x) / (1 + m.exp(x))


def ln_factorial(m, y):
    return m.lgamma(y + 1) if hasattr(m, "lgamma") else m.loggamma(y + 1)


def sign(x):
    return (x > 0) - (x < 0)


# --- real numbers -----------------------------------------------------------------------------------------------------
def mse(m, x, y):
    return [(x - y) * (x - y)], [[2 * (x - y)]]


def mae(m, x, y):
    return [abs(x - y)], [[sign(x - y)]]


def huber(m, x, y, delta):
    r = abs(x - y)
    return ([r * r / 2], [[x - y]]) if r <= delta else ([delta * r, -delta * delta / 2], [[delta * sign(x - y)]])


def smooth_l1(m, x, y, beta):
    value, slope = huber(m, x, y, beta)
    return [term / beta for term in value], [[term / beta for term in slope[0]]]


def log_cosh(m, x, y):
    r = x - y
    if abs(r) < 300:
        return [m.log1p(m.sinh(r) ** 2) / 2], [[m.tanh(r)]]
    return [abs(r), -m.log(2), m.log1p(m.exp(-2 * abs(r)))], [[m.tanh(r)]]


def quantile(m, x, y, quantile):
    slope = 1 - quantile if x > y else -quantile if x < y else 0
    return [slope * (x - y)], [[slope]]


def poisson_nll(m, x, y, full):
    e = m.exp(x)
    return [e, -y * x, *([ln_factorial(m, y)] if full else [])], [[m.expm1(x)] if y == 1 else [e, -y]]


def gaussian_nll(m, pred, y, full):
    (x, s), k = pred, m.exp(-pred[1])
    square = (x - y) * (x - y) * k
    return [s / 2, square / 2, *([m.log(2 * m.pi) / 2] if full else [])], [[(x - y) * k], [0.5, -square / 2]]


# --- two classes ------------------------------------------------------------------------------------------------------
def bce_with_logits(m, z, y, pos_weight, label_smoothing):
    q = y + label_smoothing * (1 - 2 * y) / 2  # of a label, and of a soft one its two hard ones, weighted
    if 0 < y < 1:
        up, one = bce_with_logits(m, z, y - y + 1, pos_weight, label_smoothing)
        down, nought = bce_with_logits(m, z, y - y, pos_weight, label_smoothing)
        mixed = [[y * a for a in one[0]] + [(1 - y) * b for b in nought[0]]]
        return [y * a for a in up] + [(1 - y) * b for b in down], mixed
    w = pos_weight if y == 1 else 1
    value = [-w * q * ln_sigmoid(m, z), -w * (1 - q) * ln_sigmoid(m, -z)]
    return value, [[-w * q * sigmoid(m, -z), w * (1 - q) * sigmoid(m, z)]]


def bce(m, p, y, label_smoothing, tiny=2.2250738585072014e-308):
    q, no = (1 - label_smoothing) * y + label_smoothing / 2, (1 - label_smoothing) * (1 - y) + label_smoothing / 2
    low, full = p < tiny, p == 1
    value = [-q * m.log(tiny if low else p), -no * (m.log(tiny) if full else m.log1p(-p))]
    return value, [[0 if low else -q / p, 0 if full else no / (1 - p)]]


def focal(m, z, y, gamma, alpha):
    s = 2 * y - 1
    a = 1 if alpha is None else alpha if y == 1 else 1 - alpha
    wrong, v = sigmoid(m, -s * z), -ln_sigmoid(m, s * z)
    return [a * wrong**gamma * v], [
        [-s * a * gamma * wrong**gamma * sigmoid(m, s * z) * v, -s * a * wrong ** (gamma + 1)]
    ]


def hinge(m, z, s, margin):
    return ([margin, -s * z], [[-s]]) if margin - s * z > 0 else ([0], [[0]])


def squared_hinge(m, z, s, margin):
    if margin - s * z <= 0:
        return [0], [[0]]
    return [margin * margin, -2 * margin * s * z, z * z], [[-2 * s * margin, 2 * z]]


# --- many classes -----------------------------------------------------------------------------------------------------
def smoothed(t, classes, label_smoothing):
    rows = list(t) if isinstance(t, (list, tuple)) else [int(k == t) for k in range(classes)]
    return [(1 - label_smoothing) * q + label_smoothing / classes for q in rows]


def cross_entropy(m, z, t, label_smoothing):
    q, every, top = smoothed(t, len(z), label_smoothing), range(len(z)), max(z)
    e = [m.exp(v - top) for v in z]
    p = [v / sum(e) for v in e]
    rest = sum(v for j, v in enumerate(e) if j != z.index(top))  # of −ln p_k = top − z_k + ln(1 + rest) all is ≥ 0
    value = [term for k in every if q[k] for term in (q[k] * (top - z[k]), q[k] * m.log1p(rest))]
    slope = [[term for j in every if j != k for term in (q[j] * p[k], -q[k] * p[j])] for k in every]
    return value, slope


def nll(m, lp, t, label_smoothing):
    q = smoothed(t, len(lp), label_smoothing)
    return [-a * b for a, b in zip(q, lp) if a], [[-a] for a in q]


def kl_div(m, lp, t):
    value = [term for a, b in zip(t, lp) if a for term in (a * m.log(a), -a * b)]
    return value or [0], [[-a] for a in t]


def multi_margin(m, z, t, p, margin):
    classes, value = len(z), [0]
    slope = [[0] for _ in z]
    for j in range(classes):
        d = z[j] - z[t]
        if j != t and margin + d > 0:
            terms = [margin, d] if p == 1 else [margin * margin, 2 * margin * d, d * d]
            push = [1 / classes] if p == 1 else [2 * margin / classes, 2 * d / classes]
            value += [term / classes for term in terms]
            slope[j] += push
            slope[t] += [-term for term in push]
    return value, slope


# --- comparisons ------------------------------------------------------------------------------------------------------
def margin_ranking(m, pred, y, margin):
    open_ = margin - y * (pred[0] - pred[1]) > 0
    return ([margin, -y * (pred[0] - pred[1])], [[-y], [y]]) if open_ else ([0], [[0], [0]])


def norm(m, d, p):
    """The p-norm and its gradient."""
    size = sum(abs(x) ** p for x in d) ** (1 / (p + 0 * d[0]))
    return size, [sign(x) * (abs(x) / size) ** (p - 1) if size else 0 for x in d]


def sides(m, pred, p):
    """The three distances of a triplet and their gradients."""
    return [norm(m, [b - a for a, b in zip(*pair)], p) for pair in itertools.combinations(pred, 2)]


def triplet_margin(m, pred, y, margin, p, swap):
    (ap, u_ap), (an, u_an), (pn, u_pn) = sides(m, pred, p)
    far = min(an, pn) if swap else an
    d = len(u_ap)
    if margin + ap - far <= 0:
        return [0], [[0]] * (3 * d)
    own = 1 if not swap or an < pn else 0.5 if an == pn else 0  # how much of the slope the anchor's distance has
    slopes = [[-u_ap[i], own * u_an[i]] for i in range(d)]
    slopes += [[u_ap[i], (1 - own) * u_pn[i]] for i in range(d)]
    slopes += [[-own * u_an[i], -(1 - own) * u_pn[i]] for i in range(d)]
    return [margin, ap, -far], slopes


def cosine_embedding(m, pred, y, margin):
    a, b = pred
    sizes = [m.sqrt(sum(x * x for x in v)) for v in pred]
    cos = 0 if 0 in sizes else sum(x * z for x, z in zip(a, b)) / sizes[0] / sizes[1]
    value = [1, -cos] if y > 0 else [cos, -margin] if cos > margin else [0]
    k = 0 if 0 in sizes else -1 if y > 0 else 1 if cos > margin else 0
    turns = [
        [k * other[i] / sizes[1 - own] / sizes[own], -k * cos * mine[i] / sizes[own] / sizes[own]] if k else [0]
        for own, (mine, other) in enumerate(((a, b), (b, a)))
        for i in range(len(a))
    ]
    return value, turns


def margins(name, m, pred, target, params):
    """The terms of each sum whose sign decides something, where rounding comes before the comparison."""
    if name == "multi_margin":
        return [[params["margin"], z - pred[target]] for j, z in enumerate(pred) if j != target]
    if name == "margin_ranking":
        return [[params["margin"], -target * (pred[0] - pred[1])]]
    if name == "triplet_margin":
        (ap, _), (an, _), (pn, _) = sides(m, pred, params["p"])
        if params["swap"]:
            return [[params["margin"], ap, -min(an, pn)], [an, -pn]]
        return [[params["margin"], ap, -an]]
    return []


FORMULAS = {
    f.__name__: f
    for f in (
        mse, mae, huber, smooth_l1, log_cosh, quantile, poisson_nll, gaussian_nll, cross_entropy, nll, kl_div,
        bce_with_logits, bce, focal, hinge, squared_hinge, multi_margin, margin_ranking, triplet_margin, cosine_embedding,
    )
}  # fmt: skip
