"""Values and slopes against PyTorch, where it has the loss: the same call in its words."""

import numpy as np
import pytest

from minigrad import losses
from tests.losses.samples import sampled

torch = pytest.importorskip("torch")
F = torch.nn.functional


# What is asked of minigrad: what the same is called there, with one value per sample.
THERE = {
    "mse": lambda x, y: F.mse_loss(x, y, reduction="none"),
    "mae": lambda x, y: F.l1_loss(x, y, reduction="none"),
    "huber(delta=0.7)": lambda x, y: F.huber_loss(x, y, delta=0.7, reduction="none"),
    "smooth_l1(beta=0.7)": lambda x, y: F.smooth_l1_loss(x, y, beta=0.7, reduction="none"),
    "poisson_nll": lambda x, y: F.poisson_nll_loss(x, y, log_input=True, reduction="none"),
    "gaussian_nll": lambda x, y: F.gaussian_nll_loss(x[:, 0], y, x[:, 1].exp(), reduction="none"),
    "gaussian_nll(full=True)": lambda x, y: F.gaussian_nll_loss(x[:, 0], y, x[:, 1].exp(), full=True, reduction="none"),
    "bce_with_logits": lambda z, y: F.binary_cross_entropy_with_logits(z, y, reduction="none"),
    "bce_with_logits(pos_weight=3.0)": lambda z, y: F.binary_cross_entropy_with_logits(
        z, y, pos_weight=torch.tensor(3.0), reduction="none"
    ),
    "bce": lambda p, y: F.binary_cross_entropy(p, y, reduction="none"),
    "cross_entropy": lambda z, y: F.cross_entropy(z, y, reduction="none"),
    "cross_entropy(label_smoothing=0.1)": lambda z, y: F.cross_entropy(z, y, label_smoothing=0.1, reduction="none"),
    "nll": lambda lp, y: F.nll_loss(lp, y, reduction="none"),
    "kl_div": lambda lp, t: F.kl_div(lp, t, reduction="none").sum(-1),
    "hinge": lambda z, s: F.hinge_embedding_loss(s * z, -torch.ones_like(z), margin=1.0, reduction="none"),
    "multi_margin": lambda z, y: F.multi_margin_loss(z, y, reduction="none"),
    "multi_margin(p=2, margin=0.5)": lambda z, y: F.multi_margin_loss(z, y, p=2, margin=0.5, reduction="none"),
    "margin_ranking": lambda x, y: F.margin_ranking_loss(x[:, 0], x[:, 1], y, margin=1.0, reduction="none"),
    "triplet_margin": lambda x, _: F.triplet_margin_loss(x[:, 0], x[:, 1], x[:, 2], eps=0, reduction="none"),
    "triplet_margin(p=3.0, swap=True)": lambda x, _: F.triplet_margin_loss(
        x[:, 0], x[:, 1], x[:, 2], p=3.0, swap=True, eps=0, reduction="none"
    ),
    "cosine_embedding(margin=-0.2)": lambda x, y: F.cosine_embedding_loss(
        x[:, 0], x[:, 1], y, margin=-0.2, reduction="none"
    ),
}


def there(text, pred, target):
    x = torch.tensor(pred, requires_grad=True)
    value = THERE[text](x, None if target is None else torch.tensor(target))
    value.sum().backward()
    return value.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("text", THERE)
def test_value_and_slope_are_those_of_pytorch(text):
    loss = losses.get(text)
    _, pred, target = sampled(loss, 50, 11)
    value, slope = loss.value_and_grad(pred, target, reduction="none")
    value_there, slope_there = there(text, pred, target)
    exact = 1e-8 if "cosine" in text else 1e-12  # there 1e-12 is added to squared norms
    assert value == pytest.approx(value_there, rel=exact, abs=1e-13)
    assert slope == pytest.approx(slope_there, rel=exact, abs=1e-13)


@pytest.mark.parametrize("text", ["cross_entropy", "cross_entropy(label_smoothing=0.1)"])
def test_rows_of_class_probabilities_are_read_alike(text):
    rng = np.random.default_rng(12)
    z, t = rng.normal(0, 3, (50, 5)), rng.dirichlet(np.ones(5), 50)
    value, slope = losses.get(text).value_and_grad(z, t, reduction="none")
    value_there, slope_there = there(text, z, t)
    assert value == pytest.approx(value_there, rel=1e-12)
    assert slope == pytest.approx(slope_there, rel=1e-11, abs=1e-13)


def test_a_factor_for_each_class_is_called_weight_there_and_its_mean_is_the_weighted_one():
    rng = np.random.default_rng(13)
    z, y, w = rng.normal(0, 3, (50, 5)), rng.integers(0, 5, 50), rng.uniform(0.5, 2, 5)
    here = losses.get("cross_entropy")(z, y, class_weight=w, reduction="weighted_mean").item()
    assert here == pytest.approx(F.cross_entropy(*map(torch.tensor, (z, y)), weight=torch.tensor(w)).item(), rel=1e-13)


def test_full_is_exact_here_and_an_approximation_there():
    z, y = np.zeros(1), np.array([2.0])
    here = losses.get("poisson_nll", full=True)(z, y).item()
    approximate = F.poisson_nll_loss(torch.tensor(z), torch.tensor(y), full=True).item()
    assert here - approximate == pytest.approx(0.0413, abs=1e-4)
