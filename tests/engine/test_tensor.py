"""What a Tensor is and refuses to be: values, conversions, assignment, and the words for each wrong use."""

import copy
import math
import pickle

import numpy as np
import pytest

from minigrad import Tensor, no_grad
from minigrad.engine.errors import DTypeError, GradientError, ShapeError
from minigrad.engine.habits import OF_TENSORS
from minigrad.engine.op import OWN


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


class TestWhatATensorIsMadeOf:
    @pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.int32, np.uint8, bool])
    def test_the_dtype_of_the_array_stays(self, dtype):
        assert Tensor(np.ones(3, dtype)).dtype == dtype
        assert Tensor([1, 0, 1], dtype=dtype).dtype == dtype

    @pytest.mark.parametrize(
        ("data", "got"),
        [
            (None, "got NoneType; give numbers only"),
            ("text", "got text; encode text as numbers"),
            (np.array([1, None]), "got object; give numbers only"),
            ([[1, 2], [3]], "got rows of unlike length; make every row equally long"),
            (np.zeros(2, [("a", float)]), "'a'"),
            (np.array(["2020-01-01"], "M8[D]"), r"got datetime64\[D\]"),
            (np.ones(2, complex), r"got complex128; take .real, .imag or np.abs of it"),
            (np.ones(2, np.float16), r"got float16; use .astype\(np.float32\)"),
            (np.ones(2, np.longdouble), "got float128|got longdouble"),
            (np.ma.masked_array([1.0, 2.0], [0, 1]), "got a masked array"),
        ],
        ids=["None", "text", "object", "ragged", "structured", "dates", "complex", "float16", "longdouble", "masked"],
    )
    def test_what_is_no_array_of_real_numbers_is_refused(self, data, got):
        with pytest.raises(DTypeError, match=f"^Tensor: expected .*{got}"):
            Tensor(data)

    @pytest.mark.parametrize(("data", "dtype"), [([1.0], "float33"), (["a"], np.float32)])
    def test_a_dtype_that_does_not_fit_is_named(self, data, dtype):
        with pytest.raises(
            DTypeError, match=r"got .*(float33|'a').*; give numbers, and dtype=np.float32 or np.float64$"
        ):
            Tensor(data, dtype=dtype)

    def test_whether_it_requires_gradients_is_said_when_it_is_made(self):
        with pytest.raises(AttributeError, match=r"got an assignment; write Tensor\(t.data, requires_grad=True\), or"):
            Tensor([1.0]).requires_grad = True

    def test_a_hook_is_a_function(self):
        with pytest.raises(TypeError, match="register_hook: expected a function of the gradient, got 3; lambda g"):
            leaf(1.0).register_hook(3)

    @pytest.mark.parametrize("data", [np.arange(3), [True, False]])
    def test_whole_numbers_have_no_gradient(self, data):
        with pytest.raises(DTypeError, match=r"expected floats to require gradients, got .*astype\(np.float32\)"):
            Tensor(data, requires_grad=True)

    def test_a_recorded_tensor_is_not_wrapped_again(self):
        with pytest.raises(GradientError, match=r"Tensor: expected plain data.*t.detach\(\)"):
            Tensor(leaf(1.0))
        assert Tensor(leaf(1.0).detach()).data.tolist() == [1.0]

    def test_a_writable_array_is_copied_and_a_read_only_one_kept(self):
        array = np.ones(3)
        t = Tensor(array)
        array[0] = 5
        assert t.data.tolist() == [1, 1, 1]
        fixed = np.ones(3)
        fixed.flags.writeable = False
        assert Tensor(fixed).data is fixed
        view = np.ones(3)
        half = view[:2]
        half.flags.writeable = False
        assert not np.shares_memory(Tensor(half).data, view)

    def test_a_leaf_owns_its_array(self):
        fixed = np.ones(3)
        fixed.flags.writeable = False
        assert not np.shares_memory(Tensor(fixed, requires_grad=True).data, fixed)


class TestNumbersOutOfATensor:
    def test_one_entry_is_a_number(self):
        t = leaf(2.5)
        assert (t.item(), float(t), int(t), bool(t), f"{t:.2f}") == (2.5, 2.5, 2, True, "2.50")
        assert math.isclose(math.exp(t), math.exp(2.5))

    @pytest.mark.parametrize(
        ("ask", "cure"),
        [
            (bool, r"use \(t > 0\).any\(\) or .all\(\)"),
            (float, r"reduce it first, .mean\(\) or .sum\(\)"),
            (int, "reduce it first"),
            (Tensor.item, "reduce it first"),
        ],
    )
    def test_several_entries_are_not(self, ask, cure):
        with pytest.raises(ShapeError, match=rf"Tensor.*: expected one entry, got shape \(2,\); {cure}"):
            ask(leaf(1.0, 2.0))

    @pytest.mark.parametrize(
        "ask", [np.asarray, np.asanyarray, np.ascontiguousarray, lambda t: np.array([t, t]), lambda t: np.full(2, t)]
    )
    def test_numpy_gets_no_plain_array_of_a_recorded_tensor(self, ask):
        with pytest.raises(GradientError, match=r"t.numpy\(\) or t.detach\(\).*np.stack"):
            ask(leaf(1.0, 2.0))

    def test_but_it_does_of_a_constant(self):
        assert np.asarray(Tensor([1.0, 2.0])).tolist() == [1, 2]
        assert np.array([Tensor([1.0, 2.0])] * 2).shape == (2, 2)

    def test_an_entry_of_an_array_takes_one_number_and_says_why_it_takes_no_more(self):
        a = np.zeros(2)
        a[0] = leaf(3.0)
        assert a.tolist() == [3, 0]
        assert np.fromiter([leaf(1.0), leaf(2.0)], float).tolist() == [1, 2]
        for ask in (lambda t: a.__setitem__(0, t), lambda t: np.fromiter([t, t], float)):
            with pytest.raises(ValueError, match="sequence") as caught:
                ask(leaf(1.0, 2.0))
            assert isinstance(caught.value.__cause__, ShapeError)

    def test_tolist_and_numpy_give_the_values(self):
        assert leaf(1.0, 2.0).tolist() == [1.0, 2.0]
        assert leaf(1.0, 2.0).numpy().tolist() == [1.0, 2.0]

    def test_len_and_iteration_follow_the_first_axis(self):
        t = Tensor(np.arange(6.0).reshape(2, 3), requires_grad=True)
        assert len(t) == 2
        first, second = t
        (first * 2 + second).sum().backward()
        assert t.grad.data.tolist() == [[2, 2, 2], [1, 1, 1]]
        for ask in (len, iter):
            with pytest.raises(TypeError, match=r"got shape \(\)"):
                ask(Tensor(1.0))


class TestAssignment:
    @pytest.mark.parametrize(
        "write",
        [
            lambda t: t.__setitem__(0, 1.0),
            lambda t: np.add(t, t, out=t),
            lambda t: np.add(np.ones(2), t, out=np.ones(2)),
            lambda t: np.ones(2).__iadd__(t),
            lambda t: t.__iadd__(1),
            lambda t: t.__itruediv__(2),
        ],
    )
    def test_a_recorded_value_is_not_written_to(self, write):
        t = leaf(1.0, 2.0)
        with pytest.raises(GradientError, match=r"np.where.*np.stack|new name"):
            write(t)
        assert t.data.tolist() == [1, 2]

    def test_a_computed_tensor_under_plus_equals_is_a_new_one(self):
        x = leaf(1.0, 2.0)
        y = kept = x * 2
        y += 1
        assert (y.data.tolist(), kept.data.tolist()) == ([3, 5], [2, 4])

    def test_a_leaf_is_updated_under_no_grad(self):
        w = same = leaf(1.0, 2.0)
        with no_grad():
            w -= 0.5
            w *= 2
        assert w is same
        assert w.data.tolist() == [1, 3]

    @pytest.mark.parametrize("name", ["data", "grad"])
    @pytest.mark.parametrize(
        ("value", "error", "said"),
        [
            (np.ones(3), ShapeError, r"expected shape \(2,\), got \(3,\)"),
            (np.ones((2, 1)), ShapeError, r"expected shape \(2,\), got \(2, 1\)"),
            (np.ones(2, np.float32), DTypeError, "expected float64, got float32"),
            (np.ones(2, int), DTypeError, "expected float64, got int64"),
        ],
    )
    def test_what_replaces_data_or_gradient_fits(self, name, value, error, said):
        t = leaf(1.0, 2.0)
        with pytest.raises(error, match=f"Tensor.{name}: {said}"):
            setattr(t, name, value)
        assert (t.data.tolist(), t.grad) == ([1, 2], None)

    def test_data_is_replaced_in_place(self):
        t = leaf(1.0, 2.0)
        before, new = t.data, np.array([3.0, 4.0])
        t.data = new
        assert t.data is before
        assert t.data.tolist() == [3, 4]
        constant = Tensor([1.0, 2.0])
        constant.data = new
        new[0] = 9
        assert constant.data.tolist() == [3, 4]

    def test_a_computed_tensor_keeps_its_data_and_a_constant_has_no_gradient(self):
        with pytest.raises(GradientError, match="expected a leaf, got a computed tensor"):
            (leaf(1.0) * 2).data = np.ones(1)
        with pytest.raises(
            GradientError, match=r"Tensor.grad: .* got a constant of shape \(1,\); say requires_grad=True"
        ):
            Tensor([1.0]).grad = np.ones(1)

    def test_computed_data_cannot_be_written_to(self):
        for t in (leaf(1.0) * 2, Tensor([1.0]) * 2, leaf(1.0)[:1], leaf(1.0).detach(), leaf(1.0).reshape(1, 1)):
            with pytest.raises(ValueError, match="read-only"):
                t.data[...] = 0


class TestComparisonsAndCopies:
    @pytest.mark.parametrize("compare", ["__eq__", "__ne__", "__lt__", "__ge__"])
    def test_none_is_asked_for_with_is(self, compare):
        with pytest.raises(TypeError, match="write `t is None`"):
            getattr(leaf(1.0), compare)(None)

    def test_comparisons_are_plain_and_tensors_can_be_keys(self):
        t = leaf(1.0, 3.0)
        assert type(t > 2) is np.ndarray
        assert ((t > 2).tolist(), (2 > t).tolist(), (t == t).tolist()) == ([False, True], [True, False], [True, True])
        assert {t: "here"}[t] == "here"

    @pytest.mark.parametrize("copied", [copy.deepcopy, copy.copy, lambda t: pickle.loads(pickle.dumps(t))])
    def test_leaves_and_constants_can_be_copied_and_computed_tensors_cannot(self, copied):
        for t in (leaf(1.0, 2.0), Tensor([1.0, 2.0])):
            twin = copied(t)
            assert (twin.tolist(), twin.requires_grad) == (t.tolist(), t.requires_grad)
        with pytest.raises(GradientError, match=r"got a computed tensor; use detach\(\)"):
            copied(leaf(1.0) * 2)

    def test_a_deep_copy_of_a_leaf_is_a_leaf_of_its_own(self):
        w = leaf(1.0)
        twin = copy.deepcopy(w)
        (twin * 3).backward()
        assert (w.grad, twin.grad.tolist()) == (None, [3])

    @pytest.mark.parametrize(
        ("t", "text"),
        [
            (Tensor([1.0, 2.0]), "Tensor([1. 2.])"),
            (leaf(1.0, 2.0), "Tensor([1. 2.], requires_grad=True, grad=None)"),
            (leaf(1.0, 2.0) * 2, "Tensor([2. 4.], from=multiply)"),
            (Tensor(np.zeros((2, 1))), "Tensor([[0.]\n        [0.]], shape=(2, 1))"),
            (Tensor(np.zeros(1000)), "Tensor([0. 0. 0. ... 0. 0. 0.], shape=(1000,))"),
        ],
    )
    def test_repr_says_what_it_is_and_whether_a_gradient_is_there(self, t, text):
        assert repr(t) == text

    def test_repr_changes_with_the_gradient(self):
        x = leaf(1.0)
        y = x * 2
        y.backward()
        assert repr(x).endswith("grad=set)")
        assert repr(y) == "Tensor([2.], from=a consumed graph)"


# What is asked of a tensor that was recorded: what stays in its graph, and what has no gradient.
RECORDED = {
    "T": lambda t: t.T, "reshape": lambda t: t.reshape(-1), "transpose": lambda t: t.transpose(1, 0), "astype": lambda t: t.astype(np.float32),
    "dot": lambda t: t.dot(np.ones(2)), "take": lambda t: t.take([0]), "repeat": lambda t: t.repeat(2), "clip": lambda t: t.clip(0, 1),
    "swapaxes": lambda t: t.swapaxes(0, 1), "__getitem__": lambda t: t[0], "__iter__": lambda t: next(iter(t)), "__round__": round,
    "__neg__": lambda t: -t, "__pos__": lambda t: +t, "__abs__": abs, "__pow__": lambda t: t**2, "__rpow__": lambda t: 2**t,
    **{f"__{r}{name}__": lambda t, name=f"__{r}{name}__": getattr(t, name)(np.full((2, 2), 2.0)) for r in ("", "r") for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "matmul")},
    **{name: lambda t, name=name: getattr(t, name)() for name in (
        "sum", "mean", "prod", "max", "min", "var", "std", "cumsum", "cumprod", "exp", "log", "sqrt", "tanh", "abs", "square", "sign", "round",
        "trace", "diagonal", "ravel", "flatten", "squeeze", "copy",
    )},
}  # fmt: skip
WITHOUT = {
    "any", "all", "argmax", "argmin", "argsort", "nonzero", "item", "numpy", "tolist", "detach", "shape", "dtype", "ndim", "size", "data",
    "edge", "grad", "requires_grad", "backward", "register_hook", "retain_grad", "tree", "__lt__", "__le__", "__gt__", "__ge__", "__eq__",
    "__ne__", "__len__", "__bool__", "__float__", "__int__", "__array__", "__array_ufunc__", "__array_function__", "__array_priority__",
    "__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__slots__", "__weakref__", "__module__", "__hash__", "__format__",
    "__init__", "__repr__", "__reduce__", "__doc__", "__dir__", *OF_TENSORS,
}  # fmt: skip


class TestNoMethodDropsAGradientUnseen:
    def test_every_method_is_recorded_or_known_to_have_none(self):
        own = {name for kind in Tensor.__mro__[:-1] for name in vars(kind) if name[0] != "_" or name.endswith("__")}
        with_a_rule = {getattr(function, "__name__", "") for function in OWN}  # those are held in test_rules.py
        assert own - {*RECORDED} - WITHOUT - with_a_rule - {"__annotations__"} == set()

    @pytest.mark.parametrize("name", RECORDED)
    def test_a_recorded_one_leads_back(self, name):
        t = Tensor([[0.5, 1.5], [2.5, 0.25]], requires_grad=True)
        out = RECORDED[name](t)
        out.sum().backward()
        assert t.grad.shape == (2, 2)


class TestDtypes:
    @pytest.mark.parametrize(
        "f",
        [
            lambda t: t + 1, lambda t: 2.5 * t, lambda t: t / 3, lambda t: 1 - t, lambda t: t**2, lambda t: t**0.5,
            lambda t: np.where(t > 1, t, 0), lambda t: np.maximum(t, 0.5), lambda t: np.clip(t, 0, 1.5), lambda t: t.mean(),
            lambda t: t.std(), lambda t: np.logaddexp(0, t), lambda t: t.sum(), lambda t: t.var(ddof=1), lambda t: np.hypot(t, 1),
            lambda t: np.arctan2(t, 2), lambda t: -t, lambda t: t % 2, lambda t: t[0], lambda t: np.mean(t * t, keepdims=True),
        ],
    )  # fmt: skip
    def test_float32_with_python_numbers_stays_float32(self, f):
        t = leaf(1.0, 2.0, dtype=np.float32)
        out = f(t)
        out.sum().backward()
        assert (out.dtype, t.grad.dtype) == (np.float32, np.float32)

    def test_float64_promotes_and_the_gradient_returns_to_float32(self):
        t = leaf(1.0, 2.0, dtype=np.float32)
        out = t * np.array([3.0, 4.0])
        out.sum().backward()
        assert (out.dtype, t.grad.dtype, t.grad.tolist()) == (np.float64, np.float32, [3, 4])

    @pytest.mark.parametrize(
        ("f", "slope"),
        [
            (lambda t: t * [1, 10], [1, 10]),
            (lambda t: t / (1, 10), [1, 0.1]),
            (lambda t: [2.0, 3.0] ** t, [2 * math.log(2), 9 * math.log(3)]),
            (lambda t: np.maximum([1.5, 1.5], t), [0, 1]),
        ],
    )
    def test_a_list_of_numbers_is_an_array(self, f, slope):
        t = leaf(1.0, 2.0)
        f(t).sum().backward()
        assert t.grad.data == pytest.approx(slope, rel=1e-15)

    def test_a_ragged_list_is_none(self):
        with pytest.raises(
            ShapeError, match=r"multiply: expected arguments that fit each other, got x \(2,\), y=\[\[1\]"
        ):
            leaf(1.0, 2.0) * [[1], [2, 3]]

    def test_astype_goes_both_ways_among_floats_and_cuts_to_whole_numbers(self):
        t = leaf(1.5, 2.5)
        (t.astype(np.float32) * 2).astype(float).sum().backward()
        assert (t.grad.dtype, t.grad.tolist()) == (np.float64, [2, 2])
        assert not t.astype(int).requires_grad

    @pytest.mark.parametrize("other", [1j, np.longdouble(2), np.ones(2, complex)])
    def test_what_would_leave_the_real_floats_is_refused(self, other):
        for t in (leaf(1.0, 2.0), Tensor([1.0, 2.0])):
            with pytest.raises(DTypeError, match="multiply: expected an array of float32, float64, integers or bool"):
                t * other


class TestFunctionsWithoutARule:
    def test_name_the_function_and_the_way_to_register_it(self):
        with pytest.raises(GradientError, match=r"np.fft.fft: .*minigrad.op\(np.fft.fft, a=.*t.detach\(\).numpy\(\)"):
            np.fft.fft(leaf(1.0, 2.0))

    @pytest.mark.parametrize("method", ["outer", "reduce", "accumulate", "at"])
    def test_methods_of_ufuncs_name_the_plain_call(self, method):
        with pytest.raises(GradientError, match=rf"np.add.{method}: expected a plain call np.add\(…\) on a Tensor"):
            getattr(np.add, method)(leaf(1.0, 2.0), *{"outer": [leaf(1.0)], "at": [0, 1.0]}.get(method, []))

    @pytest.mark.parametrize("key", ["where", "dtype", "casting", "order", "subok"])
    def test_keywords_that_no_rule_knows_are_refused(self, key):
        with pytest.raises(TypeError, match=f"exp: expected no {key}= on a Tensor, got .*; leave it out"):
            np.exp(leaf(1.0), **{key: "c16"})

    def test_but_may_have_the_value_that_they_have_anyway(self):
        t = leaf(1.0, 2.0)
        assert np.reshape(t, (2, 1), order="C").shape == np.reshape(t, (2, 1), "C").shape == (2, 1)
        assert np.sum(t, dtype=None).item() == 3
        with pytest.raises(TypeError, match="reshape: expected no order= on a Tensor, got 'F'"):
            np.reshape(t, (2, 1), order="F")

    def test_a_sum_from_an_initial_value_is_refused(self):
        with pytest.raises(TypeError, match="sum: expected no initial="):
            np.sum(leaf(1.0), initial=3.0)

    def test_too_many_arguments_are_counted(self):
        with pytest.raises(TypeError, match=r"tanh: expected at most 1 arguments \(x\), got 2"):
            leaf(1.0).tanh(1)

    @pytest.mark.parametrize("other", ["a", None, {}, [None, 1]])
    def test_arithmetic_with_what_is_no_number_names_both(self, other):
        with pytest.raises(TypeError, match=r"add: expected numbers, got x \(2,\), y"):
            leaf(1.0, 2.0) + other


class TestShapeErrors:
    A, B = np.ones((2, 3)), np.ones((2, 4))

    @pytest.mark.parametrize(
        "f", [np.add, np.subtract, np.multiply, np.divide, np.power, np.maximum, lambda x, y: np.where(x > 0, x, y)]
    )
    def test_shapes_that_do_not_broadcast_are_named_with_the_axis(self, f):
        with pytest.raises(
            ShapeError, match=r"\(2, 3\), .*\(2, 4\)[^;]*; they clash in axis -1: 3 and 4; make them equal"
        ):
            f(Tensor(self.A, requires_grad=True), Tensor(self.B))

    def test_the_first_axis_that_clashes_is_named(self):
        with pytest.raises(ShapeError, match="they clash in axis -2: 4 and 2"):
            Tensor(np.ones((4, 3)), requires_grad=True) + np.ones((5, 2, 3))

    @pytest.mark.parametrize(
        ("f", "said"),
        [
            (lambda t: t @ np.ones((2, 2)), r"matmul: .* x \(2, 3\), y \(2, 2\)"),
            (lambda t: t.sum() @ np.ones(2), r"matmul: .* x \(\), y \(2,\)"),
            (lambda t: np.concatenate([t, np.ones((2, 2))]), r"concatenate: .*\(2, 3\), \(2, 2\)"),
            (lambda t: np.stack([t, t[0]]), r"stack: .*\(2, 3\), \(3,\)"),
            (lambda t: t.sum(2), r"sum: expected axes that there are, each once, got a \(2, 3\), axis=2"),
            (lambda t: t.mean((0, 0)), r"mean: expected axes that there are, each once, got a \(2, 3\), axis=\(0, 0\)"),
            (lambda t: t.max(-3), r"max: .*axis=-3"),
            (lambda t: t.reshape(4), r"reshape: .* a \(2, 3\), shape=4"),
            (lambda t: t.reshape(-1, -1), r"reshape: .* a \(2, 3\), shape=\(-1, -1\)"),
            (lambda t: t.transpose(0, 0), r"transpose: .* a \(2, 3\), axes=\(0, 0\)"),
            (lambda t: t[:0].max(), r"max: .* a \(0, 3\)"),
            (lambda t: np.min(t[:, :0], axis=1), r"min: .* a \(2, 0\), axis=1"),
            (lambda t: np.broadcast_to(t, (4, 3)), r"broadcast_to: .* array \(2, 3\), shape=\(4, 3\)"),
        ],
    )  # fmt: skip
    def test_the_message_has_the_op_and_every_shape(self, f, said):
        with pytest.raises(ShapeError, match=said):
            f(Tensor(self.A, requires_grad=True))

    @pytest.mark.parametrize(
        ("f", "x", "said"),
        [
            (
                np.linalg.inv,
                np.zeros((2, 2)),
                r"inv: expected a matrix that has an inverse, got a \(2, 2\); NumPy says: Sing",
            ),
            (
                lambda x: np.linalg.solve(x, np.ones(2)),
                np.ones((2, 2)),
                r"solve: expected a matrix that has an inverse, got a",
            ),
            (
                lambda x: np.linalg.norm(x, 2),
                np.full((2, 2), np.nan),
                r"norm: expected finite numbers, got x \(2, 2\), ord=2",
            ),
        ],
    )
    def test_a_matrix_of_the_right_shape_may_still_be_none_that_can_be_used(self, f, x, said):
        with pytest.raises(np.linalg.LinAlgError, match=said) as caught:
            f(Tensor(x, requires_grad=True))
        assert not isinstance(caught.value, ShapeError)

    def test_concatenate_of_nothing(self):
        with pytest.raises(ValueError, match="at least one array"):
            np.concatenate([])

    @pytest.mark.parametrize("f", [lambda t: t.sum(1.5), lambda t: np.max(t, axis="x")])
    def test_an_axis_is_a_whole_number(self, f):
        with pytest.raises(TypeError, match=r"expected whole numbers as axis, got a \(2, 3\), axis="):
            f(Tensor(self.A, requires_grad=True))

    @pytest.mark.parametrize("index", [2, 1.0, np.ones((3, 3), bool), "x", (0, 0, 0), [[5]]])
    def test_an_index_that_does_not_fit_is_an_index_error(self, index):
        with pytest.raises(IndexError, match=r"getitem: expected an index that fits the shape, got a \(2, 3\), index"):
            Tensor(self.A, requires_grad=True)[index]
