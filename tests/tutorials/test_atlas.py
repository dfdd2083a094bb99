"""The page of all losses: every loss that is registered has its row, and what each row says holds at any prediction."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from minigrad import losses
from tests.tutorials.running import FACTS, LESSONS, ROOT, environment, home, run

ATLAS = next((path for path in LESSONS if path.stem == "15_atlas"), None)
BUILT_IN = losses.names("minigrad")
N, K = 50, 5
rng = np.random.default_rng(15)
Z, R = rng.normal(0, 3, N), rng.normal(0, 3, N)
Y = rng.integers(0, 2, N)
S = 2.0 * Y - 1
LOGITS, LABELS = rng.normal(0, 2, (N, K)), rng.integers(0, K, N)
E = np.eye(K)[LABELS]
ROWS = rng.dirichlet(np.ones(K), N)
HEADS = np.stack([Z, rng.normal(0, 1, N)], -1)
PAIRS, TRIPLETS = rng.normal(0, 1, (N, 2, 4)), rng.normal(0, 1, (N, 3, 4))


def sent(name, pred, target=None, **params):
    return losses.get(name, **params).value_and_grad(pred, target, reduction="none")[1]


def value(name, pred, target=None, **params):
    return losses.get(name, **params).value_and_grad(pred, target, reduction="none")[0]


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(z):
    e = np.exp(z - z.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def lengths(v):
    return np.linalg.norm(v, axis=-1)


P = softmax(LOGITS)
LOG_P = np.log(P)
P_Y = np.where(Y == 1, sigmoid(Z), sigmoid(-Z))
SHORT = 1 - S * Z  # what is missing from the margin
U = TRIPLETS[:, 0] - TRIPLETS[:, 1], TRIPLETS[:, 0] - TRIPLETS[:, 2]
EXCESS = 1 + lengths(U[0]) - lengths(U[1])


def through_log_softmax(delta):
    """What arrives at the scores before a log-softmax: g − p Σg."""
    return delta - P * delta.sum(-1, keepdims=True)


def triplet():
    delta = sent("triplet_margin", TRIPLETS)
    on = EXCESS > 0
    assert np.all(delta[~on] == 0)
    assert np.all(lengths(delta[:, 0]) <= 2 + 1e-12)
    return [(delta.sum(1), 0), (lengths(delta[:, 1]), on), (lengths(delta[:, 2]), on)]


def cosine():
    delta, (a, b) = sent("cosine_embedding", PAIRS, np.ones(N)), (PAIRS[:, 0], PAIRS[:, 1])
    cos = (a * b).sum(-1) / lengths(a) / lengths(b)
    return [((delta[:, 0] * a).sum(-1), 0), ((delta[:, 1] * b).sum(-1), 0),
            (lengths(delta[:, 0]) * lengths(a), np.sqrt(1 - cos**2))]  # fmt: skip


# The last column of the table: pairs of what is and what should be, to 1e-12.
INVARIANTS = {
    "mse": lambda: [(sent("mse", R, 0 * R), 2 * R)],
    "mae": lambda: [(abs(sent("mae", c * R, 0 * R)), 1) for c in (1e-3, 1, 1e3)] + [(sent("mae", R, R), 0)],
    "huber": lambda: (
        [(sent("huber", R, 0 * R, delta=d), np.clip(R, -d, d)) for d in (0.5, 1, 3)]
        + [(sent("huber", R / 20, 0 * R, delta=1), sent("mse", R / 20, 0 * R) / 2)]
    ),
    "smooth_l1": lambda: [
        (b * sent("smooth_l1", R, 0 * R, beta=b), sent("huber", R, 0 * R, delta=b)) for b in (0.5, 1, 3)
    ],
    "log_cosh": lambda: [
        (sent("log_cosh", R, 0 * R), np.tanh(R)),
        (1 - abs(sent("log_cosh", R, 0 * R)), 2 / (np.exp(2 * abs(R)) + 1)),
    ],
    "quantile": lambda: [(sent("quantile", R, 0 * R, quantile=q), np.where(R > 0, 1 - q, -q)) for q in (0.1, 0.5, 0.9)],
    "poisson_nll": lambda: [
        (sent("poisson_nll", Z, LABELS), np.exp(Z) - LABELS),
        (sent("poisson_nll", np.log(LABELS + 1), LABELS + 1), 0),
    ],
    "gaussian_nll": lambda: [
        (
            sent("gaussian_nll", HEADS, 0 * Z),
            np.stack([Z * np.exp(-HEADS[:, 1]), (1 - Z**2 * np.exp(-HEADS[:, 1])) / 2], -1),
        ),
        (sent("gaussian_nll", HEADS + [0, np.log(2)], 0 * Z)[:, 0] * 2, sent("gaussian_nll", HEADS, 0 * Z)[:, 0]),
    ],
    "bce_with_logits": lambda: [(sent("bce_with_logits", Z, 0 * Y) - sent("bce_with_logits", Z, 0 * Y + 1), 1)],
    "bce": lambda: [
        (abs(sent("bce", sigmoid(Z), Y)) * P_Y, 1),
        (abs(sent("bce", sigmoid(Z), Y)) * sigmoid(Z) * sigmoid(-Z), abs(sigmoid(Z) - Y)),
    ],
    "hinge": lambda: [(abs(sent("hinge", Z, S)), SHORT > 0)],
    "squared_hinge": lambda: [(abs(sent("squared_hinge", Z, S)), np.where(SHORT > 0, 2 * SHORT, 0))],
    "focal": lambda: [(sent("focal", Z, Y, gamma=0) / sent("bce_with_logits", Z, Y), 1)],
    "cross_entropy": lambda: [
        (sent("cross_entropy", LOGITS, LABELS).sum(-1), 0),
        (abs(sent("cross_entropy", LOGITS, LABELS)).sum(-1), 2 * (1 - (P * E).sum(-1))),
    ],
    "multi_margin": lambda: [
        (
            sent("multi_margin", LOGITS, LABELS)[E == 0],
            ((1 - (LOGITS * E).sum(-1, keepdims=True) + LOGITS > 0) / K)[E == 0],
        ),
        (sent("multi_margin", LOGITS, LABELS).sum(-1), 0),
    ],
    "nll": lambda: [
        (lengths(sent("nll", LOG_P, LABELS)), 1),
        (through_log_softmax(sent("nll", LOG_P, LABELS)), P - E),
    ],
    "kl_div": lambda: [
        (through_log_softmax(sent("kl_div", LOG_P, ROWS)), P - ROWS),
        (value("cross_entropy", LOGITS, ROWS) - value("kl_div", LOG_P, ROWS), -(ROWS * np.log(ROWS)).sum(-1)),
    ],
    "margin_ranking": lambda: [
        (sent("margin_ranking", HEADS, S).sum(-1), 0),
        (lengths(sent("margin_ranking", HEADS, S)), np.where(1 - S * (HEADS[:, 0] - HEADS[:, 1]) > 0, np.sqrt(2), 0)),
    ],
    "triplet_margin": triplet,
    "cosine_embedding": cosine,
}


@pytest.mark.parametrize("name", BUILT_IN)
def test_what_the_atlas_says_of_a_loss_holds_at_fifty_predictions(name):
    for is_, should_be in INVARIANTS[name]():
        np.testing.assert_allclose(is_, np.broadcast_to(should_be, np.shape(is_)), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("p", "ratio"), [(0.9, 0.02896), (0.5, 0.59657), (0.1, 1.22447), (0.2976, 1)])
def test_focal_hears_a_sample_as_the_atlas_says(p, ratio):
    z = np.log([p / (1 - p)])
    assert (sent("focal", z, [1]) / sent("bce_with_logits", z, [1])).item() == pytest.approx(
        ratio, abs=1e-4 if ratio == 1 else 1e-5
    )


def test_every_built_in_loss_has_a_row_and_a_sentence():
    assert set(BUILT_IN) <= set(FACTS["15_atlas"]["facts"])
    assert set(BUILT_IN) <= set(run(ATLAS).read("facts"))
    assert not [name for name in BUILT_IN if f"\n{name:18} δ = " not in run(ATLAS).stdout]


STRANGERS = """
import numpy as np
from minigrad import loss

@loss
def late(pred, target):
    return 5 * np.abs(pred - target)

@loss(pred="params", target="binary")
def odd(pred, target):
    return pred.sum(-1) * target
"""


def test_a_loss_without_a_sentence_gets_the_general_one_and_a_kind_without_a_section_its_reason(tmp_path):
    (tmp_path / "strange.py").write_text(STRANGERS, encoding="utf-8")
    env = environment(home(), MINIGRAD_PLUGIN_PATH=os.fspath(tmp_path / "strange.py"))
    done = subprocess.run([sys.executable, str(ATLAS), "--out", str(tmp_path / "out")], env=env, capture_output=True,
                          text=True, timeout=240, check=True)  # fmt: skip
    assert "strange:late       δ = [-5.]\n                   sends 5, 1." in done.stdout
    assert " times less than mse\n" in done.stdout
    assert "strange:odd: no section for predictions of kind 'params' with targets of kind 'binary'" in done.stdout


def test_losses_of_installed_packs_join_fitted_ones_included(tmp_path):
    packs = sorted(path.name.removeprefix("minigrad-") for path in ROOT.glob("plugins/minigrad-*"))
    path = [os.fspath(tmp_path), *(os.fspath(ROOT / "plugins" / f"minigrad-{pack}") for pack in packs)]
    for pack in packs:
        metadata = tmp_path / f"minigrad_{pack}-0.1.0.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: minigrad-{pack}\nVersion: 0.1.0\n")
        (metadata / "entry_points.txt").write_text(f"[minigrad]\n{pack} = minigrad_{pack}\n")
    env = environment(home(), MINIGRAD_PLUGINS=",".join(packs))
    env["PYTHONPATH"] = os.pathsep.join([env["PYTHONPATH"], *path])
    done = subprocess.run([sys.executable, "-W", "error", str(ATLAS), "--out", str(tmp_path / "out")], env=env,
                          capture_output=True, text=True, timeout=240, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    fitted, coupled = ("cost:class_balanced", "cost:logit_adjusted"), ("embedding:nt_xent", "overlap:dice_bce")
    for name in (*fitted, *coupled, "embedding:arcface", "robust:barron_nll", "robust:tukey"):
        assert f"\n{name:18} δ = " in done.stdout
    assert json.loads((tmp_path / "out" / "facts.json").read_text())["rows"] == len(BUILT_IN) + 4 * len(packs)
