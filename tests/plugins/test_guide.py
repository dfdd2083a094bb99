"""The author's guide runs as it stands, from four lines to a package that is installed."""

import os
import re
import subprocess
import sys

import numpy as np
import pytest

from minigrad import losses
from tests.plugins.reading import ROOT, blocks, missing

GUIDE = ROOT / "plugins" / "README.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCKS = blocks(TEXT)
RUNNABLE = [block for block in BLOCKS if not block.section.startswith(("10", "11"))]


def test_every_block_of_the_guide_runs_and_prints_what_stands_below_it(reader, capsys):
    assert len(RUNNABLE) > 20
    for block in RUNNABLE:
        output = reader.follow(block, capsys)
        assert missing(block.printed, output) == [], f"{block.section}: {block.text}\nprinted:\n{output}"


def test_a_line_that_is_not_printed_would_be_found():
    assert missing(["a", "c"], "a\nb\nc") == []
    assert missing(["c", "a"], "a\nb\nc") == ["a"]
    assert missing(["b "], "bb\n") == ["b "]


def test_a_session_with_the_variable_set_knows_the_file(tmp_path):
    late = next(block for block in BLOCKS if block.file == "late.py")
    (tmp_path / "late.py").write_text(late.text, encoding="utf-8")
    script = "from minigrad import losses; print(losses.get('late'), losses.get('late')([1.0], [3.0]).item())"
    environment = {**os.environ, "MINIGRAD_PLUGIN_PATH": str(tmp_path / "late.py"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    assert done.stdout == "late:late 8.0\n"


def test_the_words_and_kinds_of_the_guide_are_those_of_the_decorator():
    from minigrad.losses.declaring import WORDS
    from minigrad.losses.kinds import CLAIMS, PRED, TARGET

    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?) \| [^|]*\|$", TEXT, re.MULTILINE))
    assert list(rows)[: len(WORDS)] == list(WORDS)
    named = lambda text: re.findall(r"`([\w\\|]+)`", text)  # noqa: E731
    assert named(rows["pred"]) == list(PRED)
    assert sorted(name.replace("\\", "") for name in named(rows["target"])) == sorted(TARGET)
    assert tuple(re.search(r"`([\w ]+)`", rows["claims"])[1].split()) == CLAIMS


def test_every_link_leads_somewhere():
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    }
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        assert target[1:] in anchors if target.startswith("#") else (GUIDE.parent / target).exists(), target


# --- elsewhere --------------------------------------------------------------------------------------------------------
def recipe(file):
    names = {"__name__": "recipe"}
    exec(compile(next(block.text for block in BLOCKS if block.file == file), file, "exec"), names)
    return names


class TestInPyTorch:
    def test_a_loss_has_the_value_and_gradient_that_pytorch_gives(self):
        torch = pytest.importorskip("torch")
        torch_loss = recipe("torch_loss.py")["torch_loss"]
        g = np.random.default_rng(0)
        for dtype in (torch.float32, torch.float64):
            pred = torch.tensor(g.standard_normal((50, 1)), dtype=dtype, requires_grad=True)
            target = torch.tensor(3 * g.standard_normal((50, 1)), dtype=dtype)
            value = torch_loss("huber(delta=0.5)")(pred, target)
            (2 * value).backward()
            right = torch.nn.functional.huber_loss(pred, target, delta=0.5)
            (slope,) = torch.autograd.grad(2 * right, pred)
            assert value.dtype == pred.grad.dtype == dtype
            assert value.item() == pytest.approx(right.item(), rel=1e-6)
            assert pred.grad.numpy() == pytest.approx(slope.numpy(), rel=1e-6)

    def test_a_model_learns_with_it(self):
        torch = pytest.importorskip("torch")
        cauchy = recipe("torch_loss.py")["torch_loss"](losses.get("mse"), reduction="sum")
        torch.manual_seed(0)
        X = torch.randn(200, 3)
        y = X @ torch.tensor([[1.0], [2.0], [3.0]])
        model = torch.nn.Linear(3, 1)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        for _ in range(200):
            optimizer.zero_grad()
            cauchy(model(X), y).backward()
            optimizer.step()
        assert model.weight.detach().numpy() == pytest.approx(np.array([[1, 2, 3]]), abs=1e-2)

    def test_a_second_derivative_is_refused(self):
        torch = pytest.importorskip("torch")
        mse = recipe("torch_loss.py")["torch_loss"]("mse")
        pred = torch.ones(3, requires_grad=True)
        (slope,) = torch.autograd.grad(mse(pred, torch.zeros(3)), pred, create_graph=True)
        with pytest.raises(RuntimeError, match=r"does not require grad|once_differentiable"):
            slope.sum().backward()


class Labels:
    """As much of a lightgbm.Dataset as an objective looks at."""

    def __init__(self, label, weight=None):
        self.get_label, self.get_weight = lambda: label, lambda: weight


class TestInLightGBM:
    def test_an_objective_is_slope_and_curvature(self):
        objective = recipe("lightgbm_loss.py")["lightgbm_objective"]
        g = np.random.default_rng(0)
        z, y, w = 3 * g.standard_normal(50), (g.uniform(size=50) > 0.5).astype(np.float32), g.uniform(size=50)
        p = 1 / (1 + np.exp(-z))
        slope, curvature = objective("bce_with_logits", floor=1e-6)(z, Labels(y, w))
        assert slope == pytest.approx(w * (p - y), rel=1e-6)
        assert curvature == pytest.approx(np.maximum(w * p * (1 - p), 1e-6), rel=1e-6)
        assert objective("mae")(z, Labels(y))[1].tolist() == [0.1] * 50

    @pytest.mark.parametrize(
        ("loss", "own", "rows"),
        [("bce_with_logits", "binary", lambda y: (y > 1).astype(float)), ("0.5 * mse", "l2", lambda y: y)],
    )
    def test_the_trees_are_those_of_lightgbm_where_it_has_the_loss(self, loss, own, rows):
        lightgbm = pytest.importorskip("lightgbm")
        objective = recipe("lightgbm_loss.py")["lightgbm_objective"]
        g = np.random.default_rng(0)
        X = g.standard_normal((500, 4))
        y = rows(X[:, 0] ** 2 + X[:, 1])

        def trained(objective):
            settings = {
                "verbosity": -1, "seed": 0, "num_threads": 1, "deterministic": True, "boost_from_average": False,
                "objective": objective,
            }  # fmt: skip
            return lightgbm.train(settings, lightgbm.Dataset(X, y), 10).predict(X, raw_score=True)

        assert trained(objective(loss, floor=1e-6)) == pytest.approx(trained(own), abs=1e-6)

    def test_a_robust_loss_learns_through_outliers(self):
        lightgbm = pytest.importorskip("lightgbm")
        objective = recipe("lightgbm_loss.py")["lightgbm_objective"]
        g = np.random.default_rng(0)
        X = g.standard_normal((1000, 2))
        clean = np.sin(2 * X[:, 0])
        y = np.where(g.uniform(size=1000) < 0.1, 50, clean)

        def error(name):
            settings = {"verbosity": -1, "seed": 0, "num_threads": 1, "objective": objective(name)}
            return np.abs(lightgbm.train(settings, lightgbm.Dataset(X, y), 100).predict(X) - clean).mean()

        assert error("huber(delta=0.5)") < 0.2 < 2 < error("mse")
