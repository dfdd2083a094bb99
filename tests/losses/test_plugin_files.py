"""Single files that offer losses: run as they are now, kept apart, named when they are faulty."""

import os
import sys

import pytest

from minigrad import losses
from minigrad.engine.errors import PluginError
from minigrad.losses import lookup
from tests.losses.packs import LATE, good, install


def test_a_file_offers_the_losses_that_it_defines(site, file, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file.write_text(LATE + "\nfrom tests.losses.own import cubic\nagain = late\nmae = losses.get('mae')\n"
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


def test_a_file_added_again_is_read_again(site, file, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", False)  # else nothing could be stale
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
