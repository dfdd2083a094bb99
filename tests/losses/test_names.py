"""Which names there are, and what somebody is told who asks for another."""

import sys

import pytest

from minigrad import loss, losses
from minigrad.engine.errors import PluginError, UnknownLossError
from minigrad.losses.names import FOREIGN, foreign
from tests.losses.own import cubic, plain
from tests.losses.packs import good, install

THE_TWENTY = (
    "mse mae huber smooth_l1 log_cosh quantile poisson_nll gaussian_nll bce_with_logits bce cross_entropy nll kl_div "
    "hinge squared_hinge multi_margin focal margin_ranking triplet_margin cosine_embedding"
).split()


ELSEWHERE = [
    *FOREIGN.items(),
    ("l1_loss", "mae"), ("L1Loss", "mae"), ("mse_loss", "mse"), ("MSELoss", "mse"), ("MeanSquaredError", "mse"),
    ("mean_absolute_error", "mae"), ("HuberLoss", "huber"), ("Huber", "huber"), ("smooth_l1_loss", "smooth_l1"),
    ("SmoothL1Loss", "smooth_l1"), ("logcosh", "log_cosh"), ("LogCosh", "log_cosh"), ("mean_pinball_loss", "quantile"),
    ("poisson_nll_loss", "poisson_nll"), ("Poisson", "poisson_nll"), ("GaussianNLLLoss", "gaussian_nll"),
    ("BCEWithLogitsLoss", "bce_with_logits"), ("BCELoss", "bce"), ("BinaryCrossentropy", "bce"),
    ("CrossEntropyLoss", "cross_entropy"), ("log_loss", "cross_entropy"), ("LogLoss", "cross_entropy"),
    ("CategoricalCrossentropy", "cross_entropy"), ("SparseCategoricalCrossentropy", "cross_entropy"),
    ("nll_loss", "nll"), ("NLLLoss", "nll"), ("KLDivLoss", "kl_div"), ("KLDivergence", "kl_div"),
    ("hinge_loss", "hinge"), ("SquaredHinge", "squared_hinge"), ("MultiMarginLoss", "multi_margin"),
    ("sigmoid_focal_loss", "focal"), ("BinaryFocalCrossentropy", "focal"), ("MarginRankingLoss", "margin_ranking"),
    ("triplet_margin_loss", "triplet_margin"), ("TripletLoss", "triplet_margin"),
    ("CosineEmbeddingLoss", "cosine_embedding"), ("KLLoss", "kl_div"), ("WestonWatkinsLoss", "multi_margin"),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "here"), ELSEWHERE)
def test_a_name_from_elsewhere_is_answered_with_the_name_used_here(asked, here):
    assert foreign(asked, THE_TWENTY) == here


@pytest.mark.parametrize(("asked", "here"), [row for row in ELSEWHERE if row[1] in losses.names("minigrad")])
def test_and_it_does_not_work(asked, here, site):
    with pytest.raises(UnknownLossError, match=f"^no loss called '{asked}'; here it is {here}$"):
        losses.get(asked)


def test_the_table_leads_to_built_in_losses_only():
    assert set(FOREIGN.values()) <= set(THE_TWENTY)
    assert foreign("dice", THE_TWENTY) is None
    assert foreign("loss", THE_TWENTY) is None
    assert foreign("", THE_TWENTY) is None


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ("mse_los", r"no loss called 'mse_los'; did you mean 'mse'\? \d+ losses"),
        ("hubre", r"no loss called 'hubre'; did you mean 'huber'\? \d+ losses are built in, \d+ come from packs"),
        ("banana", r"no loss called 'banana'; \d+ losses are built in, \d+ come from packs"),
        ("", r"no loss called ''; \d+ losses are built in, \d+ come from packs"),
        ("two words", r"no loss called 'two words'; \d+ losses are built in"),
        ("tuky", r"no loss called 'tuky'; did you mean 'robust:tukey' \(minigrad-robust 1.2\)\? \d+ losses are built in, \d+ come from packs"),
        ("robust:tuky", r"no loss called 'robust:tuky'; did you mean 'robust:tukey' \(minigrad-robust 1.2\)\? \d+ losses"),
        ("robust:", r"no loss called 'robust:'; .*\d+ losses are built in"),
        (":tukey", r"no loss called ':tukey'"),
        (":", r"no loss called ':'"),
        ("nopack:mse", r"no loss called 'nopack:mse'; did you mean 'mse'\? there is no pack 'nopack', there are robust$"),
        ("robst:tukey", r"no loss called 'robst:tukey'; did you mean 'robust:tukey' .*\? there is no pack 'robst', did you mean 'robust'\?$"),
        ("os:system", r"no loss called 'os:system'; there is no pack 'os', there are robust$"),
        ("../x.py:f", r"no loss called '../x.py:f'"),
        ("minigrad:nothing", r"no loss called 'minigrad:nothing'"),
        ("here:cubic", r"no loss called 'here:cubic'"),
        ("a\x1b[31m\u202e", r"no loss called 'a\\x1b\[31m\\u202e'"),
        ("[red]", r"no loss called '\[red\]'"),
    ],
)  # fmt: skip
def test_an_unknown_name_is_answered_with_the_nearest_and_what_there_is(asked, text, site):
    install(site, "robust", good("tukey"), version="1.2")
    if "robust" not in asked and asked != "tuky":
        losses.get("robust:tukey")
    with pytest.raises(UnknownLossError, match=f"^{text}"):
        losses.get(asked)


def test_an_unknown_full_name_imports_no_other_pack(site):
    install(site, "robust", good("tukey"))
    install(site, "vision", good("dice"))
    for name in ("robust:dice", "nopack:dice", "os:system"):
        with pytest.raises(UnknownLossError):
            losses.get(name)
    assert "pack_vision" not in sys.modules
    assert losses.names("robust") == ["robust:tukey"]
    assert "pack_vision" not in sys.modules


def test_a_full_name_loads_its_pack_alone_and_a_bare_one_all(site):
    install(site, "robust", good("tukey"))
    install(site, "vision", good("dice"))
    found = losses.get("robust:tukey")
    assert (str(found), found.owner.pack, str(found.owner)) == ("robust:tukey", "robust", "minigrad-robust 1.0")
    assert "pack_vision" not in sys.modules
    assert losses.get("dice") is losses.get("vision:dice")


def test_names_lists_the_built_in_ones_then_those_of_this_process_then_packs_by_name(site, tmp_path):
    for pack in ("vision", "robust"):
        install(site, pack, good(f"of_{pack}"))
    (tmp_path / "scratch.py").write_text(
        "from minigrad import loss\n@loss\ndef late(pred, target):\n    return pred - target\n"
    )
    losses.get("of_vision")
    losses.register(cubic)
    losses.add_file(tmp_path / "scratch.py")
    own = [
        name for name in losses.names() if ":" in name and name.split(":")[0] in ("here", "robust", "scratch", "vision")
    ]
    assert own == ["here:cubic", "robust:of_robust", "scratch:late", "vision:of_vision"]
    assert losses.names()[: len(losses.names("minigrad"))] == losses.names("minigrad")
    assert losses.names("here") == ["here:cubic"]
    assert losses.names("scratch") == ["scratch:late"]


@pytest.mark.parametrize("pack", ["nopack", "", "robst"])
def test_names_of_a_pack_that_is_not_there_are_refused(pack, site):
    install(site, "robust", good("tukey"))
    with pytest.raises(UnknownLossError):
        losses.names(pack)


def test_names_of_a_broken_pack_raise_what_is_wrong_with_it(site):
    install(site, "bad", "1 / 0")
    with pytest.raises(PluginError, match="the pack 'bad'"):
        losses.names("bad")
    assert "mse" in losses.names()


def test_the_built_in_losses_come_through_the_hook_and_know_their_owner():
    assert losses.get("minigrad:mse") is losses.get("mse")
    assert {losses.get(name).owner.pack for name in losses.names("minigrad")} == {"minigrad"}
    assert str(losses.get("mse")) == "mse"


@pytest.mark.parametrize("what", [3, None, 2.5, b"mse", ["mse"], plain, dict], ids=lambda what: type(what).__name__)
@pytest.mark.parametrize("function", [losses.get, losses.register])
def test_what_is_neither_a_name_nor_a_loss_is_refused(what, function):
    cure = "put @loss above it" if callable(what) else r"write losses.get\('mse'\), or @loss above a function"
    with pytest.raises(TypeError, match=f"losses.{function.__name__}: expected a .*, got .*; {cure}"):
        function(what)


def test_a_loss_is_equal_to_no_other_thing_and_a_notebook_shows_it_escaped():
    @loss
    def bold(pred, target):
        """<script>alert(1)</script> & [red]."""
        return pred - target

    assert losses.get("mse") != "mse"
    assert losses.get("mse") == losses.get("minigrad:mse")
    assert "<script>" not in bold._repr_html_()
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; [red]" in bold._repr_html_()


def test_a_loss_is_returned_as_it_is():
    assert losses.get(cubic) is cubic
    assert losses.get("huber", delta=2) == losses.get("huber").with_(delta=2) == losses.get("huber(delta=2)")
    assert losses.get("huber(delta=1)", delta=2) == losses.get("huber", delta=2)
