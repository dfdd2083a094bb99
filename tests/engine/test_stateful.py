"""Any order of what a training script may do, against a second engine that carries whole Jacobians forward.

Values are pairs of numbers. For each the model holds its derivative by every leaf, as 2 × 2 matrices, and what a backward
pass from it is going to need: nodes that no other pass has consumed, and leaves that nobody has overwritten.
"""

import contextlib
import os
import tempfile
import warnings

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from minigrad import SGD, Tensor, load, nn, no_grad, save
from minigrad.engine.errors import CheckpointError, GradientError
from minigrad.engine.graph import recording

QUICK = settings(derandomize=True, database=None, deadline=None, max_examples=50, stateful_step_count=30)
LONG = settings(database=None, deadline=None, max_examples=2000, stateful_step_count=50, print_blob=True)
FLIP, SUMS = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 0.0], [1.0, 1.0]])
INTACT, PERHAPS, CONSUMED = range(3)
KINDS = ["add", "multiply", "sin", "exp", "flip", "cumsum", "detach", "plain"]
numbers = st.tuples(*[st.integers(-8, 8).map(lambda n: n / 4)] * 2).map(np.array)
places = st.integers(0, 30)


class Known:
    """What is known of a tensor: its derivatives by leaf, the nodes behind it, the leaves whose values they need."""

    def __init__(self, tensor, value, jacobians=(), behind=(), needs=(), view_of=None):
        self.tensor, self.own, self.view_of = tensor, value, view_of
        self.jacobians, self.behind, self.needs = dict(jacobians), {*behind}, dict(needs)
        self.state = INTACT

    @property
    def value(self):
        """A view shows what the leaf holds now; anything else has a value of its own."""
        return self.own if self.view_of is None else self.view_of[1](self.view_of[0].value)

    @property
    def leaf(self):
        """The leaf of which it is a view, or which it is."""
        return self if isinstance(self, Leaf) else self.view_of and self.view_of[0].leaf


class Leaf(Known):
    """A parameter, with what its gradient should be."""

    def __init__(self, value):
        tensor = Tensor(value, requires_grad=True)
        super().__init__(tensor, value, {self: np.eye(2)})
        self.optimizer, self.grad, self.version = SGD([tensor], lr=0.25), None, 0

    def overwritten(self, value):
        self.own, self.version = value, self.version + 1


class Machine(RuleBasedStateMachine):
    @initialize(first=numbers, second=numbers)
    def start(self, first, second):
        self.folder, self.saved, self.seed = tempfile.TemporaryDirectory(), None, np.zeros(2)
        self.module, self.leaves, self.all = nn.Module(), [], []
        self.create_leaf(first)
        self.create_leaf(second)

    def teardown(self):
        if hasattr(self, "folder"):
            self.folder.cleanup()

    def pick(self, place):
        return self.all[-1 - place % len(self.all)]

    @precondition(lambda self: len(self.leaves) < 4)
    @rule(value=numbers)
    def create_leaf(self, value):
        self.leaves.append(Leaf(value))
        self.all.append(self.leaves[-1])
        setattr(self.module, f"p{len(self.leaves)}", self.leaves[-1].tensor)

    @rule(value=numbers)
    def create_constant(self, value):
        array = value.copy()
        self.all.append(Known(Tensor(array), value))
        array[...] = 99

    @rule(steps=st.lists(st.tuples(st.sampled_from(KINDS), places, places, st.integers(0, 5)), min_size=2, max_size=6))
    def compute(self, steps):
        for kind, i, j, record in steps:
            self.compute_one(kind, self.pick(i), self.pick(j), record > 0)

    def compute_one(self, kind, x, y, record):
        a, b, s, t = x.value, y.value, x.tensor, y.tensor
        mode = no_grad() if not record else warnings.catch_warnings()
        with mode:
            value, jacobians, tensor = {
                "add": lambda: (a + b, [(x, np.eye(2)), (y, np.eye(2))], s + t),
                "multiply": lambda: (a * b, [(x, np.diag(b)), (y, np.diag(a))], s * t),
                "sin": lambda: (np.sin(a), [(x, np.diag(np.cos(a)))], np.sin(s)),
                "exp": lambda: (np.exp(-a * a), [(x, np.diag(-2 * a * np.exp(-a * a)))], np.exp(-s * s)),
                "flip": lambda: (a[::-1], [(x, FLIP)], s[::-1]),
                "cumsum": lambda: (SUMS @ a, [(x, SUMS)], np.cumsum(s)),
                "detach": lambda: (a, [], s.detach()),
                "plain": lambda: (a * b.copy(), [(x, np.diag(b))], s * b),
            }[kind]()
        view = {"flip": (x, lambda v: v[::-1]), "detach": (x, lambda v: v)}.get(kind)
        made = Known(tensor, value, view_of=view if x.leaf else None)
        recorded = [one for one, _ in jacobians if one.jacobians and record]
        for one in recorded:
            made.behind |= one.behind | ({one} - {*self.leaves})
            for leaf, version in one.needs.items():
                made.needs[leaf] = min(version, made.needs.get(leaf, version))
        for one, matrix in jacobians if recorded else ():
            for leaf, inner in one.jacobians.items():
                made.jacobians[leaf] = made.jacobians.get(leaf, 0) + matrix @ inner
        if recorded and (kind in ("sin", "exp") or (kind == "multiply" and x.jacobians and y.jacobians)):
            for leaf in {x.leaf, y.leaf if kind == "multiply" else None} - {None}:
                made.needs[leaf] = min(leaf.version, made.needs.get(leaf, leaf.version))
        self.all.append(made)

    @rule(place=places, seed=numbers, retain=st.sampled_from([True, True, False]))
    def backward(self, place, seed, retain):
        self.walk_back(self.pick(place), seed, retain)

    @precondition(lambda self: any(known.behind for known in self.all))
    @rule(places=st.lists(places, min_size=1, max_size=3), seed=numbers, retain=st.sampled_from([True, True, False]))
    def backward_from_computed_values(self, places, seed, retain):
        recorded = [known for known in self.all if known.behind]
        for place in places:
            self.walk_back(recorded[-1 - place % len(recorded)], seed, retain)

    def walk_back(self, root, seed, retain):
        nodes = root.behind | ({root} - {*self.leaves})
        stale = any(leaf.version != version for leaf, version in root.needs.items())
        state = max((node.state for node in nodes), default=INTACT)
        given = seed.copy()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # a gradient that a step has used is added to: meant here
                root.tensor.backward(given, retain_graph=retain)
        except GradientError as error:
            said = str(error)
            assert not root.jacobians or stale or state != INTACT
            assert ("has no gradient" in said) == (not root.jacobians)
            if root.jacobians and not retain:  # what came before the error may have been consumed
                for node in nodes:
                    node.state = max(node.state, PERHAPS)
            return
        assert root.jacobians
        assert not stale
        assert state != CONSUMED
        self.seed = given
        for node in nodes if not retain else ():
            node.state = CONSUMED
        for leaf, matrix in root.jacobians.items():
            expected = seed @ matrix + (0 if leaf.grad is None else leaf.grad)
            assert leaf.tensor.grad.data == pytest.approx(expected, rel=1e-12, abs=1e-12 * np.abs(matrix).sum() + 1e-15)
            leaf.grad = leaf.tensor.grad.data.copy()

    @rule(place=places)
    def zero_grad(self, place):
        leaf = self.leaves[place % len(self.leaves)]
        leaf.optimizer.zero_grad()
        leaf.grad = None

    @rule(place=places, value=numbers, way=st.sampled_from(["data", "in place", "through data"]))
    def mutate(self, place, value, way):
        leaf = self.leaves[place % len(self.leaves)]
        if way == "data":
            leaf.tensor.data = value
            leaf.overwritten(value)
        elif way == "in place":
            with contextlib.suppress(KeyError), no_grad():
                leaf.tensor += value
                raise KeyError  # which must not leave the mode behind
            leaf.overwritten(leaf.own + value)
        else:
            leaf.tensor.data *= 0.5
            leaf.overwritten(leaf.own * 0.5)

    @rule(place=places)
    def step(self, place):
        leaf = self.leaves[place % len(self.leaves)]
        if leaf.grad is not None:
            leaf.optimizer.step()
            leaf.overwritten(leaf.own - 0.25 * leaf.grad)

    @rule()
    def save(self):
        save(os.path.join(self.folder.name, "all.npz"), self.module)
        self.saved = [leaf.own.copy() for leaf in self.leaves]

    @precondition(lambda self: self.saved is not None)
    @rule()
    def load(self):
        path = os.path.join(self.folder.name, "all.npz")
        if len(self.saved) != len(self.leaves):
            with pytest.raises(CheckpointError):
                load(path, self.module)
            return
        load(path, self.module)
        for leaf, value in zip(self.leaves, self.saved):
            leaf.overwritten(value.copy())

    @invariant()
    def everything_is_as_it_should_be(self):
        assert recording.get() is True
        for known in getattr(self, "all", ()):
            assert np.allclose(known.tensor.data, known.value, rtol=1e-13, atol=1e-13)
            assert known.tensor.requires_grad == bool(known.jacobians)
        leaves = getattr(self, "leaves", ())
        for leaf in leaves:
            grad = leaf.tensor.grad
            assert (grad is None) == (leaf.grad is None)
            assert grad is None or np.array_equal(grad.data, leaf.grad)
        arrays = [leaf.tensor.data for leaf in leaves] + [
            leaf.tensor.grad.data for leaf in leaves if leaf.grad is not None
        ]
        arrays += [self.seed] if leaves else []
        assert not any(np.shares_memory(a, b) for i, a in enumerate(arrays) for b in arrays[:i])


def test_a_script_may_do_anything_in_any_order():
    run_state_machine_as_test(Machine, settings=QUICK)


@pytest.mark.slow
def test_very_many_scripts_may_do_anything_in_any_order():
    run_state_machine_as_test(Machine, settings=LONG)
