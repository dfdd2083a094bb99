"""A batch for any loss, drawn by its kinds."""

import numpy as np

from minigrad import losses

K = 5  # classes
ONE_LABEL = ("unit", "binary", "sign")


def sampled(loss, n=6, rng=0, dtype=np.float64):
    """(loss with fitted parameters, pred, target) of n samples."""
    g = np.random.default_rng(rng)
    target = drawn_target(loss, n, g)
    pred = drawn_pred(loss, target, n, g).astype(dtype)
    if target is not None:
        loss = loss.fitted_to(target)
    return loss, pred, target


def drawn_target(loss, n, g):
    kind = loss.target.split("|")[0]
    return {
        "real": lambda: 2 * g.standard_normal(n),
        "positive": lambda: np.exp(g.standard_normal(n)),
        "count": lambda: g.poisson(3, n).astype(float),
        "unit": lambda: g.uniform(size=n),
        "binary": lambda: (np.arange(n) % 2).astype(float),
        "sign": lambda: np.where(np.arange(n) % 2, 1.0, -1.0),
        "index": lambda: np.arange(n) % (3 if loss.pred == "embedding" else K),
        "simplex": lambda: g.dirichlet(np.ones(K), n),
        "none": lambda: None,
    }[kind]()


def drawn_pred(loss, target, n, g):
    heads = len(loss.heads)
    return {
        "real": lambda: g.standard_normal(n) + (3 * g.standard_normal(n) + target if loss.target == "real" else 0),
        "prob": lambda: g.uniform(0.02, 0.98, n),
        "logit": lambda: 3 * g.standard_normal(n),
        "logits": lambda: 3 * g.standard_normal((n, K)),
        "log_probs": lambda: np.log(g.dirichlet(np.ones(K), n)),
        "params": lambda: g.standard_normal((n, heads or 2)),
        "embedding": lambda: g.standard_normal((n, heads, 4) if heads else (n, 4)),
    }[loss.pred]()


def every(condition=lambda loss: True):
    """The names of all registered losses for which it holds, packs included."""
    return [name for name in losses.names() if condition(losses.get(name))]


def uncoupled(loss):
    return not loss.coupled


def on_classes(loss):
    return uncoupled(loss) and loss.pred in ("prob", "logit", "logits", "log_probs") and loss.target != "none"


def differences(f, x, h=1e-6):
    """Central differences of a function of an array that returns a number."""
    slope = np.zeros_like(x)
    for at in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[at] += h
        down[at] -= h
        slope[at] = (f(up) - f(down)) / (2 * h)
    return slope
