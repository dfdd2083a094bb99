"""Who comes from elsewhere asks for what is not here: the error says what to write, and that works."""

import copy
import pickle
import sys
from importlib import import_module

import numpy as np
import pytest

import minigrad
from minigrad import MLP, Adam, Tensor, losses, nn, ops, optim
from minigrad.engine import habits
from minigrad.history import HERE as OF_HISTORIES
from minigrad.nn.module import HERE as OF_MODULES


def said(owner, name):
    with pytest.raises(AttributeError) as caught:
        getattr(owner, name)
    return str(caught.value)


@pytest.fixture
def around(tmp_path, monkeypatch):
    """What the advice speaks of."""
    monkeypatch.chdir(tmp_path)
    model = MLP(2, 2, rng=0)
    x = np.ones((4, 2), np.float32)
    return {
        "minigrad": minigrad, "np": np, "ops": ops, "Tensor": Tensor, "model": model, "module": nn.Tanh(),
        "optimizer": Adam(model.parameters()), "x": x, "y": x.copy(), "array": np.ones(2), "state": model.state_dict(),
        "t": Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True), "u": Tensor(np.ones((2, 2))), "index": np.array([[0], [1]]),
    }  # fmt: skip


class TestOfATensor:
    @pytest.mark.parametrize("name", habits.HERE)
    def test_is_told_what_works(self, name, around):
        message = said(around["t"], name)
        advice = message.partition("; write ")[2]
        assert message == f"'Tensor' object has no attribute {name!r}; write {advice}"
        assert eval(advice, around) is not None

    @pytest.mark.parametrize("name", ["to", "cuda", "cpu", "device"])
    def test_there_is_one_device(self, name):
        assert said(Tensor([1.0]), name).endswith(
            "; everything is on the CPU: leave it out, and t.astype(np.float32) changes the dtype"
        )

    def test_nothing_happens_in_place(self):
        assert said(Tensor([1.0]), "add_").endswith(
            "; no method changes t in place: write t = t + 1, or t.data = array for a leaf"
        )
        assert said(Tensor([1.0]), "zero_").endswith(
            "; t.grad = None forgets a gradient, optimizer.zero_grad() all of them"
        )

    @pytest.mark.parametrize("name", ["nonsense", "fft", "_private", "__array_struct__", "pi"])
    def test_what_nobody_knows_is_said_in_the_words_of_python(self, name):
        assert said(Tensor([1.0]), name) == f"'Tensor' object has no attribute {name!r}"

    def test_what_is_missing_is_not_offered(self):
        offered = dir(Tensor([1.0]))
        assert not set(habits.OF_TENSORS) & set(offered)
        assert {"reshape", "shape", "sin", "backward", "__add__"} <= set(offered)
        assert not hasattr(Tensor([1.0]), "view")
        assert not hasattr(Tensor, "view")

    def test_it_is_copied_and_pickled_as_before(self):
        t = Tensor([1.0, 2.0], requires_grad=True)
        for twin in (copy.copy(t), copy.deepcopy(t), pickle.loads(pickle.dumps(t))):
            assert twin.data.tolist() == [1, 2]
            assert twin.requires_grad


class Halved(nn.Module):
    """A module with a property that fails."""

    @property
    def half(self):
        return self.wdith / 2


class TestOfAModule:
    @pytest.mark.parametrize("name", [name for name in OF_MODULES if name not in habits.DEVICES])
    def test_is_told_what_works(self, name, around):
        around["minigrad"].save("model.npz", around["model"])
        message = said(around["model"], name)
        advice = message.partition("; write ")[2]
        assert message == f"'MLP' object has no attribute {name!r}; write {advice}"
        exec(advice, around)

    def test_there_is_one_device(self):
        assert said(MLP(2, 2, rng=0), "to") == (
            "'MLP' object has no attribute 'to'; everything is on the CPU: leave it out"
        )

    def test_a_property_that_fails_says_why(self):
        assert said(Halved(), "half") == "'Halved' object has no attribute 'wdith'"

    def test_an_attribute_of_such_a_name_is_an_attribute(self):
        module = Halved()
        module.weights = 3
        assert module.weights == 3
        assert {"weights", "half", "forward", "state_dict"} <= set(dir(module))
        assert "fit" not in dir(module)


class TestOfAHistory:
    @pytest.fixture
    def history(self, around):
        x, y = around["x"], around["y"]
        return minigrad.fit(around["model"], (x, y), loss="mse", epochs=2, validation=(x, y), progress=False)

    @pytest.mark.parametrize("name", OF_HISTORIES)
    def test_is_told_what_works(self, name, history):
        message = said(history, name)
        advice = message.partition("; write ")[2]
        assert message == f"'History' object has no attribute {name!r}; write {advice}"
        found = eval(advice, {"history": history})
        assert found == 2 or len(found) == 2
        assert name not in dir(history)
        assert {"rows", "best", "loss"} <= set(dir(history))


class TestOfTheLibrary:
    @pytest.mark.parametrize("place", ["engine", "nn", "optim", "ops", "losses"])
    def test_every_public_name_is_found(self, place):
        inside = import_module(f"minigrad.{place}")
        for name in inside.__all__:
            if not hasattr(minigrad, name):
                start, _, path = said(minigrad, name).partition("; it is ")
                assert start == f"module 'minigrad' has no attribute {name!r}"
                there, _, last = path.rpartition(".")
                assert last == name
                assert getattr(sys.modules[there], name) is not None

    @pytest.mark.parametrize("module", [minigrad, losses, nn, optim, ops])
    @pytest.mark.parametrize(
        ("name", "here"),
        [
            ("MSELoss", "mse"), ("CrossEntropyLoss", "cross_entropy"), ("BCEWithLogitsLoss", "bce_with_logits"),
            ("huber", "huber"), ("HuberLoss", "huber"), ("MeanSquaredError", "mse"), ("l1_loss", "mae"),
        ],
    )  # fmt: skip
    def test_a_loss_is_got_by_name(self, module, name, here):
        assert said(module, name).endswith(f" has no attribute {name!r}; write minigrad.losses.get({here!r})")
        assert losses.get(here).name == here

    def test_what_is_offered_is_there_and_nothing_else(self):
        offered = [name for name in dir(minigrad) if not name.startswith("_")]
        assert {*minigrad.__all__, "engine", "optim", "figures"} <= set(offered)
        assert not {"Any", "TYPE_CHECKING", "annotations", "import_module"} & set(offered)
        assert [name for name in offered if not hasattr(minigrad, name)] == []

    @pytest.mark.parametrize("name", ["tensor", "array"])
    def test_a_tensor_is_a_tensor(self, name):
        assert said(minigrad, name).endswith("; it is minigrad.Tensor")

    def test_functions_of_numpy_are_named(self):
        assert said(minigrad, "exp") == "module 'minigrad' has no attribute 'exp'; np.exp(…) works on Tensors"

    @pytest.mark.parametrize("name", ["nonsense", "_private", "__wrapped__"])
    @pytest.mark.parametrize("module", [minigrad, losses, nn, optim, ops])
    def test_what_nobody_knows_is_said_in_the_words_of_python(self, module, name):
        assert said(module, name) == f"module {module.__name__!r} has no attribute {name!r}"
