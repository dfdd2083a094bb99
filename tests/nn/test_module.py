"""Modules: what they hold, under which names, and how it is saved, loaded, frozen and reseeded."""

import copy
import pickle
import re

import numpy as np
import pytest

from minigrad import MLP, Linear, Tensor, nn
from minigrad.engine.errors import CheckpointError


def leaf(*shape):
    return Tensor(np.zeros(shape, np.float32), requires_grad=True)


class Holder(nn.Module):
    """A module with whatever attributes it is given."""

    def __init__(self, **held):
        vars(self).update(held)

    def forward(self, x):
        return x


def names(module):
    return [name for name, _ in module.named_parameters()]


class TestParameters:
    @pytest.mark.parametrize(
        ("held", "expected"),
        [
            ({"a": leaf()}, ["a"]),
            ({"a": [leaf(), leaf()]}, ["a.0", "a.1"]),
            ({"a": (leaf(), [leaf()])}, ["a.0", "a.1.0"]),
            ({"a": {"x": leaf(), "y": [leaf()]}}, ["a.x", "a.y.0"]),
            ({"a": Holder(b=leaf())}, ["a.b"]),
            ({"a": [Holder(b=leaf())]}, ["a.0.b"]),
            ({"z": leaf(), "a": leaf()}, ["z", "a"]),
            ({"a": Tensor([1.0]), "b": "text", "c": None, "d": [1, "x"], "e": np.ones(3)}, []),
            ({"a": leaf() * 2.0}, []),
        ],
    )
    def test_are_the_leaves_among_the_attributes_named_by_their_path(self, held, expected):
        assert names(Holder(**held)) == expected

    def test_that_are_held_twice_come_once_under_their_first_path(self):
        shared = leaf(2)
        module = Holder(a=Holder(w=shared), b=Holder(w=shared), c=shared)
        assert names(module) == ["a.w"]
        assert list(module.state_dict()) == ["a.w"]

    def test_of_a_module_that_knows_its_parent_are_found_without_end(self):
        child = Holder(w=leaf())
        parent = Holder(child=child)
        child.parent = parent
        assert names(parent) == ["child.w"]

    def test_come_in_the_order_of_the_attributes(self):
        assert names(MLP(2, 3, 1, rng=0)) == [
            "layers.0.weight", "layers.0.bias", "layers.2.weight", "layers.2.bias"
        ]  # fmt: skip

    def test_that_are_frozen_stay_in_the_state_but_are_not_learned(self):
        module = Holder(w=leaf(2), frozen=Tensor(np.ones(2, np.float32)))
        assert names(module) == ["w"]
        assert list(module.state_dict()) == ["w", "frozen"]

    def test_named_modules_begin_with_the_module_itself(self):
        module = Holder(a=Holder(), b=[Holder()])
        assert [path for path, _ in module.named_modules()] == ["", "a", "b.0"]

    def test_two_by_one_path_are_refused_instead_of_losing_one(self):
        module = Holder(a={1: leaf(), "1": leaf()})
        message = "Holder: expected one tensor by each path, got two by 'a.1'; rename a key"
        with pytest.raises(ValueError, match=re.escape(message)):
            module.state_dict()


class TestState:
    def test_is_a_copy_that_later_steps_do_not_change(self):
        model = Linear(2, 2, rng=0)
        state = model.state_dict()
        kept = state["weight"].copy()
        model.weight.data = model.weight.data * 2
        np.testing.assert_array_equal(state["weight"], kept)
        state["weight"][:] = 7
        assert not (model.weight.data == 7).any()

    def test_gives_another_model_the_same_bytes(self):
        a, b = MLP(3, 5, 2, rng=0), MLP(3, 5, 2, rng=1)
        b.load_state_dict(a.state_dict())
        for p, q in zip(a.parameters(), b.parameters(), strict=True):
            assert p.data.tobytes() == q.data.tobytes()
            assert not np.shares_memory(p.data, q.data)

    def test_may_be_given_as_tensors(self):
        a, b = Linear(2, 2, rng=0), Linear(2, 2, rng=1)
        b.load_state_dict(dict(a.named_parameters()))
        assert b.weight.data.tobytes() == a.weight.data.tobytes()

    def test_loads_frozen_tensors_too(self):
        a, b = Holder(f=Tensor([1.0])), Holder(f=Tensor([2.0]))
        b.load_state_dict(a.state_dict())
        assert b.f.data.tolist() == [1.0]

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda s: s.pop("bias"), "bias is missing"),
            (lambda s: s.update(extra=np.ones(1)), "extra is unknown here"),
            (lambda s: s.update(bias=np.zeros(3, np.float32)), "bias is (3,) float32 instead of (2,) float32"),
            (lambda s: s.update(bias=np.zeros(2)), "bias is (2,) float64 instead of (2,) float32"),
            (lambda s: s.update(bias=s["bias"].astype(">f4")), "bias is (2,) >f4 instead of (2,) float32"),
        ],
    )
    def test_that_does_not_fit_is_refused_and_nothing_is_loaded(self, change, said):
        model, state = Linear(2, 2, rng=0), Linear(2, 2, rng=1).state_dict()
        before = model.state_dict()
        change(state)
        message = (
            f"Linear.load_state_dict: expected 2 arrays that fit, got: {said}; nothing was loaded: build the model as it "
            "was when it was saved"
        )
        with pytest.raises(CheckpointError, match=re.escape(message)):
            model.load_state_dict(state)
        assert {k: v.tobytes() for k, v in model.state_dict().items()} == {k: v.tobytes() for k, v in before.items()}

    def test_that_does_not_fit_is_told_with_all_its_faults_at_once(self):
        model = Linear(2, 2, rng=0)
        with pytest.raises(CheckpointError) as caught:
            model.load_state_dict({"weight": np.zeros((2, 3), np.float32), "a": 1.0, "b": 2.0})
        for part in ("bias is missing", "a is unknown here", "b is unknown here", "weight is (2, 3) float32"):
            assert part in str(caught.value)

    def test_with_very_many_faults_names_the_first_and_counts_the_others(self):
        with pytest.raises(CheckpointError, match=r"x19 is unknown here; and 480 more; nothing was loaded"):
            Holder().load_state_dict({f"x{i}": 0.0 for i in range(500)})

    def test_that_is_no_dict_is_refused(self):
        message = "Linear.load_state_dict: expected a dict of arrays by path, got list; see state_dict()"
        with pytest.raises(TypeError, match=re.escape(message)):
            Linear(2, 2, rng=0).load_state_dict([1])

    def test_survives_copy_and_pickle(self):
        model = MLP(2, 3, 1, rng=0)
        for other in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
            assert {k: v.tobytes() for k, v in other.state_dict().items()} == {
                k: v.tobytes() for k, v in model.state_dict().items()
            }
            assert other.parameters()[0] is not model.parameters()[0]
            assert repr(other) == repr(model)


class TestModes:
    def test_reach_every_module_below(self):
        model = nn.Sequential(nn.Tanh(), nn.Sequential(nn.Tanh()))
        assert all(m.training for _, m in model.named_modules())
        assert model.eval() is model
        assert not any(m.training for _, m in model.named_modules())
        assert model.train() is model
        assert all(m.training for _, m in model.named_modules())

    def test_a_module_without_forward_says_what_is_missing(self):
        class Empty(nn.Module):
            pass

        message = "Empty: expected a method forward, got none; write def forward(self, x) in Empty"
        with pytest.raises(NotImplementedError, match=re.escape(message)):
            Empty()(1)


class TestReseeding:
    def draws(self, model):
        return [m.rng.random(3).tolist() for _, m in model.named_modules() if hasattr(m, "rng")]

    def test_makes_every_draw_a_function_of_the_key_and_the_place(self):
        model = nn.Sequential(nn.Dropout(rng=0), nn.Sequential(nn.Dropout(rng=0)))
        assert model.reseed(3, 1, 4) == 2
        first = self.draws(model)
        assert first[0] != first[1]
        self.draws(model)
        model.reseed(3, 1, 4)
        assert self.draws(model) == first
        model.reseed(3, 1, 5)
        assert self.draws(model) != first

    def test_leaves_a_generator_that_somebody_else_holds_alone(self):
        rng = np.random.default_rng(0)
        state = rng.bit_generator.state
        model = nn.Sequential(nn.Dropout(rng=rng), nn.Dropout(rng=rng))
        assert model.reseed(1) == 2
        self.draws(model)
        assert rng.bit_generator.state == state

    def test_of_a_model_that_draws_nothing_says_so(self):
        assert MLP(2, 1, rng=0).reseed(1) == 0

    def test_reaches_generators_of_modules_that_somebody_wrote(self):
        module = Holder(noise=np.random.default_rng(5))
        assert module.reseed(9) == 1
        assert module.noise.random() == np.random.default_rng((9, 0)).random()


class TestForPeople:
    def test_a_summary_has_shapes_and_counts_that_add_up(self):
        lines = MLP(64, 32, 10, activation="tanh", rng=0).summary().splitlines()
        assert [line.split() for line in lines] == [
            ["linear", "1", "weight", "(64,", "32),", "bias", "(32,)", "2,080"],
            ["tanh", "1"],
            ["linear", "2", "weight", "(32,", "10),", "bias", "(10,)", "330"],
            ["total", "2,410"],
        ]

    def test_a_summary_counts_what_is_shared_once_and_what_is_frozen_not_at_all(self):
        shared = leaf(3)
        model = Holder(a=Holder(w=shared), b=Holder(w=shared), own=leaf(), frozen=Tensor(np.ones(9)))
        assert [line.split() for line in model.summary().splitlines()] == [
            ["Holder", "own", "()", "1"], ["a", "w", "(3,)", "3"], ["b"], ["total", "4"]
        ]  # fmt: skip

    def test_labels_count_the_modules_of_a_chain(self):
        chain = nn.Sequential(Linear(1, 1, rng=0), nn.Sequential(nn.Tanh(), Linear(1, 1, rng=0)))
        assert nn.labels(chain) == {
            "layers.0": "linear 1",
            "layers.1.layers.0": "tanh 1",
            "layers.1.layers.1": "linear 2",
        }
        assert nn.labels(Holder(inner=Holder())) == {"inner": "inner"}

    def test_a_repr_shows_what_is_inside(self):
        assert repr(nn.Dropout(0.3, rng=0)) == "Dropout(0.3)"
        assert repr(Holder()) == "Holder()"
        assert repr(Holder(a=nn.Tanh())) == "Holder(\n  a: Tanh()\n)"
        assert repr(MLP(2, 3, 1, output="sigmoid", rng=0)) == "MLP(2, 3, 1, activation='relu', output='sigmoid')"
        assert repr(Linear(2, 3, bias=False, rng=0)) == "Linear(2, 3, bias=False)"
