"""Losses and their gradients in NumPy alone: (pred, target) → (mean over the samples, its gradient)."""

import numpy as np

from benchmarks.plain_numpy import cross_entropy


def mse(pred, target):
    r = pred - target
    return (r * r).mean(), 2 * r / r.size


def mae(pred, target):
    r = pred - target
    return np.abs(r).mean(), np.sign(r) / r.size


def huber(pred, target, delta=1.0):
    r = pred - target
    size = np.abs(r)
    value = np.where(size <= delta, 0.5 * r * r, delta * (size - 0.5 * delta)).mean()
    return value, np.clip(r, -delta, delta) / r.size


def smooth_l1(pred, target, beta=1.0):
    value, slope = huber(pred, target, beta)
    return value / beta, slope / beta


def log_cosh(pred, target):
    r = pred - target
    size = np.abs(r)
    return (size + np.log1p(np.exp(-2 * size))).mean() - np.log(2), np.tanh(r) / r.size


def quantile(pred, target, q=0.5):
    r = pred - target
    return np.where(r > 0, (1 - q) * r, -q * r).mean(), np.where(r > 0, 1 - q, -q).astype(r.dtype) / r.size


def poisson_nll(pred, target):
    rate = np.exp(pred)
    return (rate - target * pred).mean(), (rate - target) / pred.size


def gaussian_nll(pred, target):
    mean, log_var = pred[:, 0], pred[:, 1]
    r = mean - target
    weighted = r * np.exp(-log_var)
    squares = r * weighted
    slope = np.stack([weighted, 0.5 * (1 - squares)], 1)
    return 0.5 * (log_var + squares).mean(), slope / len(r)


def nll(pred, target):
    rows, n = np.arange(len(target)), len(target)
    slope = np.zeros_like(pred)
    slope[rows, target] = -1 / n
    return -pred[rows, target].mean(), slope


def kl_div(pred, target):
    return (target * (np.log(target) - pred)).sum(1).mean(), -target / len(target)


def softplus(z):
    return np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))


def bce_with_logits(pred, target):
    value = (softplus(pred) - target * pred).mean()
    return value, (1 / (1 + np.exp(-pred)) - target) / pred.size


def bce(pred, target):
    value = -(target * np.log(pred) + (1 - target) * np.log1p(-pred)).mean()
    return value, (pred - target) / (pred * (1 - pred)) / pred.size


def focal(pred, target, gamma=2.0):
    sign = 2 * target - 1
    x = sign * pred
    missed, surprise = 1 / (1 + np.exp(x)), softplus(-x)
    slope = -sign * missed**gamma * (gamma * (1 - missed) * surprise + missed)
    return (missed**gamma * surprise).mean(), slope / pred.size


def hinge(pred, target):
    u = 1 - target * pred
    return np.maximum(u, 0).mean(), np.where(u > 0, -target, 0) / pred.size


def squared_hinge(pred, target):
    u = np.maximum(1 - target * pred, 0)
    return (u * u).mean(), -2 * target * u / pred.size


def multi_margin(pred, target):
    n, classes = pred.shape
    rows = np.arange(n)
    u = np.maximum(1 + pred - pred[rows, target][:, None], 0)
    u[rows, target] = 0
    slope = (u > 0).astype(pred.dtype) / (n * classes)
    slope[rows, target] = -slope.sum(1)
    return u.sum(1).mean() / classes, slope


def margin_ranking(pred, target):
    u = 1 - target * (pred[:, 0] - pred[:, 1])
    push = np.where(u > 0, target, 0) / len(target)
    return np.maximum(u, 0).mean(), np.stack([-push, push], 1)


def triplet_margin(pred, target=None):
    near, far = pred[:, 0] - pred[:, 1], pred[:, 0] - pred[:, 2]
    to_near, to_far = (np.sqrt((v * v).sum(1, keepdims=True)) for v in (near, far))
    u = 1 + to_near - to_far
    pulls = (u > 0) / np.float32(len(pred))
    near, far = pulls * near / to_near, pulls * far / to_far
    return np.maximum(u, 0).mean(), np.stack([near - far, -near, far], 1)


def cosine_embedding(pred, target):
    lengths = np.sqrt((pred * pred).sum(2, keepdims=True))
    units = pred / lengths
    cosine = (units[:, 0] * units[:, 1]).sum(1)
    value = np.where(target > 0, 1 - cosine, np.maximum(cosine, 0)).mean()
    pulls = np.where(target > 0, -1, cosine > 0).astype(pred.dtype) / len(pred)
    slope = units[:, ::-1] - cosine[:, None, None] * units
    return value, pulls[:, None, None] * slope / lengths


LOSSES = {
    f.__name__: f
    for f in (
        mse, mae, huber, smooth_l1, log_cosh, quantile, poisson_nll, gaussian_nll, cross_entropy, nll, kl_div,
        bce_with_logits, bce, focal, hinge, squared_hinge, multi_margin, margin_ranking, triplet_margin,
        cosine_embedding,
    )
}  # fmt: skip
