"""What goes wrong in a plugin while it is found: it is named, nothing of it stays, and nobody else notices."""

import contextvars
import re
import sys
import textwrap
import threading

import numpy as np
import pytest

from minigrad import Tensor, losses
from minigrad.engine import detect_anomaly
from minigrad.engine.errors import GradientError, PluginError
from minigrad.losses import lookup
from minigrad.testing import check_loss
from tests.losses import waiting
from tests.losses.packs import GOOD, forget, good, install

HEAD = "from minigrad import hookimpl, loss\n"
CUBIC = HEAD + "@loss\ndef cubic(pred, target):\n    return abs(pred - target) ** 3\n"
LINES = {"minigrad_bad/__init__.py": "from minigrad_bad.inner import minigrad_losses\n"}


def hook(result):
    """A pack whose hook returns an expression."""
    return f"{CUBIC}@hookimpl\ndef minigrad_losses():\n    return {result}\n"


# what is wrong, the source, what the message says, the type of the cause
FAULTS = [
    ("raises when imported", "x = 1\nraise RuntimeError('no licence')",
     r"failed to load: RuntimeError: no licence \(pack_bad.py:2\); other losses work", RuntimeError),
    ("raises in a module further in",
     {"minigrad_bad/__init__.py": "from minigrad_bad import inner", "minigrad_bad/inner.py": "\n\n1 / 0"},
     r"failed to load: ZeroDivisionError: division by zero \(minigrad_bad/inner.py:3\)", ZeroDivisionError),
    ("raises inside a library that it calls", "import json\n\njson.loads('{')",
     r"failed to load: JSONDecodeError: .* \(pack_bad.py:3\)", ValueError),
    ("exits when imported", "import sys\nsys.exit(3)", r"failed to load: SystemExit: 3 \(pack_bad.py:2\)", SystemExit),
    ("exits without a word", "import sys\nsys.exit()", r"failed to load: SystemExit \(pack_bad.py:2\)", SystemExit),
    ("exits inside its hook", CUBIC + "@hookimpl\ndef minigrad_losses():\n    raise SystemExit('bye')",
     r"failed to load: SystemExit: bye \(pack_bad.py:7\)", SystemExit),
    ("needs a module that is missing",
     {"minigrad_bad/__init__.py": "import os\n\nimport no_such_module_cv2"},
     r"failed to load: No module named 'no_such_module_cv2' \(minigrad_bad/__init__.py:3\)", ModuleNotFoundError),
    ("has a syntax error", "x = 1\ndef f(:\n    pass", r"failed to load: SyntaxError: invalid syntax \(pack_bad.py:2\)",
     SyntaxError),
    ("has a syntax error further in",
     {"minigrad_bad/__init__.py": "import minigrad_bad.inner", "minigrad_bad/inner.py": "\n\n\nx = = 1"},
     r"failed to load: SyntaxError: invalid syntax \(minigrad_bad/inner.py:4\)", SyntaxError),
    ("is a module that does not exist", None,
     r"failed to load: No module named 'pack_bad' \(entry point 'pack_bad'\)", ModuleNotFoundError),
    ("has an exception with a text that raises",
     "class E(Exception):\n    def __str__(self):\n        raise ValueError\nraise E", r"failed to load: E \(pack_bad.py:4\)",
     Exception),
    ("has an exception of many lines and control characters", "raise ValueError('a\\nb\\x1b[31m' + 'c' * 9999)",
     r"ValueError: a b\\x1b\[31mc{300,400} \(pack_bad.py:1\)", ValueError),
    ("declares a loss wrongly", HEAD + "@loss\ndef f(y_true, y_pred):\n    return y_true",
     r"failed to load: pack_bad.py:2: expected a signature \(pred, target, \*, ...\), got \(y_true, y_pred\)",
     PluginError),
    ("has no hook", "x = 1", r"expected a function minigrad_losses marked @hookimpl, got none; it returns the losses",
     None),
    ("has a hook without mark and almost of that name", CUBIC + "def minigrad_loses():\n    return [cubic]",
     r"expected a function minigrad_losses marked @hookimpl, got minigrad_loses, unmarked", None),
    ("has a misspelt hook", CUBIC + "@hookimpl\ndef minigrad_loses():\n    return [cubic]",
     r"no hook 'minigrad_loses' \(pack_bad.py:5\), it would never be called; did you mean 'minigrad_losses'\?", None),
    ("has a second hook, misspelt", hook("[cubic]") + "@hookimpl\ndef minigrad_metrics():\n    return []",
     r"no hook 'minigrad_metrics' \(pack_bad.py:8\)", None),
    ("has a misspelt hook that is optional",
     CUBIC + "@hookimpl(optionalhook=True)\ndef minigrad_loses():\n    return [cubic]", r"no hook 'minigrad_loses'", None),
    ("has a hook with an argument", CUBIC + "@hookimpl\ndef minigrad_losses(config):\n    return [cubic]",
     r"expected minigrad_losses\(\), got minigrad_losses\(config\) \(pack_bad.py:5\); it is called without arguments",
     None),
    ("has a hook with a default", CUBIC + "@hookimpl\ndef minigrad_losses(verbose=False):\n    return [cubic]",
     r"got minigrad_losses\(verbose=False\) \(pack_bad.py:5\)", None),
    ("has a hook that wraps", CUBIC + "@hookimpl(wrapper=True)\ndef minigrad_losses():\n    return (yield)",
     r"expected minigrad_losses to be a plain function, got a wrapper or coroutine \(pack_bad.py:5\)", None),
    ("has a coroutine as a hook", CUBIC + "@hookimpl\nasync def minigrad_losses():\n    return [cubic]",
     r"expected minigrad_losses to be a plain function", None),
    ("has a hook without its mark", CUBIC + "def minigrad_losses():\n    return [cubic]",
     r"its minigrad_losses \(pack_bad.py:5\) would never be called; put @hookimpl above it", None),
    ("has the mark of another project",
     CUBIC + "import pluggy\n@pluggy.HookimplMarker('pytest')\ndef minigrad_losses():\n    return [cubic]",
     r"would never be called; put @hookimpl above it", None),
    ("raises in its hook", CUBIC + "@hookimpl\ndef minigrad_losses():\n    raise KeyError('x')",
     r"failed to load: KeyError: 'x' \(pack_bad.py:7\)", KeyError),
    ("raises half-way through its losses",
     CUBIC + "@hookimpl\ndef minigrad_losses():\n    yield cubic\n    raise OSError('gone')",
     r"failed to load: OSError: gone \(pack_bad.py:8\)", OSError),
    ("returns None", hook("None"), r"expected minigrad_losses to return a list of losses, got None \(NoneType\)", None),
    ("returns a text", hook("'cubic'"), r"return a list of losses, got 'cubic' \(str\)", None),
    ("returns a dict", hook("{'cubic': cubic}"), r"return a list of losses, got .* \(dict\)", None),
    ("returns a set, which has no order", hook("{cubic}"), r"return a list of losses, got .* \(set\)", None),
    ("returns a number", hook("3"), r"return a list of losses, got 3 \(int\)", None),
    ("returns a loss by itself", hook("cubic"), r"return a list of losses, got cubic \(Loss\)", None),
    ("returns a class among its losses", hook("[cubic, dict]"),
     r"return losses, got <class 'dict'> \(type\); put @loss above it", None),
    ("returns a plain function among its losses", hook("[cubic, minigrad_losses]"),
     r"return losses, got <function minigrad_losses.* \(function\); put @loss above it", None),
    ("returns something whose repr raises",
     "class Odd:\n    def __repr__(self):\n        raise ValueError\n" + hook("[cubic, Odd()]"),
     r"return losses, got <Odd instance at .*> \(Odd\)", None),
    ("has one name twice",
     {"minigrad_bad/__init__.py": HEAD + "from minigrad_bad import a, b\n@hookimpl\ndef minigrad_losses():\n    return [a.cubic, b.cubic]",
      "minigrad_bad/a.py": CUBIC, "minigrad_bad/b.py": "\n\n" + CUBIC},
     r"^'bad:cubic' is registered twice: minigrad_bad/a.py:2 and minigrad_bad/b.py:4; rename one$", None),
    ("has a loss without a name", hook("[cubic.named('')]"), r"a name of up to 40 letters, digits and _, got ''", None),
    ("has a name with a space", hook("[cubic.named('a b')]"), r"got 'a b' \(pack_bad.py:2\); rename it", None),
    ("has a name that is a path", hook("[cubic.named('../x')]"), r"got '../x'", None),
    ("has a name that is a word of Python", hook("[cubic.named('lambda')]"), r"got 'lambda'", None),
    ("has a name of 41 letters", hook("[cubic.named('c' * 41)]"), r"got 'c{41}'", None),
    ("has a name of 10 kB", hook("[cubic.named('c' * 10_000)]"), r"got 'c+\.\.\.c+' \(", None),
    ("has a name that is no text", hook("[cubic.named(3)]"), r"got 3 \(", None),
    ("has a name with control characters", hook("[cubic.named('a\\x1b[31m\\n\\u202e')]"),
     r"got 'a\\x1b\[31m\\n\\u202e'", None),
    ("offers a sum that has no name", hook("[0.5 * cubic + 0.5 * cubic]"),
     r"got '0.5 \* cubic \+ 0.5 \* cubic' .*; give the sum one with .named", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """200 sound packs, of one loss each."""
    folder = tmp_path_factory.mktemp("crowd")
    for i in range(200):
        install(folder, f"crowd{i:03}", good(f"crowd_{i:03}"))
    sys.path.append(str(folder))
    yield folder
    sys.path.remove(str(folder))
    forget(folder)


def all_others_work():
    """The built-ins, and each of the 200 others, by bare and by full name."""
    assert losses.get("mse")([3.0], [1.0]).item() == 4
    offered = [name for name in losses.names() if name.startswith("crowd")]
    assert len(offered) == 200
    for name in offered:
        assert losses.get(name) is losses.get(name.partition(":")[2])
        assert losses.get(name)([3.0], [1.0]).item() == 8


@pytest.mark.parametrize(
    ("wrong", "source", "message", "cause"), FAULTS, ids=[row[0].replace(" ", "-") for row in FAULTS]
)
def test_a_pack_that(wrong, source, message, cause, site, crowd):
    module = "minigrad_bad" if isinstance(source, dict) else "pack_bad"
    install(site, "bad", source, distribution="bad-dist", version="0.4", module=module)
    plugins = lookup.current().manager.get_plugins()
    assert losses.get("mse").name == "mse"
    assert losses.get("crowd042:crowd_042").owner.pack == "crowd042"
    assert not lookup.current().problems  # nobody has asked for it yet
    for _ in range(2):  # the first time, and from memory
        with pytest.raises(PluginError, match=message) as caught:
            losses.get("bad:cubic")
        assert "'bad'" in str(caught.value) or "'bad:" in str(caught.value)
        assert "bad-dist 0.4" in str(caught.value) or "minigrad_bad/" in str(caught.value)
        assert str(caught.value).isprintable()
        assert caught.value.__cause__ is None if cause is None else isinstance(caught.value.__cause__, cause)
    (problem,) = losses.problems()
    assert (problem.pack, problem.distribution, problem.version) == ("bad", "bad-dist", "0.4")
    assert problem.message == str(caught.value)
    assert type(problem.error).__name__ in problem.traceback
    assert "bad" not in lookup.current().losses
    others = {module for module in lookup.current().manager.get_plugins() - plugins}
    assert all(module.__name__.startswith("pack_crowd") for module in others)  # of the bad one nothing is left
    all_others_work()


def test_the_whole_text_of_a_fault(site):
    files = {"minigrad_vision/__init__.py": "\n\nimport no_such_cv2"}
    install(site, "vision", files, version="0.4", module="minigrad_vision")
    text = (
        "the pack 'vision' (minigrad-vision 0.4) failed to load: No module named 'no_such_cv2' "
        "(minigrad_vision/__init__.py:3); other losses work; mend it, or remove it"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(text)}$"):
        losses.get("vision:dice")


def test_an_interrupt_passes_and_the_pack_can_be_asked_for_again(site):
    install(site, "slow", "raise KeyboardInterrupt")
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            losses.get("slow:cubic")
    assert not lookup.current().problems
    (site / "pack_slow.py").write_text(textwrap.dedent(good("cubic")) + "# and now it takes less time\n")
    assert losses.get("slow:cubic").owner.distribution == "minigrad-slow"


def test_an_interrupt_in_a_hook_leaves_nothing_registered(site):
    install(site, "slow", CUBIC + "@hookimpl\ndef minigrad_losses():\n    raise KeyboardInterrupt")
    before = lookup.current().manager.get_plugins()
    with pytest.raises(KeyboardInterrupt):
        losses.get("slow:cubic")
    assert lookup.current().manager.get_plugins() == before


def two_packs(site, *packs):
    for pack, version in packs:
        install(site, pack, good("tukey"), version=version)


@pytest.mark.parametrize("packs", [[("robust", "1.2"), ("vision", "0.4")], [("vision", "0.4"), ("robust", "1.2")]])
def test_a_bare_name_that_two_packs_offer_is_refused_in_whatever_order_they_come(site, packs):
    two_packs(site, *packs)
    losses.get(f"{packs[0][0]}:tukey")
    text = (
        "the name 'tukey' is offered twice: robust:tukey (minigrad-robust 1.2) and vision:tukey (minigrad-vision 0.4); "
        "write the full name"
    )
    with pytest.raises(PluginError, match=f"^{re.escape(text)}$"):
        losses.get("tukey")
    with pytest.raises(PluginError, match="is offered twice"):
        losses.get("0.5 * mse + 0.5 * tukey")
    assert losses.get("robust:tukey").owner.version == "1.2"
    assert losses.get("vision:tukey").owner.version == "0.4"
    assert not losses.problems()


def test_a_bare_name_that_three_packs_offer_names_all_three(site):
    two_packs(site, ("a", "1"), ("b", "2"), ("c", "3"))
    with pytest.raises(PluginError, match=r"offered 3 times: a:tukey .* and b:tukey .* and c:tukey"):
        losses.get("tukey")


def test_an_entry_point_of_two_distributions_is_refused_naming_both(site):
    install(site, "robust", good("tukey"), version="1.2")
    install(site, "robust", good("tukey"), distribution="robust-losses", version="0.1", module="other_robust")
    text = "the pack 'robust' is offered twice: minigrad-robust 1.2 and robust-losses 0.1; remove one"
    with pytest.raises(PluginError, match=f"^{re.escape(text)}$"):
        losses.get("robust:tukey")
    with pytest.raises(LookupError, match="; 1 broken plugin, see"):
        losses.get("tukey")
    assert not {"pack_robust", "other_robust"} & sys.modules.keys()


def test_a_built_in_keeps_its_bare_name(site):
    install(site, "mine", good("mse"))
    assert "mine:mse" in losses.names()
    assert losses.get("mse").full_name == "mse"
    assert losses.get("mine:mse")([3.0], [1.0]).item() == 8
    assert str(losses.get("mine:mse")) == "mine:mse"


@pytest.mark.parametrize("pack", ["minigrad", "here", "a b", "[red]", "a/b"])
def test_a_pack_may_not_be_called(site, pack):
    install(site, pack, good("cubic"), distribution="odd", module="pack_odd")
    (problem,) = losses.problems()
    assert re.search(r"\(odd 1.0\): expected a name of letters, digits, _, - and \.", problem.message)
    assert losses.get("mse").full_name == "mse"
    assert "pack_odd" not in sys.modules


def test_two_entry_points_of_one_module_are_one_too_many(site):
    install(site, "first", good("cubic"), module="shared")
    install(site, "second", None, module="shared")
    assert losses.get("first:cubic").owner.pack == "first"
    with pytest.raises(
        PluginError,
        match=r"'second' \(minigrad-second 1.0\): expected a module of its own, got that of the pack 'first'",
    ):
        losses.get("second:cubic")
    assert losses.get("first:cubic").owner.pack == "first"


def test_a_pack_that_asks_for_its_own_losses_while_it_loads_is_told_that_there_are_none(site):
    install(site, "eager", "from minigrad import losses\nlosses.get('cubic')\n" + textwrap.dedent(good("cubic")))
    with pytest.raises(PluginError, match=r"no loss called 'cubic'.* \(pack_eager.py:2\)"):
        losses.get("eager:cubic")


def test_a_pack_may_build_on_another(site):
    install(site, "base", good("cubic"))
    install(site, "upon", HEAD + """
from minigrad import losses
both = (0.5 * losses.get("base:cubic") + 0.5 * losses.get("mae")).named("both")
@hookimpl
def minigrad_losses():
    return [both]
""")  # fmt: skip
    assert losses.get("upon:both")([3.0], [1.0]).item() == 5


def test_damaged_metadata_harm_nobody(site):
    for name in ("no_text", "no_name", "bad_points", "no_utf8"):
        info = install(site, name, good(name))
        if name == "no_text":
            (info / "METADATA").unlink()
        if name == "no_name":
            (info / "METADATA").write_text("Metadata-Version: 2.1\n")
        if name == "bad_points":
            (info / "entry_points.txt").write_text("[minigrad]\nno equals sign\n")
        if name == "no_utf8":
            (info / "entry_points.txt").write_bytes(b"[minigrad]\n\xff\xfe = x\n")
    info = install(site, "no_version", good("ageless"))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ageless\n")
    install(site, "fine", good("cubic"))
    assert losses.get("cubic").owner.pack == "fine"
    assert str(losses.get("ageless").owner) == "ageless"


@pytest.mark.parametrize("value", ["", "not a module", "os:", "os:nothing", "json", "os.path:join"])
def test_an_entry_point_that_leads_to_no_plugin_is_named(site, value):
    info = install(site, "odd", None)
    (info / "entry_points.txt").write_text(f"[minigrad]\nodd = {value}\n")
    with pytest.raises(PluginError, match=r"the pack 'odd' \(minigrad-odd 1.0\)"):
        losses.get("odd:cubic")
    assert losses.get("mse").name == "mse"


def test_a_pack_that_hangs_keeps_waiting_only_those_who_ask_for_it(site):
    install(site, "hangs", "from tests.losses import waiting\nwaiting.reached.set()\nwaiting.go_on.wait(60)\n" + textwrap.dedent(GOOD.format(name="late")))  # fmt: skip
    install(site, "fine", good("cubic"))
    losses.get("fine:cubic")
    waiting.reached.clear()
    waiting.go_on.clear()
    found = []
    context = contextvars.copy_context()
    thread = threading.Thread(target=lambda: found.append(context.run(losses.get, "hangs:late")))
    thread.start()
    try:
        assert waiting.reached.wait(60)
        assert losses.get("mse").name == "mse"
        assert losses.get("0.5 * mse + 0.5 * fine:cubic")([3.0], [1.0]).item() == 6
        assert not found
    finally:
        waiting.go_on.set()
        thread.join(60)
    assert found[0].full_name == "hangs:late"


FAULTY_WHEN_CALLED = (
    HEAD
    + """
import numpy as np
@loss
def fails(pred, target):
    return (pred - target) / [1, 2, 3, 4]
@loss(grad=lambda pred, target: {}["here"])
def fails_on_the_way_back(pred, target):
    return (pred - target) ** 2
@loss(grad=lambda pred, target: np.where(pred > 1, np.nan, 1.0))
def is_lost_on_the_way_back(pred, target):
    return pred - target
@loss(coupled=True)
def writes(pred, target, *, sample_weight=None):
    sample_weight[0] = 5
    return (pred - target).mean()
@hookimpl
def minigrad_losses():
    return [fails, fails_on_the_way_back, is_lost_on_the_way_back, writes]
"""
)


@pytest.mark.parametrize(
    ("name", "message", "cause"),
    [
        ("fails", r"its function failed on pred \(3,\), target \(3,\)", ValueError),
        ("fails_on_the_way_back", r"its closed form grad= failed on pred \(3,\), target \(3,\): 'here'", KeyError),
        (
            "writes",
            r"its function failed on pred \(3,\), target \(3,\): assignment destination is read-only",
            ValueError,
        ),
    ],
)
def test_a_loss_that_fails_when_it_is_called_names_itself_with_pack_and_version(name, message, cause, site):
    install(site, "bad", FAULTY_WHEN_CALLED, distribution="bad-dist", version="0.4")
    pred, weight = Tensor(np.ones(3), requires_grad=True), np.ones(3)
    options = {"sample_weight": weight} if name == "writes" else {}
    with pytest.raises(PluginError, match=rf"^bad:{name} \(bad-dist 0.4, pack_bad.py:\d+\): {message}") as caught:
        losses.get(f"bad:{name}")(pred, np.zeros(3), **options).backward()
    assert isinstance(caught.value.__cause__, cause)
    assert pred.grad is None
    assert weight.tolist() == [1, 1, 1]
    assert losses.get("mse")([3.0], [1.0]).item() == 4


def test_a_slope_that_is_nan_beside_a_finite_value_flows_through_and_is_named_by_those_who_look(site):
    install(site, "bad", FAULTY_WHEN_CALLED)
    lost, pred = losses.get("bad:is_lost_on_the_way_back"), Tensor([0.5, 2.0], requires_grad=True)
    value = lost(pred, [0.0, 0.0])
    value.backward()
    assert (value.item(), np.isnan(pred.grad.data).tolist()) == (1.25, [False, True])
    with (
        detect_anomaly(),
        pytest.raises(GradientError, match=r"expected finite gradients, got nan .* of is_lost_on_the_way_back"),
    ):
        lost(pred, [0.0, 0.0]).backward()
    assert "gradient" in check_loss(lost).failed
