"""Values and slopes where floats end: inputs from ±5e-324 to ±1e308, against the formulas on 60 digits.

A result may be 0 where it is below the smallest normal number, and infinite only where it is too large for a float.
Where two terms of a sum cancel, the larger one counts.
"""

import itertools
import math
import warnings

import numpy as np
import pytest

from minigrad import Tensor, losses
from tests.losses.formulas import FORMULAS, margins

mpmath = pytest.importorskip("mpmath")
pytestmark = pytest.mark.filterwarnings("error")

MAGNITUDES = [
    0, 5e-324, 1e-320, 2.2250738585072014e-308, 1e-300, 1e-200, 1e-160, 1e-154, 1e-100, 1e-50, 1e-20, 2.0**-53, 1e-12,
    1e-9, 1e-8, 1e-7, 1e-5, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.9999999, 1, 1.0000001, 1.5, 2, 3, 5, 8, 10, 17, 20, 30, 36.7,
    37, 40, 50, 88, 90, 104, 350, 700, 709.7, 710, 745, 750, 1e3, 1e4, 1e10, 1e100, 1e154, 1e200, 1e300, 1e308,
]  # fmt: skip
SINGLE = [1e-45, 1e-40, 1.1754944e-38, 1e38, 3e38]  # the ends of float32
NORMAL = {np.float64: 1e-14, np.float32: 1e-6}
THROUGH_ENGINE = {np.float64: 1e-9, np.float32: 1e-5}


def positive(dtype):
    with np.errstate(over="ignore"):
        x = np.array(MAGNITUDES + SINGLE * (dtype == np.float32), dtype)
    return np.unique(x[np.isfinite(x)])


def signed(dtype):
    return np.concatenate([-positive(dtype)[::-1], positive(dtype)])


def beside(*columns):
    """Numbers and arrays as the entries of an event."""
    return np.stack(np.broadcast_arrays(*columns), -1)


def with_targets(preds, *targets):
    """Every array of predictions with every target, a number or an array."""
    return [(pred, np.broadcast_to(np.asarray(t, pred.dtype), pred.shape).copy()) for pred in preds for t in targets]


def on_real(x):
    return with_targets([x], 0, 1, -2.5, x[::-1], x[-1])


def on_counts(x):
    return with_targets([x], 0, 1, 2, 0.7, 1e-3, 1e10)


def on_params(x):
    pairs = np.array(list(itertools.product(x[::4], x[::4])))
    given = [beside(*c) for v in (0, 1, -1e-5, 3e4, x[-1], x[x > 0][0]) for c in ((v, x), (x, v))]
    return [(pred.astype(x.dtype), np.full(len(pred), y, x.dtype)) for pred in [*given, pairs] for y in (0, 1)]


def on_probabilities(x):
    p = x[(x >= 0) & (x <= 1)]
    return with_targets([np.unique(np.concatenate([p, 1 - p]))], 0, 1, 0.3)


def rows_of(pred, *rows):
    return [(pred, np.broadcast_to(np.array(row, pred.dtype), pred.shape).copy()) for row in rows]


def on_log_probs(x):
    p = x[x >= 0]
    return rows_of(beside(-p, -p[::-1]), [1, 0], [0.25, 0.75])


def on_scores(x):
    two, three = [beside(x, 0), beside(0.25, x)], [beside(x, 0, -x), beside(x, x[::-1], 0.25), beside(x, -1, -2)]
    return [(z.astype(x.dtype), np.full(len(z), k)) for z in two + three for k in range(z.shape[1])]


def on_scores_and_rows(x):
    """Also soft labels, where the scores do not differ by more than the largest float: that difference is a term."""
    soft = x[np.abs(x) < np.finfo(x.dtype).max / 4]
    small = np.finfo(x.dtype).eps
    rows = ([0.25, 0.75, 0], [1 - small, small, 0])
    return on_scores(x) + [
        case for z in (beside(soft, 0, -soft), beside(soft, -1, -2)) for case in rows_of(z.astype(x.dtype), *rows)
    ]


def on_pairs_of_scores(x):
    preds = [beside(x, 0.25), beside(x, -x), beside(0.25, x)]
    return [(pred.astype(x.dtype), np.full(len(pred), y, x.dtype)) for pred in preds for y in (-1, 1)]


def on_pairs(x):
    preds = [
        beside(beside(x, 0), beside(1, 2)),
        beside(beside(x, x), beside(x, 2)),
        beside(beside(x, x[::-1]), beside(-1, 0.5)),
    ]
    return [(pred.swapaxes(-1, -2).astype(x.dtype), np.full(len(pred), y, x.dtype)) for pred in preds for y in (-1, 1)]


def on_triplets(x):
    zero = 0 * x
    corners = [
        ((x, zero), (0, 0), (0.25, 0)),
        ((x, x), (0, x), (x, 0.25)),
        ((x, zero), (-x, 0), (0, x)),
        ((x, zero), (-x, 0), (-x, 0)),
    ]
    return [(np.stack([beside(*c) + beside(zero, zero) for c in three], -2).astype(x.dtype), None) for three in corners]


GRIDS = {
    "mse": (on_real, [{}]),
    "mae": (on_real, [{}]),
    "huber": (on_real, [{"delta": 1.0}, {"delta": 0.5}, {"delta": 1e10}]),
    "smooth_l1": (on_real, [{"beta": 1.0}, {"beta": 1e-3}, {"beta": 1e10}]),
    "log_cosh": (on_real, [{}]),
    "quantile": (on_real, [{"quantile": 0.5}, {"quantile": 0.9}]),
    "poisson_nll": (on_counts, [{"full": False}, {"full": True}]),
    "gaussian_nll": (on_params, [{"full": False}]),
    "cross_entropy": (on_scores_and_rows, [{"label_smoothing": 0.0}]),
    "nll": (on_log_probs, [{"label_smoothing": 0.0}, {"label_smoothing": 0.1}]),
    "kl_div": (on_log_probs, [{}]),
    "bce_with_logits": (
        lambda x: with_targets([x], 0, 1, 0.3),
        [{"pos_weight": w, "label_smoothing": e} for w, e in [(1.0, 0.0), (3.0, 0.1)]],
    ),
    "bce": (on_probabilities, [{"label_smoothing": 0.0}, {"label_smoothing": 0.1}]),
    "focal": (
        lambda x: with_targets([x], 0, 1),
        [{"gamma": g, "alpha": a} for g, a in [(2.0, None), (0.0, None), (0.5, 0.25), (5.0, None)]],
    ),
    "hinge": (lambda x: with_targets([x], -1, 1), [{"margin": 1.0}, {"margin": 0.3}]),
    "squared_hinge": (lambda x: with_targets([x], -1, 1), [{"margin": 1.0}]),
    "multi_margin": (on_scores, [{"p": 1, "margin": 1.0}, {"p": 2, "margin": 1.0}]),
    "margin_ranking": (on_pairs_of_scores, [{"margin": 1.0}]),
    "triplet_margin": (on_triplets, [{"margin": 1.0, "p": p, "swap": s} for p, s in [(2.0, False), (2.0, True), (3.0, False)]]),
    "cosine_embedding": (on_pairs, [{"margin": 0.0}, {"margin": -0.5}]),
}  # fmt: skip


def exactly(v):
    """Floats as mpmath numbers, labels and nothing as they are."""
    if v is None:
        return None
    if isinstance(v, np.ndarray) and v.ndim:
        return [exactly(entry) for entry in v]
    return mpmath.mpf(float(v)) if np.asarray(v).dtype.kind == "f" else int(v)


def agree(got, terms, tolerance, dtype):
    """Whether a float is the sum of the terms, as far as one can be."""
    limits, exact = np.finfo(dtype), mpmath.fsum(terms)
    if not math.isfinite(got):
        return abs(exact) >= float(limits.max) * (1 - tolerance) and got * exact > 0
    larger = max(abs(exact), *map(abs, terms))
    return abs(got - exact) <= max(tolerance * larger, 2 * float(limits.tiny))


def slopes_of(loss, pred, target):
    """By the closed form, by the engine, and by the engine as it would be differentiated again."""
    yield "closed form", loss.value_and_grad(pred, target, reduction="none")[1]
    for again in (False, True):
        x = Tensor(pred, requires_grad=True)
        with np.errstate(all="ignore"):  # a call of the loss does that
            values = loss.function(x, target, **loss.values)
        values.backward(np.ones_like(values.data), create_graph=again)
        yield f"autograd, create_graph={again}", x.grad.data


def gap_of(name, z):
    """What the rounding of differences of scores costs a softmax, in units of 2⁻⁵³."""
    return 4 * min(float(np.ptp(np.clip(z, -800, 800))), 800) if name == "cross_entropy" else 0


def on_the_edge(sums, tolerance):
    """Whether one of these sums is 0 as far as floats can tell: then the margin may count as kept or missed."""
    return any(abs(mpmath.fsum(terms)) < 10 * tolerance * max(map(abs, terms)) for terms in sums)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", GRIDS)
def test_no_value_and_no_slope_is_wrong_from_the_smallest_number_to_the_largest(name, dtype):
    grid, parameters = GRIDS[name]
    wrong = []
    with mpmath.workdps(60), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # probabilities of 0, rows that do not sum to 1: all this is meant
        for params, (pred, target) in itertools.product(parameters, grid(signed(dtype))):
            loss = losses.get(name, **{k: v for k, v in params.items() if v is not None})
            value = loss(pred, target, reduction="none").data
            slopes = list(slopes_of(loss, pred, target))
            floor = {"tiny": float(np.finfo(dtype).tiny)} if name == "bce" else {}
            for i, x in enumerate(pred):
                y = None if target is None else target[i]
                exact, steep = FORMULAS[name](
                    mpmath.mp, exactly(x), None if y is None else exactly(y), **params, **floor
                )
                close = max(NORMAL[dtype], gap_of(name, x) * np.finfo(dtype).eps / 2)
                if on_the_edge(margins(name, mpmath.mp, *map(exactly, (x, y)), params), close):
                    continue
                if not agree(value[i], exact, close, dtype):
                    wrong.append((params, x, y, "value", value[i], mpmath.nstr(mpmath.fsum(exact))))
                for way, slope in slopes:
                    if way != "closed form" and not math.isfinite(value[i]):
                        continue  # the engine goes through the value
                    tolerance = close if way == "closed form" else THROUGH_ENGINE[dtype]
                    if name == "poisson_nll" and way != "closed form":  # for y = 1 only expm1 shows how near they are
                        steep = [[mpmath.exp(exactly(x)), -y]]
                    wrong += [
                        (params, x, y, way, j, s, mpmath.nstr(mpmath.fsum(terms)))
                        for j, (s, terms) in enumerate(zip(slope[i].ravel(), steep, strict=True))
                        if not agree(s, terms, tolerance, dtype)
                    ]
    assert wrong == []
