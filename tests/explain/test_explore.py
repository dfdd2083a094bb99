"""The page of `explore`: its numbers are Python's, it needs nothing else, and it is the template but for one block."""

import html
import json
import re
import webbrowser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from minigrad import MLP, Linear, Tensor, cli, data, loss, losses, nn
from minigrad.engine.errors import CheckpointError
from minigrad.explain import example, explore, gradient_norms, page
from minigrad.explain.looks import looks
from tests.explain.pages import NAMESPACE, PAGES, Elements, blobs, diabetes, moons, plain
from tests.losses.packs import good, install

LIMIT = 1_000_000


# --- form -------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", PAGES)
class TestEveryPage:
    def test_is_whole(self, name):
        seen = Elements(PAGES[name]())
        assert seen.open == []
        assert len(seen.ids) == len(set(seen.ids))
        assert [tag for tag, _ in seen.seen if tag in ("html", "head", "body", "main", "title")] == [
            "html",
            "head",
            "title",
            "body",
            "main",
        ]

    def test_fetches_nothing(self, name):
        text = PAGES[name]()
        code = text.replace(text.partition(page.START)[2].partition(page.END)[0], "")
        assert re.findall(r"[a-z]+://[^\s\"'<]+", code) == [NAMESPACE]
        assert re.findall(r"\b(?:src|href|srcset|action)\s*=", code) == []
        assert not re.search(
            r"@import|url\(|\bfetch\(|XMLHttpRequest|WebSocket|import\(|eval\(|innerHTML|document\.write", code
        )
        policy = dict(next(a for tag, a in Elements(text).seen if tag == "meta" and a.get("http-equiv")))["content"]
        assert policy.startswith("default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'")

    def test_is_the_template_but_for_one_block(self, name):
        template = page.TEMPLATE.read_text(encoding="utf-8")
        parts = [(text.partition(page.START)[0], text.partition(page.END)[2]) for text in (PAGES[name](), template)]
        assert parts[0] == parts[1]
        assert PAGES[name]().count(page.START) == PAGES[name]().count(page.END) == 1

    def test_stays_small(self, name):
        assert len(PAGES[name]().encode()) < LIMIT

    def test_says_in_words_what_it_draws(self, name):
        text = PAGES[name]()
        inside = text.partition("<noscript><pre>")[2].partition("</pre></noscript>")[0]
        said = html.unescape(inside)
        shown = page.data_of(text)
        assert said.count("trace  ") == len(shown["losses"])
        assert max(map(len, said.splitlines())) <= 80
        assert 'aria-live="polite"' in text
        assert '<html lang="en">' in text
        assert "prefers-color-scheme: dark" in text


def test_at_most_300_lines_of_javascript_draw_everything():
    scripts = re.findall(r"<script>\n(.*?)</script>", page.TEMPLATE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(scripts) == 1
    assert len(scripts[0].splitlines()) <= 300


def test_the_data_on_a_page_are_the_record_and_cannot_end_their_element():
    _, record = diabetes()
    assert page.data_of(record.html) == record.to_dict() == json.loads(json.dumps(record.to_dict(), allow_nan=False))
    assert record.data["title"] == "Diabetes </script><b>&amp; more"
    assert "</script><b>" not in record.html
    assert record.html.count("</script>") == 2


def test_the_same_input_gives_the_same_bytes():
    shown, record = moons(n=40)
    again = example.moons(n=40)
    same = explore(again.model, again.losses, again.X, again.y, snapshots=again.snapshots, sample=again.ringed,
                   ringed=again.ringed, title=again.title)  # fmt: skip
    assert shown.title == again.title
    assert same.html == record.html


def test_a_full_page_of_six_losses_stays_below_a_megabyte():
    X, y = data.moons(200, noise=0.1, rng=0)
    model = MLP(2, 16, 16, 1, activation="tanh", rng=0)
    six = ["bce_with_logits", example.half_mse_sigmoid, "hinge", "focal", "squared_hinge", "focal(gamma=1.0)"]
    text = explore(model, six, X, y, snapshots=[(k, model.state_dict()) for k in range(12)]).html
    assert len(text.encode()) < LIMIT
    X, y = data.blobs(200, rng=0)
    model = MLP(2, 16, 16, 3, rng=0)
    three = [
        "cross_entropy",
        example.mse_on_softmax,
        "multi_margin",
        "cross_entropy(label_smoothing=0.1)",
        "multi_margin(p=2)",
        "multi_margin(margin=2.0)",
    ]
    text = explore(model, three, X, y, snapshots=[(k, model.state_dict()) for k in range(12)]).html
    assert len(text.encode()) < LIMIT


def test_a_loss_looks_on_the_page_as_in_figures():
    _, record = moons(n=40)
    names = [each["name"] for each in record.data["losses"]]
    assert [(each["colour"], each["line"]) for each in record.data["losses"]] == [
        look[:2] for look in looks(names).values()
    ]


# --- numbers ----------------------------------------------------------------------------------------------------------
def by_autograd(model, each, x, y, i):
    """Gradient lengths of one sample from the loss to the input, by backward passes from every module."""
    wide = MLP(*[layer.weight.shape[0] for layer in model.layers if isinstance(layer, Linear)], model.layers[-1].weight.shape[1],
               activation=type(model.layers[1]).__name__.lower(), rng=0, dtype=np.float64)  # fmt: skip
    wide.load_state_dict({path: array.astype(float) for path, array in model.state_dict().items()})
    states = [Tensor(x[[i]].astype(float))]
    for module in wide.layers:
        states.append(Tensor(module(states[-1]).data))
    target = losses.align(each, y, states[-1].shape[1:], float)[[i]]
    found = []
    for k in range(len(wide.layers), -1, -1):
        start = Tensor(states[k].data, requires_grad=True)
        out = start
        for module in wide.layers[k:]:
            out = module(out)
        each(out, target, reduction="sum").backward()
        found.append(float(np.linalg.norm(start.grad.data)))
    return found


@pytest.mark.parametrize("make", [moons, blobs, diabetes])
def test_the_lengths_that_the_page_multiplies_are_those_of_autograd(make):
    shown, record = make()
    data_ = record.data
    exact = 1e-9
    for s, (step, state) in enumerate(shown.snapshots[::4]):
        shot = [each["step"] for each in data_["snapshots"]].index(step)
        shown.model.load_state_dict(state)
        for point in range(0, len(data_["points"]["index"]), 13):
            for k, each in enumerate(shown.losses):
                own = by_autograd(shown.model, each, shown.X, shown.y, data_["points"]["index"][point])
                assert page.ways(data_, shot, point, k) == pytest.approx(own, rel=exact, abs=1e-12), s
    shown.model.load_state_dict(shown.snapshots[-1][1])


def test_with_one_output_the_lines_of_two_losses_are_parallel_everywhere():
    _, record = moons()
    data_ = record.data
    for s in range(len(data_["snapshots"])):
        for point in range(len(data_["points"]["index"])):
            lines = [np.array(page.ways(data_, s, point, k)) for k in range(4)]
            for line in lines[1:]:
                if lines[0][0] > 0 and line[0] > 0 and lines[0][-1] > 0:
                    assert line / lines[0] == pytest.approx(line[0] / lines[0][0], rel=1e-9)


def test_the_shares_of_the_page_are_those_of_per_sample_gradient_norms():
    shown, record = moons()
    data_ = record.data
    shown.model.load_state_dict(shown.snapshots[3][1])
    shot = data_["snapshots"][3]
    for k, each in enumerate(shown.losses):
        norms = gradient_norms(shown.model, each, shown.X, shown.y)
        for place, name in enumerate(["linear 3", "linear 2", "linear 1"]):
            arrives = [page.ways(data_, 3, j, k)[data_["parameters"][place]] for j in range(200)]
            own = [a * reach[place] for a, reach in zip(arrives, shot["reach"], strict=True)]
            assert own == pytest.approx(norms[name].tolist(), rel=1e-9, abs=1e-300)
            assert shot["total"][k][place] == pytest.approx(norms[name].sum(), rel=1e-9)
    shown.model.load_state_dict(shown.snapshots[-1][1])


# --- what is seen first -----------------------------------------------------------------------------------------------
def test_rows_of_labels_are_shown_as_labels():
    labels = np.array([2, 0, 1])
    record = explore(MLP(2, 4, 3, rng=0), ["cross_entropy"], np.arange(6.0).reshape(3, 2), np.eye(3)[labels])
    assert record.data["points"]["y"] == [2, 0, 1]
    assert record.data["kind"] == "many"


@pytest.mark.parametrize("rng", [0, 1, 2, *(pytest.param(k, marks=pytest.mark.slow) for k in range(3, 10))])
def test_the_first_sentence_is_about_a_mislabelled_point_that_is_surely_wrong(rng):
    shown, record = moons(rng)
    first = record.data["first"]
    i = record.data["points"]["index"][first["point"]]
    assert i == shown.ringed
    apart = np.linalg.norm(shown.X[:, None] - shown.X[shown.y == 1], axis=-1)
    zero = [j for j in range(200) if shown.y[j] == 0]
    others = np.array(
        [[d for d, one in zip(apart[j], np.flatnonzero(shown.y == 1), strict=True) if one != i] for j in [*zero, i]]
    ).min(1)
    assert others.argmax() == len(zero)  # of class 0 it was the farthest from class 1
    state = shown.snapshots[first["snapshot"]][1]
    shown.model.load_state_dict(state)
    z = float(shown.model(shown.X[[i]]).item())
    p = 1 / (1 + np.exp(-z))
    assert 0.002 < p < 0.1
    found = re.fullmatch(
        r"Same network, same point: cross-entropy sends (\S+), squared error (\S+), (\S+) times less at every layer\.",
        record.sentence,
    )
    sent, less, ratio = map(float, found.groups())
    assert sent == pytest.approx(1 - p, abs=0.006)
    assert less == pytest.approx(p * (1 - p) ** 2, rel=0.06)
    assert ratio == pytest.approx(1 / (p * (1 - p)), rel=0.06)
    assert 8 <= ratio <= 800
    earlier = []
    for _, other in shown.snapshots:
        shown.model.load_state_dict(other)
        earlier.append(float(shown.model(shown.X[[i]]).item()))
    assert z == min(earlier)


def test_the_first_picture_of_the_readme_is_the_first_state_of_the_page_and_says_its_sentence():
    root = Path(__file__).parents[2]
    said, place, below = re.search(
        r"^!\[(.*)\]\((.*)\)\n\n\*(.*)\*$", (root / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    ).groups()
    assert said == moons()[1].sentence
    assert below == "`minigrad explore` makes this page; `python docs/pictures.py` makes the picture."
    with Image.open(root / place) as picture:
        assert picture.text["Description"] == said
        assert picture.width == 1800


def test_there_are_twelve_snapshots_of_a_training_that_learns_the_moons():
    shown, record = moons()
    steps = [each["step"] for each in record.data["snapshots"]]
    assert len(steps) == 12
    assert (steps[0], steps[-1]) == (0, 60 * 7)
    shown.model.load_state_dict(shown.snapshots[-1][1])
    assert np.mean((shown.model(shown.X).data.ravel() > 0) == (shown.y == 1)) > 0.97


@pytest.mark.parametrize(
    ("on", "said"),
    [
        ([True, False, False, False], r"cross-entropy sends \S+; \S+ arrives at the input\."),
        ([False, True, True, False], r"Same network, same point: squared error sends \S+, hinge \S+, \S+ times more at every layer\."),
        ([False] * 4, r"No loss is switched on\."),
    ],
)  # fmt: skip
def test_the_sentence_is_about_the_first_two_losses_that_are_switched_on(on, said):
    _, record = moons()
    first = record.data["first"]
    assert re.fullmatch(said, page.sentence(record.data, first["snapshot"], first["point"], on))


def test_a_loss_that_sends_nothing_is_said():
    _, record = moons()
    last = record.data["snapshots"][-1]
    silent = next(j for j, delta in enumerate(last["delta"]) if delta[2] == 0)
    said = page.sentence(record.data, 11, silent, [True, False, True, False])
    assert re.fullmatch(r"Same network, same point: cross-entropy sends \S+, hinge sends nothing\.", said)


def test_with_several_outputs_the_sentence_speaks_of_the_last_layer_and_the_first():
    assert re.fullmatch(
        r"Same network, same point: cross-entropy sends \S+, mse_on_softmax \S+, \S+ times (less|more) at the last layer, \S+ times (less|more) at the first\.",
        blobs()[1].sentence,
    )


def test_the_same_is_said_of_equal_losses():
    model = MLP(2, 4, 1, rng=0)
    record = explore(model, ["bce_with_logits", "focal(gamma=0.0)"], np.eye(2), [0, 1])
    assert record.sentence.endswith("as much at every layer.")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.98, "0.98"), (0.0217, "0.022"), (1, "1"), (1.104, "1.1"), (43.7, "44"), (99.4, "99"), (99.5, "100"), (289.2, "289"),
     (73597, "73597"), (1e5, "1.0e5"), (0.00094, "9.4e-4"), (1.23e-12, "1.2e-12")],
)  # fmt: skip
def test_a_size_has_two_digits(value, text):
    assert page.digits(value) == text


def test_the_picture_in_the_readme_is_described_by_the_sentence_of_the_page():
    from tests.test_readme import TEXT

    found = re.search(r"!\[([^\]]*)\]\(docs/explore\.png\)", TEXT)
    if found is None:
        pytest.skip("the README shows another picture")
    assert moons()[1].sentence in found[1]


# --- which samples ----------------------------------------------------------------------------------------------------
def test_samples_of_more_features_are_a_list_of_the_thirty_loudest():
    shown, record = diabetes()
    points = record.data["points"]
    assert points["x"] is None
    assert len(points["index"]) == 30
    assert record.data["samples"] == len(shown.X) == 309
    assert record.data["bounds"] is None
    shown.model.load_state_dict(shown.snapshots[record.data["first"]["snapshot"]][1])
    sizes = np.abs(shown.model(shown.X).data.ravel() - shown.y)
    assert set(np.argsort(-sizes)[:28]) <= set(points["index"])


def test_of_a_large_scatter_three_hundred_points_are_kept_and_the_chosen_ones_among_them():
    X, y = data.moons(900, rng=0)
    record = explore(MLP(2, 4, 1, rng=0), ["bce_with_logits"], X, y, sample=7, ringed=8)
    assert len(record.data["points"]["index"]) == 300
    assert record.data["points"]["index"][record.data["first"]["point"]] == 7
    assert record.data["points"]["index"][record.data["points"]["ringed"]] == 8


def test_the_map_behind_the_points_is_the_score_of_the_model():
    shown, record = moons(n=40)
    field, (left, right), (bottom, top) = record.data["snapshots"][-1]["field"], *record.data["bounds"]
    assert len(field) == 48 * 48
    shown.model.load_state_dict(shown.snapshots[-1][1])
    for row, column in ((0, 0), (5, 30), (47, 47), (20, 3)):
        place = [left + column / 47 * (right - left), top - row / 47 * (top - bottom)]
        z = np.clip(shown.model(np.array([place], np.float32)).item(), -6, 6)
        assert "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz".index(
            field[48 * row + column]
        ) == pytest.approx((z + 6) / 12 * 61, abs=0.51)


def test_a_model_that_is_no_chain_is_one_step():
    class Residual(nn.Module):
        def __init__(self):
            self.inner, self.last = Linear(2, 2, rng=0), Linear(2, 1, rng=1)

        def forward(self, x):
            return self.last(x + np.tanh(self.inner(x)))

    record = explore(Residual(), ["bce_with_logits"], np.eye(2), [0, 1])
    assert [row["name"] for row in record.data["rows"]] == ["residual 1"]


def test_looking_changes_nothing():
    model = MLP(2, 4, 1, rng=0)
    other = MLP(2, 4, 1, rng=1)
    before = model.state_dict()
    explore(model, ["bce_with_logits"], np.eye(2), [0, 1], snapshots=[(0, model.state_dict()), (1, other.state_dict())])
    assert all((model.state_dict()[path] == array).all() for path, array in before.items())
    assert all(p.grad is None for p in model.parameters())
    assert model.training


@pytest.mark.parametrize(
    ("given", "error", "said"),
    [
        ({"losses": []}, ValueError, r'explore: expected losses, got none; explore\(model, \["bce_with_logits", "hinge"\], x, y\)'),
        ({"losses": ["bce_with_logits", "mse"]}, ValueError, "explore: expected losses that read the same outputs, got bce_with_logits"),
        ({"model": 1}, TypeError, "explore: expected a Module, got 1"),
        ({"sample": 5}, IndexError, 'explore: expected sample "worst" or an index below 2, got 5'),
        ({"snapshots": [(0, {})]}, CheckpointError, "MLP.load_state_dict: expected 4 arrays that fit, got: layers.0.weight is missing"),
    ],
)  # fmt: skip
def test_what_cannot_be_explored_is_said(given, error, said):
    given = {"model": MLP(2, 4, 1, rng=0), "losses": ["bce_with_logits"], "x": np.eye(2), "y": [0, 1]} | given
    before = given["model"].state_dict() if isinstance(given["model"], nn.Module) else {}
    with pytest.raises(error, match=said):
        explore(given.pop("model"), given.pop("losses"), given.pop("x"), given.pop("y"), **given)
    assert isinstance(before, dict)


def test_a_state_that_does_not_fit_leaves_the_model_as_it_was():
    model = MLP(2, 4, 1, rng=0)
    before = model.state_dict()
    with pytest.raises(CheckpointError):
        explore(model, ["bce_with_logits"], np.eye(2), [0, 1], snapshots=[(0, MLP(2, 5, 1, rng=0).state_dict())])
    assert all((model.state_dict()[path] == array).all() for path, array in before.items())


def test_a_page_is_written_where_it_is_wanted(tmp_path):
    record = explore(MLP(2, 4, 1, rng=0), ["bce_with_logits", "hinge"], np.eye(2), [0, 1], out=tmp_path / "here.html")
    assert (tmp_path / "here.html").read_text(encoding="utf-8") == record.html == plain().html
    assert str(record) == record.sentence


# --- the command ------------------------------------------------------------------------------------------------------
@pytest.fixture
def no_browser(monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    return opened


def test_the_command_writes_the_page_and_opens_nothing(tmp_path, no_browser, capsys):
    out = tmp_path / "page.html"
    assert cli.main(["explore", "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == moons()[1].html
    assert no_browser == []
    said = capsys.readouterr().out
    assert moons()[1].sentence in said
    assert f"Written: {out}" in said


def test_without_a_file_it_opens_the_page_in_a_browser(tmp_path, no_browser, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(example, "moons", lambda *, rng, real=example.moons: real(n=40, rng=rng))
    assert cli.main(["explore"]) == 0
    assert len(no_browser) == 1
    assert no_browser[0].startswith("file://")
    written = next(tmp_path.glob("minigrad-*/explore.html"))
    assert written.as_uri() == no_browser[0]


LATE = """
import numpy as np
from minigrad import loss
@loss
def late(pred, target):
    return np.abs(pred - target) ** 3
@loss(pred="logit", target="binary")
def shy(pred, target):
    return (1 - 2 * target) * np.tanh(pred)
"""


def test_the_losses_of_a_readers_file_and_of_a_pack_join(tmp_path, monkeypatch, capsys):
    (tmp_path / "late.py").write_text(LATE, encoding="utf-8")
    install(tmp_path / "site", "own", good("own_cubic"))
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setattr(example, "moons", lambda *, rng, real=example.moons: real(n=40, rng=rng))
    out = tmp_path / "page.html"
    with losses.isolated():
        assert (
            cli.main(["explore", str(tmp_path / "late.py"), "own:own_cubic", "squared_hinge", "--out", str(out)]) == 0
        )
    names = [each["name"] for each in page.data_of(out.read_text(encoding="utf-8"))["losses"]]
    assert names == [
        "bce_with_logits",
        "half_mse_sigmoid",
        "hinge",
        "focal",
        "late_on_sigmoid",
        "late:shy",
        "own_cubic_on_sigmoid",
        "squared_hinge",
    ]
    said = " ".join(capsys.readouterr().out.split())
    assert "late:late reads probabilities here: late_on_sigmoid." in said


@pytest.mark.parametrize(
    ("words", "names"),
    [(["--data", "diabetes", "log_cosh"], ["mse", "mae", "huber", "log_cosh"]), (["--data", "breast_cancer"], ["bce_with_logits", "half_mse_sigmoid", "hinge", "focal"]),
     (["--data", "digits", "mae"], ["cross_entropy", "mse_on_softmax", "multi_margin", "mae_on_softmax"])],
)  # fmt: skip
def test_other_data_come_with_losses_of_their_own(words, names, tmp_path, capsys):
    out = tmp_path / "page.html"
    assert cli.main(["explore", *words, "--out", str(out)]) == 0
    assert [each["name"] for each in page.data_of(out.read_text(encoding="utf-8"))["losses"]] == names


@pytest.mark.parametrize(("column", "first"), [("label", "cross_entropy"), ("price", "mse")])
def test_a_readers_table_is_explored(column, first, tmp_path, capsys):
    g = np.random.default_rng(0)
    lines = [f"{a:.3f},{b:.3f},{k % 3},{a + b:.4f}" for k, (a, b) in enumerate(g.standard_normal((60, 2)))]
    (tmp_path / "t.csv").write_text("\n".join(["a,b,label,price", *lines]), encoding="utf-8")
    other = "price" if column == "label" else "label"
    out = tmp_path / "page.html"
    assert (
        cli.main(["explore", "--data", str(tmp_path / "t.csv"), "--target", column, "--drop", other, "--out", str(out)])
        == 0
    )
    found = page.data_of(out.read_text(encoding="utf-8"))
    assert found["losses"][0]["name"] == first
    assert found["points"]["x"] is not None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hinje"], "no loss called 'hinje'; did you mean 'hinge'?"),
        (["--out", "/nowhere/at/all.html"], "explore: expected --out in a folder that exists, got '/nowhere/at/all.html'; make '/nowhere/at'"),
        (["--data", "prices.csv"], "explore: expected --target, the column of prices.csv to predict; --target price"),
        (["--rng", "-1"], "explore: expected --rng ≥ 0, got -1"),
        (["cross_entropy"], "explore: expected losses that read the same outputs"),
        (["missing.py"], "missing.py"),
    ],
)  # fmt: skip
def test_bad_input_is_one_paragraph(words, said, tmp_path, monkeypatch, capsys, no_browser):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["explore", *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert "Traceback" not in captured.err
    assert no_browser == []
    assert list(tmp_path.iterdir()) == []


def test_a_loss_on_numbers_reads_the_probabilities_of_scores():
    @loss
    def cubic(pred, target, *, scale=2.0):
        return scale * np.abs(pred - target) ** 3

    made = example.on_link(cubic, losses.get("bce_with_logits"))
    z = np.array([[0.3], [-2.0]])
    p = 1 / (1 + np.exp(-z))
    value, slope = made.value_and_grad(z, np.array([[1.0], [0.0]]), reduction="none")
    assert value == pytest.approx(2 * np.abs(p - [[1], [0]]) ** 3)
    assert slope == pytest.approx(6 * (p - [[1], [0]]) * np.abs(p - [[1], [0]]) * p * (1 - p))
    rows = example.on_link(losses.get("mse"), losses.get("cross_entropy"))
    value, _ = rows.value_and_grad(np.array([[0.0, 1.0, 2.0]]), np.array([2]), reduction="none")
    e = np.exp([0.0, 1.0, 2.0]) / np.exp([0.0, 1.0, 2.0]).sum()
    assert value == pytest.approx(((e - [0, 0, 1]) ** 2).sum())
    assert example.on_link(losses.get("hinge"), losses.get("bce_with_logits")) is losses.get("hinge")
