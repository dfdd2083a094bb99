"""Backward: what it adds up, what it keeps and lets go, what it refuses; hooks, higher derivatives."""

import contextvars
import warnings

import numpy as np
import pytest

from minigrad import SGD, Tensor, no_grad, op
from minigrad.engine.errors import DTypeError, GradientError, ShapeError
from minigrad.engine.graph import Leaf, Node, recording


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


class TestAddingUp:
    def test_a_tensor_used_twice_receives_both_gradients(self):
        x = leaf(3.0)
        (x * x).backward()
        assert x.grad.tolist() == [6]

    def test_one_tensor_used_many_times(self):
        x = leaf(1.0)
        total = x
        for _ in range(100_000):
            total = total + x
        total.backward()
        assert x.grad.tolist() == [100_001]

    def test_doubling_sixty_times_is_exact(self):
        x = y = leaf(1.0)
        for _ in range(60):
            y = y + y
        y.backward()
        assert x.grad.tolist() == [2.0**60]

    def test_both_sides_of_a_diamond_count(self):
        x = leaf(2.0)
        y = x * x
        (y * 3 + y * y).backward()
        assert x.grad.tolist() == [3 * 4 + 2 * 4 * 4]

    def test_gradients_of_several_backward_passes_add_up_until_they_are_cleared(self):
        x = leaf(1.0, 2.0)
        for _ in range(3):
            (x * x).sum().backward()
        assert x.grad.tolist() == [6, 12]
        x.grad = None
        (x * x).sum().backward()
        assert x.grad.tolist() == [2, 4]

    def test_a_leaf_alone_gets_the_seed(self):
        x = leaf(1.0, 2.0)
        seed = np.array([3.0, 4.0])
        x.backward(seed)
        seed[0] = 9
        assert x.grad.tolist() == [3, 4]

    def test_a_branch_that_does_not_lead_to_the_root_gets_nothing(self):
        x, y = leaf(1.0), leaf(1.0)
        kept = y * 2
        (x * 2).backward()
        assert y.grad is None
        assert kept.requires_grad

    def test_the_seed_may_have_another_float_type(self):
        x = leaf(1.0, 2.0, dtype=np.float32)
        (x * 2).backward(np.array([1.0, 2.0]))
        assert (x.grad.tolist(), x.grad.dtype) == ([2, 4], np.float32)


class TestASecondPass:
    def test_over_a_consumed_graph_is_refused(self):
        y = (leaf(1.0) * 2) * 3
        y.backward()
        with pytest.raises(
            GradientError, match=r"a part \(the value of shape \(1,\)\) was consumed .* retain_graph=True"
        ):
            y.backward()

    def test_over_a_graph_of_which_another_pass_took_a_part_is_refused(self):
        x = leaf(1.0)
        shared = x * x
        first, second = shared * 2, shared * 3
        first.backward()
        with pytest.raises(GradientError, match="consumed by an earlier backward"):
            second.backward()
        assert x.grad.tolist() == [4]

    def test_over_a_retained_graph_adds_exactly(self):
        x = leaf(1.5)
        y = x * x * x
        y.backward(retain_graph=True)
        y.backward()
        assert x.grad.tolist() == [2 * 3 * 1.5**2]

    def test_saved_arrays_go_as_the_nodes_are_consumed(self):
        y = leaf(1.0) * 2
        z = y * 3
        node = z.edge
        z.backward()
        assert (node.saved, node.edges, node.op) == ({}, (), None)


class TestWhatBackwardRefuses:
    @pytest.mark.parametrize(
        ("make", "said"),
        [
            (lambda x: x * 2, r"expected a single number to start from, got shape \(2,\); reduce it with .sum\(\)"),
            (lambda x: Tensor([1.0]), "this value has no gradient"),
            (lambda x: x.detach().sum(), r"The last operation here that dropped one was detach \(it takes the value"),
            (lambda x: no_grad()(lambda: x.sum())(), r"was sum under no_grad \(nothing is recorded\)"),
            (
                lambda x: Tensor(float(np.argmax(x))),
                r"was argmax \(piecewise constant\). Compute the loss before argmax.",
            ),
            (lambda x: Tensor(x.numpy().sum()), r"was numpy \(it takes"),
            (lambda x: Tensor((x > 1).sum() * 1.0), r"was greater \(piecewise constant\)"),
            (lambda x: Tensor(float(x.sum())), r"was item \(it takes"),
            (lambda x: x.astype(int).sum(), r"was astype \(whole numbers have no slope\)"),
        ],
    )
    def test_names_the_reason(self, make, said):
        x = leaf(1.0, 2.0)
        with pytest.raises(GradientError, match=f"^backward: .*{said}"):
            make(x).backward()
        assert x.grad is None

    def test_says_so_where_nothing_was_ever_recorded(self):
        with pytest.raises(
            GradientError, match="it was computed from constants only; give an input requires_grad=True"
        ):
            contextvars.Context().run(Tensor([1.0]).backward)

    @pytest.mark.parametrize(
        ("seed", "error", "said"),
        [
            (np.ones(3), ShapeError, r"a gradient of shape \(2,\), got \(3,\)"),
            (1.0, ShapeError, r"a gradient of shape \(2,\), got \(\)"),
            (np.ones(2, int), DTypeError, "a gradient of float64, got int64"),
            (np.ones(2, complex), DTypeError, "got complex128"),
        ],
    )
    def test_a_seed_that_does_not_fit(self, seed, error, said):
        x = leaf(1.0, 2.0)
        y = x * 2
        with pytest.raises(error, match=f"^backward: expected .*{said}"):
            y.backward(seed)
        y.backward(np.ones(2))
        assert x.grad.tolist() == [2, 2]

    @pytest.mark.parametrize("change", ["data", "in place", "step", "through data"])
    def test_a_parameter_that_changed_since(self, change):
        w = leaf(2.0)
        y = w * w
        if change == "data":
            w.data = np.array([5.0])
        elif change == "in place":
            with no_grad():
                w += 1
        elif change == "through data":
            w.data -= 1
        else:
            w.grad = Tensor([1.0])
            SGD([w], lr=1.0).step()
            w.grad = None
        with pytest.raises(GradientError, match=r"backward: multiply needs the value that x, of shape \(1,\), had"):
            y.backward()
        assert w.grad is None

    @pytest.mark.parametrize(
        "view",
        [
            lambda w: w.T,
            lambda w: w[0],
            lambda w: w.reshape(-1),
            lambda w: np.broadcast_to(w, (3, 2, 2)),
            lambda w: w.T[:, :1],
        ],
    )
    def test_a_parameter_that_changed_behind_a_view(self, view):
        w = Tensor(np.ones((2, 2)), requires_grad=True)
        v = view(w)
        y = (v * v).sum()
        w.data = np.zeros((2, 2))
        with pytest.raises(GradientError, match="overwritten it; call backward"):
            y.backward()

    def test_but_a_change_that_no_rule_needs_does_no_harm(self):
        w = leaf(2.0)
        y = w + 1
        z = w * 3
        w.data = np.array([7.0])
        (y + z).backward()
        assert w.grad.tolist() == [4]

    @pytest.mark.parametrize("ask", [lambda t: t.register_hook(print), lambda t: t.retain_grad()])
    def test_hooks_belong_to_tensors_with_a_gradient(self, ask):
        with pytest.raises(GradientError, match=r"(register_hook|retain_grad): .* got a constant of shape \(1,\)"):
            ask(Tensor([1.0]))


class TestHooks:
    def test_see_the_whole_gradient_once(self):
        seen = []
        x = leaf(1.0, 2.0)
        y = x * 2
        y.register_hook(lambda g: seen.append(g.tolist()))
        x.register_hook(lambda g: seen.append(g.tolist()))
        (y + y * y).sum().backward()
        assert seen == [[5, 9], [10, 18]]

    def test_may_change_it_and_can_be_removed(self):
        x = leaf(1.0, 2.0)
        y = x * 2
        remove = y.register_hook(lambda g: g * 10)
        y.sum().backward(retain_graph=True)
        remove()
        y.sum().backward()
        assert x.grad.tolist() == [22, 22]

    @pytest.mark.parametrize("answer", [np.ones(3), [1.0, 2.0], 1.0])
    def test_return_a_gradient_of_the_same_shape_or_nothing(self, answer):
        x = leaf(1.0, 2.0)
        y = x * 2
        y.register_hook(lambda g: answer)
        with pytest.raises(
            GradientError, match=r"register_hook: expected .* shape \(2,\) or None, got (ndarray|list|float)"
        ):
            y.sum().backward()
        assert x.grad is None

    def test_what_a_hook_returns_is_stored_in_the_dtype_of_the_tensor(self):
        x = Tensor(np.ones(2, np.float32), requires_grad=True)
        x.register_hook(lambda g: np.array([0.5, 2.0]))
        (x * 2).sum().backward()
        assert (x.grad.tolist(), x.grad.dtype) == ([0.5, 2], np.float32)

    def test_a_hook_on_a_leaf_changes_what_is_stored(self):
        x = leaf(1.0)
        x.register_hook(lambda g: np.zeros(1))
        (x * 2).backward()
        assert x.grad.tolist() == [0]

    def test_a_hook_gets_a_copy(self):
        x = leaf(1.0)
        x.register_hook(lambda g: g.data.fill(7) if g.data.flags.writeable else None)
        (x * 2).backward()
        assert x.grad.tolist() == [2]

    def test_under_create_graph_a_hook_may_look_at_numbers(self):
        seen = []
        x = leaf(3.0)
        y = x * x
        y.register_hook(lambda g: seen.append(float(g)))
        y.backward(create_graph=True)
        assert seen == [1]

    def test_retain_grad_keeps_the_gradient_of_a_computed_tensor(self):
        x = leaf(1.0, 2.0)
        y = x * 2
        y.retain_grad()
        y.retain_grad()
        (y * y).sum().backward()
        assert y.grad.tolist() == [4, 8]

    def test_an_error_in_a_hook_changes_no_gradient_and_no_mode(self):
        x, w = leaf(1.0), leaf(1.0)
        x.register_hook(lambda g: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            (x * w).backward()
        assert (x.grad, w.grad, recording.get()) == (None, None, True)


class TestHigherDerivatives:
    def test_the_gradient_can_be_differentiated_again_and_again(self):
        x = leaf(2.0)
        y = x**4
        for expected in (4 * 2**3, 12 * 2**2, 24 * 2, 24):
            x.grad = None
            y.backward(create_graph=True)
            y = x.grad
            assert y.tolist() == pytest.approx([expected])

    def test_a_seed_that_requires_gradients_is_part_of_the_graph(self):
        x, seed = leaf(2.0, 3.0), leaf(1.0, 1.0)
        (x * x).backward(seed, create_graph=True)
        first, x.grad = x.grad, None
        first.sum().backward()
        assert seed.grad.tolist() == [4, 6]

    @pytest.mark.parametrize(
        "drop", [lambda t: t * float(t.sum()), lambda t: t * t.item(), lambda t: t * np.array(t.tolist())]
    )
    def test_a_rule_cannot_drop_the_second_derivative_unseen(self, drop):
        cube = op(lambda v: v**3, name="cube", v=lambda g, v: g * 3 * (drop(v) if np.size(v) == 1 else v * v))
        x = leaf(2.0)
        cube(x).backward()
        assert x.grad is not None
        with pytest.raises(
            GradientError, match="expected a rule under create_graph to stay in the graph, got a call of"
        ):
            cube(x).backward(create_graph=True)


class TestMemoryIsNotShared:
    """Gradients alias neither each other, nor the seed, nor what the caller holds."""

    @pytest.mark.parametrize("create_graph", [False, True])
    @pytest.mark.parametrize(
        "f",
        [
            lambda x, y: x + y, lambda x, y: x - y, lambda x, y: np.stack([x, y]), lambda x, y: np.concatenate([x, y]),
            lambda x, y: x.reshape(2, 1) + y.reshape(2, 1), lambda x, y: np.where(True, x, 0) + y, lambda x, y: x[::-1] + y[::-1],
            lambda x, y: x.T + y.T, lambda x, y: x.astype(np.float32).astype(float) + y, lambda x, y: x + y + x,
        ],
    )  # fmt: skip
    def test_whatever_passes_the_gradient_on(self, f, create_graph):
        x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
        out = f(x, y)
        seed = np.ones(out.shape)
        given = Tensor(seed)
        out.backward(given, create_graph=create_graph)
        arrays = [x.grad.data, y.grad.data, seed, given.data, x.data, y.data, out.data]
        for i, a in enumerate(arrays):
            assert not any(np.shares_memory(a, b) for b in arrays[i + 1 :])

    def test_nor_a_gradient_that_is_the_seed_of_another_pass(self):
        x, y = leaf(1.0), leaf(2.0)
        (x * 3).backward()
        y.backward(x.grad)
        (y * 1).backward(x.grad)
        x.grad.data[0] = 99
        assert y.grad.tolist() == [6]

    def test_a_rule_that_returns_what_is_saved_gives_a_copy(self):
        pick = op(lambda a, b: (a * b).sum(), name="pick", a=lambda b: b, b=lambda a: a)
        a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
        pick(a, b).backward()
        assert not np.shares_memory(a.grad.data, b.data)
        assert not np.shares_memory(b.grad.data, a.data)

    def test_gradients_can_be_clipped_in_place_however_they_came_about(self):
        x = leaf(1.0, 2.0)
        for _ in range(2):
            x.sum().backward()
            x.grad.data *= 0.5
        assert x.grad.tolist() == [0.75, 0.75]

    @pytest.mark.parametrize("write", ["operand", "base of operand", "wrapped", "view", "result of another op", "mask"])
    def test_a_later_write_to_what_the_caller_holds_changes_no_gradient(self, write):
        x, array = leaf(1.0, 2.0), np.array([3.0, 4.0])
        operand = {"base of operand": array[:], "wrapped": Tensor(array), "view": array.view()}.get(write, array)
        if write == "mask":
            operand = array > 3
            y = np.where(operand, x, 0)
            operand[...] = True
            y.sum().backward()
            assert x.grad.tolist() == [0, 1]
            return
        if write == "result of another op":
            operand = np.multiply(array, 1.0)
        y = x * operand
        (operand if isinstance(operand, np.ndarray) else array)[...] = 0
        array[...] = 0
        y.sum().backward()
        assert x.grad.tolist() == [3, 4]

    def test_a_read_only_operand_is_kept_without_a_copy(self):
        array = np.array([3.0, 4.0])
        array.flags.writeable = False
        y = leaf(1.0, 2.0) * array
        assert y.edge.saved["y"] is array

    def test_a_function_that_returns_its_input_gives_a_copy(self):
        same = op(lambda a: a, name="same", a=lambda g: g)
        for x in (leaf(1.0, 2.0), Tensor([1.0, 2.0])):
            y = same(x)
            assert not np.shares_memory(y.data, x.data)
        part = op(lambda a: a[:1], name="part", a=lambda g, a_shape: np.broadcast_to(g, a_shape))
        w = leaf(1.0, 2.0)
        assert not np.shares_memory(part(w).data, w.data)
        assert w.data.flags.writeable


class TestWrongRules:
    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            (lambda g, a: g[:1], r"floats of shape \(2,\), got ndarray of shape \(1,\), dtype float64"),
            (lambda g, a: None, r"floats of shape \(2,\), got NoneType"),
            (lambda g, a: [1.0, 2.0], r"floats of shape \(2,\), got list"),
            (lambda g, a: np.ones(2, int), "dtype int64"),
            (lambda g, a: np.ones(2, complex), "dtype complex128"),
        ],
    )
    @pytest.mark.parametrize("kind", ["op", "elementwise"])
    def test_name_op_and_argument(self, rule, said, kind):
        from minigrad import elementwise

        made = (op if kind == "op" else elementwise)(lambda a: a * 2.0, name="double", a=rule)
        x = leaf(1.0, 2.0)
        with pytest.raises(
            GradientError, match=rf"double: expected the rule for a to return .*{said}.*; mend the rule"
        ):
            made(x).sum().backward()
        assert x.grad is None

    def test_a_slope_of_the_wrong_shape_is_found_too(self):
        from minigrad import elementwise

        for wrong in (lambda a: np.ones(3), lambda a: np.ones((2, 1)), lambda a: [1.0, 2.0], lambda a: None):
            made = elementwise(lambda a: a * 2.0, name="double", a=wrong)
            with pytest.raises(GradientError, match=r"double: .*the rule for a"):
                made(leaf(1.0, 2.0)).sum().backward()

    def test_a_rule_that_writes_into_its_gradient_is_stopped(self):
        def rule(g):
            g *= 2
            return g

        made = op(lambda a: a * 2, name="double", a=rule)
        with pytest.raises(GradientError, match=r"double: the rule for a failed: .*read-only"):
            made(leaf(1.0, 2.0)).sum().backward()

    def test_what_a_rule_raises_is_the_cause(self):
        made = op(lambda a: a * 2, name="double", a=lambda g: {}["here"])
        with pytest.raises(GradientError, match=r"double: the rule for a failed: 'here'; mend the rule") as caught:
            made(leaf(1.0)).backward()
        assert isinstance(caught.value.__cause__, KeyError)

    @pytest.mark.parametrize(
        ("raised", "seen"), [(ZeroDivisionError, GradientError), (KeyboardInterrupt, KeyboardInterrupt)]
    )
    def test_no_gradient_changes_when_a_later_rule_fails_or_is_interrupted(self, raised, seen):
        def rule(g):
            raise raised

        broken = op(lambda a: a * 2, name="broken", a=rule)
        x, w = leaf(1.0), leaf(1.0)
        w.grad = Tensor([5.0])
        with pytest.raises(seen):
            (broken(x) * w).backward()
        assert (x.grad, w.grad.tolist(), recording.get()) == (None, [5], True)


class TestAGradientThatWasUsed:
    def test_is_not_added_to_unseen(self):
        w = leaf(1.0, 2.0)
        (w * w).sum().backward()
        w.edge.used = True  # what an optimizer says after its step
        with pytest.warns(
            UserWarning, match=r"1 leaf, of shape \(2,\), still holds .* zero_grad\(\) after step"
        ) as seen:
            (w * w).sum().backward()
        assert seen[0].filename == __file__
        (w * w).sum().backward()  # told once: nothing new was used
        assert w.grad.tolist() == [6, 12]

    def test_of_many_leaves_names_a_few(self):
        leaves = [leaf(*range(n)) for n in range(1, 7)]
        for w in leaves:
            w.grad = Tensor(np.ones(w.shape))
            w.edge.used = True
        with pytest.warns(UserWarning, match=r"6 leaves, of shapes (\(\d,\)(, )?){4} …, still hold"):
            sum(w.sum() for w in leaves).backward()

    def test_but_was_set_to_zero_in_place_may_be_added_to(self):
        w = leaf(1.0, 2.0)
        (w * w).sum().backward()
        w.edge.used = True
        w.grad.data.fill(0)
        (w * w).sum().backward()
        assert w.grad.tolist() == [2, 4]

    def test_accumulating_before_the_step_is_meant(self):
        w = leaf(1.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in range(4):
                (w * w).backward()
            w.edge.used = True
            w.grad = None
            (w * w).backward()
            w.edge.used = True
            w.edge.grad = None
            (w * w).backward()
        assert w.grad.tolist() == [2]

    def test_as_an_error_it_changes_nothing(self):
        w = leaf(1.0)
        (w * w).backward()
        w.edge.used = True
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(UserWarning):
                (w * w).backward()
        assert w.grad.tolist() == [2]


def test_edges_point_to_edges_and_never_to_tensors():
    x = leaf(1.0, 2.0)
    y = np.exp(x * 2) + x
    todo, seen = [y.edge], []
    while todo:
        edge = todo.pop()
        seen.append(edge)
        values = [*edge.saved.values(), *edge.edges] if isinstance(edge, Node) else []
        assert not any(isinstance(value, Tensor) for value in values)
        todo += [one for _, one in edge.inputs()] if isinstance(edge, Node) else []
    assert {type(edge) for edge in seen} == {Node, Leaf}
