"""How a loss is found: by name, by text, in packs and files, in this process; and how one travels to another."""

import asyncio
import copy
import os
import pickle
import re
import subprocess
import sys
import textwrap
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from minigrad import Tensor, loss, losses
from minigrad.engine.errors import DomainError, PluginError, UnknownLossError
from minigrad.losses import lookup
from minigrad.losses.names import FOREIGN, foreign
from tests.losses.packs import good, install

THE_TWENTY = (
    "mse mae huber smooth_l1 log_cosh quantile poisson_nll gaussian_nll bce_with_logits bce cross_entropy nll kl_div "
    "hinge squared_hinge multi_margin focal margin_ranking triplet_margin cosine_embedding"
).split()


@loss
def cubic(pred, target):
    return np.abs(pred - target) ** 3


@loss
def odd(pred, target, *, scale=1.0, mode="a:b", table=None, limits=(0.0, 1.0)):
    """Parameters of every sort, none with a constraint."""
    return np.abs(pred - target) * scale


halves = (0.5 * cubic + 0.5 * losses.get("mae")).named("halves")
plain = cubic.function


# --- names ------------------------------------------------------------------------------------------------------------
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
    ("CosineEmbeddingLoss", "cosine_embedding"),
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
        ("nopack:mse", r"no loss called 'nopack:mse'; did you mean 'mse'\? .*; there is no pack 'nopack'$"),
        ("robst:tukey", r"no loss called 'robst:tukey'; .*; there is no pack 'robst', did you mean 'robust'\?$"),
        ("os:system", r"no loss called 'os:system'; .*; there is no pack 'os'"),
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


@pytest.mark.parametrize("what", [3, None, 2.5, b"mse", ["mse"], plain, dict], ids=repr)
@pytest.mark.parametrize("function", [losses.get, losses.register])
def test_what_is_neither_a_name_nor_a_loss_is_refused(what, function):
    with pytest.raises(TypeError, match=f"losses.{function.__name__}: expected a .*, got .*; put @loss above"):
        function(what)


def test_a_loss_is_returned_as_it_is():
    assert losses.get(cubic) is cubic
    assert losses.get("huber", delta=2) == losses.get("huber").with_(delta=2) == losses.get("huber(delta=2)")
    assert losses.get("huber(delta=1)", delta=2) == losses.get("huber", delta=2)


# --- texts ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        "mse", "huber(delta=2)", "huber(delta=2.0)", "huber(delta=0.30000000000000004)", "huber(delta=1e-05)",
        "huber(delta=1.7976931348623157e+100)", "huber(delta=5e-324)", "cross_entropy(label_smoothing=0.1)",
        "huber(delta=2, reduction='sum')", "mse(reduction='weighted_mean')",
        "cross_entropy(class_weight=[1.0, 2.0])", "bce_with_logits(pos_weight=[1.0, 3.5])",
        "0.7 * mse + 0.3 * mae", "0.1 * mse", "-0.3 * mae", "0.7 * mse + -0.3 * mae", "mse + mae", "1e-05 * mse + mae",
        "0.30000000000000004 * mse", "2 * (0.5 * mse + 0.5 * huber(delta=2))", "mse + mae + huber",
        "(0.7 * mse + 0.3 * mae)(reduction='sum')", "2 * (0.5 * mse + -0.5 * (mae + 1e-05 * huber(delta=3)))",
        "here:cubic", "0.5 * here:cubic + 0.5 * mse", "here:odd(scale=-1.5)", "here:odd(mode='x')", "here:odd(mode='a:b')",
        "here:odd(mode='it\\'s \"x\" {y:z} + 2 * here:cubic')", "here:odd(mode=None)", "here:odd(scale=[1.0, -2.5])",
        "here:odd(table={'a:b': [1, 2], -1: (3,)})", "here:odd(limits=(-1e-05, inf))", "here:odd(scale=-inf)",
        "here:odd(scale=True, mode='\\x1b[31m')", "robust-2.x:tukey", "0.5 * robust-2.x:tukey + -0.5 * 01_first:late",
    ],
)  # fmt: skip
def test_the_text_of_a_loss_leads_back_to_it(text, site, tmp_path):
    losses.register(cubic)
    losses.register(odd)
    install(site, "robust-2.x", good("tukey"), module="pack_robust")
    (tmp_path / "01_first.py").write_text(
        "from minigrad import loss\n@loss\ndef late(pred, target):\n    return abs(pred - target)\n"
    )
    losses.add_file(tmp_path / "01_first.py")
    found = losses.get(text)
    again = losses.get(str(found))
    assert again == found
    assert str(again) == str(found)
    assert again.given.keys() == found.given.keys()
    assert found([3.0, 0.5], [1.0, 1.0]).data == again([3.0, 0.5], [1.0, 1.0]).data if found.pred == "real" else True


def test_floats_are_kept_to_the_last_bit():
    for delta in np.random.default_rng(0).lognormal(0, 30, 200):
        found = losses.get(str(losses.get("huber", delta=float(delta))))
        assert found.given["delta"] == delta
        assert losses.get(str(float(delta) * losses.get("mse"))).parts[0][0] == delta


def test_a_loss_that_holds_a_tensor_says_that_it_has_no_text(site):
    losses.register(odd)
    learned = losses.get("odd", scale=Tensor(2.0, requires_grad=True))
    with pytest.raises(ValueError, match="is no literal"):
        losses.get(str(learned))


FORM = "write a name, name(parameter=literal), or a sum such as 0.7 * mse + 0.3 * mae"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("huber(delta=__import__('os'))", "__import__('os') is no literal"),
        ("huber(delta=open('/etc/passwd'))", "is no literal"),
        ("huber(delta=mse)", "mse is no literal"),
        ("huber(delta=1 + 1)", "1 + 1 is no literal"),
        ("huber(delta=f'{1}')", "is no literal"),
        ("huber(delta=(lambda: 1)())", "is no literal"),
        ("huber(delta=[x for x in (1,)])", "is no literal"),
        ("huber(delta=1", "'(' was never closed"),
        ("huber(delta=", "'(' was never closed"),
        ("huber)", "unmatched ')'"),
        ("huber(2)", "parameters are given by name, huber(parameter=literal)"),
        ("huber(*[2])", "parameters are given by name"),
        ("huber(**{'delta': 2})", "each parameter is given once, by name"),
        ("huber(delta=1, delta=2)", "each parameter is given once, by name"),
        ("huber(delta=2)(delta=3)", "huber(delta=2)(delta=3) is neither a name nor a sum of losses"),
        ("huber()()", "huber()() is neither a name nor a sum of losses"),
        ("mse.function()", "is neither a name nor a sum of losses"),
        ("(lambda: 1)()", "is neither a name nor a sum of losses"),
        ("mse - mae", "mse - mae is neither a name nor a sum of losses"),
        ("mse * 0.5", "mse is no literal"),
        ("mse * mae", "mse is no literal"),
        ("'a' * mse", "'a' is no number"),
        ("True * mse", "True is no number"),
        ("[1] * mse", "[1] is no number"),
        ("0.5 * 3 * mse", "0.5 * 3 is no literal"),
        ("3 + mse", "3 is neither a name nor a sum of losses"),
        ("mse = 3", "invalid syntax"),
        ("(x := 3)", "is neither a name nor a sum of losses"),
        ("mse\n+ mae\n", "invalid syntax"),
        ("mse + \x00", "null bytes"),
        ("\ud800 + mse", ""),
        ("x" * 10_240, "it is longer than 8000 characters"),
        ("mse + " * 2_000 + "mse", "it is longer than 8000 characters"),
        ("(" * 4_000 + "mse" + ")" * 3_000, ""),
        ("huber(delta=" + "-" * 7_000 + "1)", ""),
        ("huber(delta=" + "[" * 3_000 + "]" * 3_000 + ")", ""),
    ],
    ids=lambda value: f"{value:.25}",
)  # fmt: skip
def test_a_text_of_another_form_is_refused_and_nothing_is_evaluated(text, why):
    with pytest.raises(ValueError, match=r"^losses\.get: expected the text of a loss, got ") as caught:
        losses.get(text)
    assert type(caught.value) is ValueError
    assert why in str(caught.value)
    assert str(caught.value).endswith(FORM)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_a_sum_too_long_for_python_is_refused_and_a_long_one_is_read():
    assert losses.get("mse + " * 50 + "mse").text.count("mse") == 51
    with pytest.raises(ValueError, match="expected the text of a loss"):
        losses.get("mse + " * 1_300 + "mse")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("huber(detla=1)", TypeError, "^huber: no parameter 'detla'; did you mean 'delta'\\?$"),
        ("0.5 * huber(detla=1) + mse", TypeError, "did you mean 'delta'"),
        ("huber(delta=-1)", DomainError, "^huber: expected delta > 0, got -1"),
        ("huber(delta=nan)", DomainError, "^huber: expected delta > 0, got nan"),
        ("huber(delta='1')", TypeError, "huber: expected a number for delta"),
        ("huber(reduction='avg')", ValueError, "^huber: expected reduction .* got 'avg'; did you mean"),
        ("huber(reduction=['sum'])", ValueError, "expected reduction"),
        ("hubre(delta=1)", UnknownLossError, "did you mean 'huber'"),
        ("0.5 * mse + 0.5 * l1_loss", UnknownLossError, "no loss called 'l1_loss'; here it is mae"),
        ("nopack:mse + mse", UnknownLossError, "there is no pack 'nopack'"),
        ("inf * mse", DomainError, "expected a finite factor, got inf"),
        ("1e999 * mse", DomainError, "expected a finite factor, got inf"),
        ("mse + cross_entropy", ValueError, "^a sum of losses: expected parts of the same kinds"),
    ],
)
def test_what_a_text_says_is_checked_as_in_a_call(text, error, message, site):
    with pytest.raises(error, match=message):
        losses.get(text)


# --- this process -----------------------------------------------------------------------------------------------------
def test_registering_gives_a_name_and_unregistering_takes_it_back(site):
    with pytest.raises(UnknownLossError):
        losses.get("cubic")
    assert losses.register(cubic) is cubic
    assert losses.get("cubic") is losses.get("here:cubic")
    assert str(losses.get("cubic")) == "here:cubic"
    losses.unregister("cubic")
    with pytest.raises(UnknownLossError):
        losses.get("cubic")
    with pytest.raises(UnknownLossError, match=r"losses\.unregister: no loss called 'cubic' was registered here"):
        losses.unregister("cubic")


def test_registering_a_name_again_replaces_it(site):
    losses.register(cubic)
    losses.register(odd.named("cubic"))
    assert losses.get("cubic")([3.0], [1.0]).item() == 2
    assert losses.names("here") == ["here:cubic"]
    losses.unregister("here:cubic")
    assert losses.names("here") == []


def test_a_name_of_this_process_comes_before_files_and_packs_and_loads_none(site):
    install(site, "robust", good("cubic"))
    losses.register(odd.named("cubic"))
    assert losses.get("cubic").full_name == "here:cubic"
    assert "pack_robust" not in sys.modules
    assert losses.get("robust:cubic")([3.0], [1.0]).item() == 8


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (lambda: cubic.named("mse"), "losses.register: expected a free name, got 'mse', which is built in; rename it"),
        (lambda: 0.5 * cubic + cubic, "got '0.5 \\* cubic \\+ cubic' .*; give the sum one with .named"),
        (lambda: cubic.named("a b"), "losses.register: expected a name of up to 40 letters, digits and _, got 'a b'"),
        (lambda: cubic.named("x" * 50), "up to 40 letters"),
        (lambda: cubic.named(""), "up to 40 letters"),
    ],
)
def test_a_name_that_cannot_be_had_is_refused_and_what_was_there_stays(made, message, site):
    losses.register(odd)
    with pytest.raises(PluginError, match=message):
        losses.register(made())
    assert losses.names("here") == ["here:odd"]
    assert losses.get("odd").name == "odd"
    assert losses.get("mse")([3.0], [1.0]).item() == 4


def test_a_registered_sum_and_a_bound_loss_keep_what_they_are(site):
    losses.register(halves)
    losses.register(odd.with_(scale=3.0).named("triple"))
    assert losses.get("halves")([3.0], [1.0]).item() == 5
    assert losses.get(str(losses.get("triple"))).given["scale"] == 3


def test_loss_alone_registers_nothing(site):
    loss(plain)
    with pytest.raises(UnknownLossError):
        losses.get("cubic")


# --- isolated() -------------------------------------------------------------------------------------------------------
def test_an_isolated_block_takes_everything_back_after_an_exception_too(site, tmp_path):
    install(site, "robust", good("tukey"))
    losses.register(odd)

    def block():
        with losses.isolated():
            with pytest.raises(UnknownLossError):
                losses.get("odd")
            losses.register(cubic)
            losses.get("tukey")
            raise KeyError

    with pytest.raises(KeyError):
        block()
    assert "robust" not in lookup.current().losses
    assert losses.names("here") == ["here:odd"]


def test_blocks_nest(site):
    losses.register(cubic)
    with losses.isolated():
        losses.register(odd)
        with losses.isolated():
            assert losses.names("here") == []
        assert losses.names("here") == ["here:odd"]
    assert losses.names("here") == ["here:cubic"]


def test_a_block_belongs_to_its_thread(site):
    with losses.isolated():
        losses.register(cubic)
        with ThreadPoolExecutor(1) as pool:
            assert "here:cubic" not in pool.submit(lambda: [loss.full_name for loss in lookup.current().all()]).result()


def test_a_block_belongs_to_its_async_task(site):
    async def own(name, others):
        with losses.isolated():
            losses.register(cubic.named(name))
            others.append(name)
            while len(others) < 20:
                await asyncio.sleep(0)
            return losses.names("here")

    async def all_of_them():
        others = []
        return await asyncio.gather(*(own(f"task_{i}", others) for i in range(20)))

    assert asyncio.run(all_of_them()) == [[f"here:task_{i}"] for i in range(20)]


# --- threads ----------------------------------------------------------------------------------------------------------
def test_16_threads_that_look_up_at_once_find_the_same_and_import_each_pack_once(site):
    for i in range(8):
        count = f"import builtins\nbuiltins.imported_{i} = getattr(builtins, 'imported_{i}', 0) + 1\n"
        install(site, f"pack{i}", count + textwrap.dedent(good(f"loss_{i}")))
    script = """
    import builtins, sys, threading
    sys.path.insert(0, sys.argv[1])
    from minigrad import losses
    sys.setswitchinterval(1e-6)
    barrier, found, failed = threading.Barrier(16), [], []

    def look_up(k):
        barrier.wait()
        try:
            for i in range(8):
                j = (i + k) % 8
                assert losses.get("mse")([3.0], [1.0]).item() == 4
                assert losses.get(f"loss_{j}" if k % 2 else f"pack{j}:loss_{j}")([3.0], [1.0]).item() == 8
                losses.register(losses.get("mae").named(f"own_{k}_{j}"))
                assert losses.get(f"0.5 * own_{k}_{j} + mse")([3.0], [1.0]).item() == 5
            found.append(losses.get("loss_3"))
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=look_up, args=(k,)) for k in range(16)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert not failed, failed
    assert len({id(loss) for loss in found}) == 1
    assert len(losses.names("here")) == 128
    print([getattr(builtins, f"imported_{i}") for i in range(8)])
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(site)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout.strip() == str([1] * 8)


# --- files ------------------------------------------------------------------------------------------------------------
LATE = (
    "from minigrad import loss, losses\n@loss\ndef late(pred, target, *, by=5.0):\n    return by * abs(pred - target)\n"
)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "own" / "my_loss.py"
    path.parent.mkdir()
    path.write_text(LATE)
    return path


def test_a_file_offers_the_losses_that_it_defines(site, file):
    file.write_text(LATE + "\nfrom tests.losses.test_registry import cubic\nagain = late\nmae = losses.get('mae')\n"
                    "half = 0.5 * late\nslow = late.with_(by=2)\nblend = (late + mae).named('blend')\n")  # fmt: skip
    assert losses.add_file(file) == ["my_loss:late", "my_loss:blend"]
    assert losses.get("late")([3.0], [1.0]).item() == 10
    assert losses.get("my_loss:blend")([3.0], [1.0]).item() == 12
    assert losses.get("late").owner.distribution == str(file)
    assert not list(file.parent.glob("__pycache__"))


def test_a_file_may_have_the_hook(site, file):
    file.write_text(
        LATE + "from minigrad import hookimpl\n@hookimpl\ndef minigrad_losses():\n    yield late.named('later')\n"
    )
    assert losses.add_file(str(file)) == ["my_loss:later"]


def test_a_file_added_again_is_read_again(site, file):
    losses.add_file(file)
    for by in (6, 7, 8):  # of one size, within one tick of the file system's clock
        file.write_text(LATE.replace("5.0", f"{by}.0"))
        losses.add_file(file)
        assert losses.get("late")([3.0], [1.0]).item() == 2 * by
    file.write_text("1 / 0")
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        losses.add_file(file)
    assert losses.get("late")([3.0], [1.0]).item() == 16
    assert sys.modules["minigrad_file_my_loss"].late([3.0], [1.0]).item() == 16
    file.write_text("x = 1")
    with pytest.raises(PluginError, match="found none"):
        losses.add_file(file)
    assert losses.get("late")([3.0], [1.0]).item() == 16


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("x = 1", r"^the file 'my_loss.py': expected a loss, found none; put @loss above a function \(pred, target\)$"),
        ("def f(pred, target):\n    return pred", "found none; put @loss above"),
        ("x = \n", r"^the file 'my_loss.py' failed to load: SyntaxError: invalid syntax \(my_loss.py:1\); other losses"),
        ("import no_such_thing", r"failed to load: No module named 'no_such_thing' \(my_loss.py:1\)"),
        ("import sys\n\nsys.exit(1)", r"failed to load: SystemExit: 1 \(my_loss.py:3\)"),
        ("from minigrad import loss\n@loss\ndef f(y_true, y_pred):\n    return 1",
         r"my_loss.py:2: expected a signature \(pred, target, \*, ...\), got \(y_true, y_pred\); minigrad passes the "
         "prediction first, unlike Keras and scikit-learn"),
        (LATE + "def minigrad_losses():\n    return [late]", r"its minigrad_losses \(my_loss.py:5\) would never be called"),
        (LATE + "b = late.named('b c')", r"a name of up to 40 letters, digits and _, got 'b c' \(my_loss.py:2\)"),
        (LATE + LATE.replace("5.0", "6.0") + "first = 1\n", None),
        ("x = '\x00'", "failed to load: "),
    ],
    ids=lambda value: str(value)[:20],
)  # fmt: skip
def test_a_faulty_file_is_refused_with_file_and_line(source, message, site, file):
    file.write_text(source)
    if message is None:  # the second definition of a name is the one that counts, as in Python
        losses.add_file(file)
        assert losses.get("late")([3.0], [1.0]).item() == 12
        return
    with pytest.raises(PluginError, match=message):
        losses.add_file(file)
    assert "my_loss" not in lookup.current().losses
    assert "minigrad_file_my_loss" not in sys.modules
    assert losses.get("mse").name == "mse"


def test_a_file_that_is_interrupted_leaves_nothing(site, file):
    file.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        losses.add_file(file)
    assert "minigrad_file_my_loss" not in sys.modules


def test_a_file_that_is_not_there_is_named(site, tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"plugin: expected a Python file, got '.*/nothing.py', which does not exist"
    ):
        losses.add_file(tmp_path / "nothing.py")
    with pytest.raises(FileNotFoundError, match="which is a folder"):
        losses.add_file(tmp_path)


@pytest.mark.parametrize("name", ["minigrad.py", "here.py", "my loss.py", "a:b.py", "[red].py"])
def test_a_file_whose_name_cannot_stand_before_a_colon_is_refused(name, site, tmp_path):
    (tmp_path / name).write_text(LATE)
    with pytest.raises(PluginError, match=r"the file .*: expected a name of letters, digits, _, - and \."):
        losses.add_file(tmp_path / name)


def test_two_files_of_one_name_and_a_file_with_the_name_of_a_pack_are_refused(site, file, tmp_path):
    losses.add_file(file)
    (tmp_path / "my_loss.py").write_text(LATE)
    with pytest.raises(
        PluginError, match=r"the pack 'my_loss' is offered twice: .*own/my_loss.py and .*my_loss.py; rename the file"
    ):
        losses.add_file(tmp_path / "my_loss.py")
    install(site, "robust", good("tukey"), version="1.2")
    lookup.current().installed = None
    (tmp_path / "robust.py").write_text(LATE)
    with pytest.raises(
        PluginError, match=r"'robust' is offered twice: minigrad-robust 1.2 and .*robust.py; rename the file"
    ):
        losses.add_file(tmp_path / "robust.py")


def test_the_variable_adds_files_and_a_broken_one_harms_nobody(site, file, tmp_path, monkeypatch):
    broken, missing = tmp_path / "broken.py", tmp_path / "missing.py"
    broken.write_text("1 / 0")
    monkeypatch.setenv("MINIGRAD_PLUGIN_PATH", os.pathsep.join(map(str, [broken, file, "", missing])))
    install(site, "robust", good("late"))
    assert losses.get("mse").name == "mse"
    assert not lookup.current().files
    assert losses.get("late").full_name == "my_loss:late"  # a file comes before packs, which stay unread
    assert "pack_robust" not in sys.modules
    with pytest.raises(PluginError, match="ZeroDivisionError"):
        losses.get("broken:x")
    with pytest.raises(PluginError, match="which does not exist"):
        losses.get("missing:x")
    assert [problem.pack for problem in losses.problems()] == ["broken", "missing"]
    broken.write_text(LATE.replace("late", "mended"))
    losses.add_file(broken)
    assert [problem.pack for problem in losses.problems()] == ["missing"]
    assert losses.get("mended").full_name == "broken:mended"


def test_a_full_name_runs_only_the_file_of_that_name(site, file, tmp_path, monkeypatch):
    (tmp_path / "other.py").write_text(LATE)
    monkeypatch.setenv("MINIGRAD_PLUGIN_PATH", os.pathsep.join(map(str, [tmp_path / "other.py", file])))
    assert losses.get("my_loss:late").name == "late"
    assert list(lookup.current().files) == ["my_loss"]
    with pytest.raises(PluginError, match=r"the name 'late' is offered twice: my_loss:late .* and other:late"):
        losses.get("late")


def test_a_file_keeps_no_built_in_from_its_name(site, file):
    file.write_text(LATE.replace("late", "mse"))
    losses.add_file(file)
    assert losses.get("mse")([3.0], [1.0]).item() == 4
    assert losses.get("my_loss:mse")([3.0], [1.0]).item() == 10


# --- where packs are --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("spelt", ["", ".", "absolute", "link", "slash"])
def test_metadata_in_the_working_directory_are_not_read(spelt, site, tmp_path, monkeypatch):
    here = tmp_path / "here"
    install(here, "robust", good("tukey"))
    (tmp_path / "link").symlink_to(here)
    monkeypatch.chdir(here)
    entry = {"absolute": str(here), "link": str(tmp_path / "link"), "slash": f"{here}/"}.get(spelt, spelt)
    monkeypatch.syspath_prepend(entry)
    with pytest.raises(UnknownLossError, match="there is no pack 'robust'"):
        losses.get("robust:tukey")
    assert "pack_robust" not in sys.modules


def test_a_distribution_found_twice_counts_once_and_the_first_on_the_path_counts(site, tmp_path, monkeypatch):
    install(site, "robust", good("tukey"), version="2.0")
    second = tmp_path / "second"
    install(second, "robust", good("tukey"), version="1.0")
    install(second, "gone", good("gone"), distribution="Minigrad.Robust", version="0.9")
    sys.path.append(str(second))
    try:
        assert losses.get("tukey").owner.version == "2.0"
        with pytest.raises(UnknownLossError, match="there is no pack 'gone'"):
            losses.get("gone:gone")
    finally:
        sys.path.remove(str(second))


def test_what_is_installed_later_is_found_when_asked_for_again(site):
    with pytest.raises(UnknownLossError):
        losses.get("robust:tukey")
    install(site, "robust", good("tukey"))
    assert losses.get("robust:tukey").name == "tukey"


@pytest.mark.parametrize(("listed", "left"), [("", []), ("robust", ["robust"]), (" vision , other", ["vision"])])
def test_the_variable_lets_in_the_packs_that_it_lists(listed, left, site, monkeypatch):
    install(site, "robust", good("tukey"))
    install(site, "vision", good("dice"))
    monkeypatch.setenv("MINIGRAD_PLUGINS", listed)
    assert [name for name in losses.names() if ":" in name] == [
        f"{p}:{dict(robust='tukey', vision='dice')[p]}" for p in left
    ]
    for pack in {"robust", "vision"} - set(left):
        assert f"pack_{pack}" not in sys.modules
        with pytest.raises(
            UnknownLossError,
            match=re.escape(f"the pack '{pack}' (minigrad-{pack} 1.0) is left out by MINIGRAD_PLUGINS={listed!r}"),
        ):
            losses.get(f"{pack}:x")


def test_a_package_with_many_modules_is_a_pack_too(site):
    install(
        site, "robust",
        {"minigrad_robust/__init__.py": "from minigrad_robust.offer import minigrad_losses\n",
         "minigrad_robust/offer.py": good("tukey")}, module="minigrad_robust",
    )  # fmt: skip
    assert losses.get("tukey").owner.distribution == "minigrad-robust"


def test_an_entry_point_may_name_an_object_within_a_module(site):
    source = "from minigrad import hookimpl, losses\nclass Plugin:\n    @hookimpl\n    def minigrad_losses(self):\n        return (losses.get('mae').named('distance'),)\nplugin = Plugin()\n"
    install(site, "robust", source, value="pack_robust:plugin")
    assert losses.get("distance").full_name == "robust:distance"


# --- travelling -------------------------------------------------------------------------------------------------------
def travellers(site, file):
    install(site, "robust", good("tukey"))
    losses.add_file(file)
    losses.register(cubic)
    losses.register(halves)
    learned = odd.with_(scale=Tensor(np.array([2.0]), requires_grad=True))
    return [
        *map(losses.get, losses.names("minigrad")), losses.get("huber", delta=2, reduction="sum"), cubic, odd, halves,
        odd.with_(scale=np.array([1.5], dtype=np.float32)), cubic.named("other"), losses.get("cubic"), losses.get("halves"),
        losses.get("tukey"), losses.get("my_loss:late", by=0.1), 0.1 * cubic + 0.9 * losses.get("late"),
        (0.1 * cubic + 0.9 * losses.get("tukey")).with_(reduction="sum"), losses.get("huber", delta=3).named("wide"),
        odd.with_(scale=np.arange(5000) / 7), learned,
    ]  # fmt: skip


def same(a, b):
    return (
        str(a) == str(b)
        and (a.owner, a.function.__qualname__, dict(a.options)) == (b.owner, b.function.__qualname__, dict(b.options))
        and a.given.keys() == b.given.keys()
        and all(np.array_equal(np.asarray(_data(a.given[k])), _data(b.given[k])) for k in a.given)
        and all(getattr(_data(a.given[k]), "dtype", 0) == getattr(_data(b.given[k]), "dtype", 0) for k in a.given)
    )


def _data(value):
    return getattr(value, "data", value) if isinstance(value, Tensor) else value


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_a_loss_comes_out_of_a_pickle_as_it_went_in(protocol, site, file):
    for traveller in travellers(site, file):
        assert same(pickle.loads(pickle.dumps(traveller, protocol)), traveller), traveller


def test_a_copy_is_the_same_loss(site, file):
    for traveller in travellers(site, file):
        assert same(copy.copy(traveller), traveller)
        assert same(copy.deepcopy(traveller), traveller)


def sent(loss):
    return str(loss), loss.with_(reduction="sum")([3.0, 1.0], [1.0, 1.0]).item() if loss.pred == "real" else 0, loss


def test_a_loss_arrives_in_a_process_that_was_started_afresh(site, file):
    chosen = [
        loss for loss in travellers(site, file) if all(np.size(_data(value)) == 1 for value in loss.given.values())
    ]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as executor:
        for traveller, (text, value, back) in zip(chosen, executor.map(sent, chosen), strict=True):
            assert (text, value) == sent(traveller)[:2]
            assert same(back, traveller)


def test_a_loss_that_nobody_else_can_find_does_not_travel():
    @loss
    def inner(pred, target):
        return pred - target

    text = (
        "inner: expected a loss that another process can import, got one that tests.losses.test_registry does not show as "
        "test_a_loss_that_nobody_else_can_find_does_not_travel.<locals>.inner; define it at the top of a module, with @loss above it"
    )
    for made in (inner, 0.5 * inner + 0.5 * cubic, inner.named("x")):
        with pytest.raises(TypeError, match="expected a loss that another process can import"):
            pickle.dumps(made)
    with pytest.raises(TypeError, match=f"^{re.escape(text)}$"):
        pickle.dumps(inner)


def test_a_pickle_of_a_pack_that_is_not_there_is_refused_by_name(site):
    install(site, "robust", good("tukey"))
    packed = pickle.dumps(losses.get("robust:tukey"))
    with losses.isolated():
        lookup.current().installed = {}
        with pytest.raises(UnknownLossError, match="there is no pack 'robust'"):
            pickle.loads(packed)


def test_looking_up_does_not_hold_up_who_needs_no_plugin():
    """While one thread holds the lock of plugins, built-in losses and sums of them are found by others."""
    held, release, found = threading.Event(), threading.Event(), []

    def hold():
        with lookup._lock:
            held.set()
            release.wait(60)

    thread = threading.Thread(target=hold)
    thread.start()
    assert held.wait(60)
    other = threading.Thread(target=lambda: found.append(losses.get("0.5 * mse + 0.5 * mae")))
    other.start()
    other.join(60)
    release.set()
    thread.join(60)
    assert str(found[0]) == "0.5 * mse + 0.5 * mae"
