"""However an array lies in memory: the same values and gradients, nothing written to it, nothing shared with it."""

import numpy as np
import pytest

from minigrad import Tensor, ops
from minigrad.engine.op import OWN, Op
from minigrad.engine.tensor import RULES
from tests.engine.cases import EVERY, A, named
from tests.engine.layouts import LAYOUTS, root
from tests.engine.oracle import identical

CASES = {name: (f, inputs) for name, _, f, inputs in EVERY if "#" in name or name.endswith("(2, 3)")}
VIEWS = {
    "reshape", "ravel", "squeeze", "expand_dims", "swapaxes", "moveaxis", "transpose", "broadcast_to", "flip", "atleast_1d",
    "atleast_2d", "atleast_3d", "diagonal", "diag", "getitem",
}  # fmt: skip


def close(found, expected, size):
    """Equal within 4 ulp for each entry that may have been added up."""
    exact = 4 * np.spacing(np.max(np.abs(expected), initial=np.finfo(expected.dtype).tiny)) * max(size, 1)
    return found.shape == expected.shape and np.all(np.abs(found - expected) <= exact)


def computed(f, arrays):
    """Value and gradients."""
    ts = [Tensor(x, requires_grad=True) for x in arrays]
    out = f(*ts)
    if out.requires_grad:
        out.backward(np.linspace(1, 2, out.size).reshape(out.shape))
    return out.data, [np.zeros(t.shape) if t.grad is None else t.grad.data for t in ts]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_values_and_gradients_do_not_depend_on_it_and_the_inputs_stay(layout):
    wrong = []
    for name, (f, inputs) in CASES.items():
        if layout == "zero stride" and name.split()[0] in ("inv", "solve", "det", "slogdet", "norm"):
            continue  # whose matrices are singular then
        arrays = [LAYOUTS[layout](x) for x in inputs]
        before = [root(x).tobytes() for x in arrays]
        out, slopes = computed(f, arrays)
        plain, right = computed(f, [np.array(x, order="C") for x in arrays])
        size = max(x.size for x in inputs)
        good = close(out, plain, size) and all(close(*pair, size) for pair in zip(slopes, right))
        if [root(x).tobytes() for x in arrays] != before or not good:
            wrong.append(name)
        for i, result in enumerate([out, *slopes]):
            others = [*arrays, *([out, *slopes][:i])]
            wrong += [(name, "shares memory") for a in others if np.may_share_memory(result, a)]
    assert wrong == []


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_bytes_are_those_that_numpy_gives_for_the_array_of_the_tensor(layout, dtype):
    wrong = []
    with np.errstate(all="ignore"):
        for name, _, f, inputs in EVERY:
            if layout == "zero stride" and name.split()[0] in ("inv", "solve", "det", "slogdet", "norm"):
                continue
            ts = [Tensor(LAYOUTS[layout](x.astype(dtype))) for x in inputs]
            if not identical(f(*ts).data, np.asarray(f(*[t.data for t in ts]))):
                wrong.append(name)
    assert wrong == []


def test_constants_are_left_alone_too():
    wrong = []
    for name, (f, inputs) in CASES.items():
        for layout in ("F", "read-only", "every other"):
            arrays = [LAYOUTS[layout](x) for x in inputs]
            before = [root(x).tobytes() for x in arrays]
            constants = [Tensor(x) for x in arrays]
            out = f(*constants).data
            if any(np.may_share_memory(out, x) for x in [*arrays, *(t.data for t in constants)]):
                wrong.append((name, layout))
            if [root(x).tobytes() for x in arrays] != before:
                wrong.append((name, layout, "written to"))
    assert wrong == []


@pytest.mark.parametrize("name", ops.__all__)
def test_what_numpy_lacks_leaves_plain_arrays_alone(name):
    for case, (f, inputs) in CASES.items():
        if case.split()[0] == name:
            for layout in LAYOUTS:
                arrays = [LAYOUTS[layout](x) for x in inputs]
                before = [root(x).tobytes() for x in arrays]
                out = f(*arrays)
                assert type(out) in (np.ndarray, np.float64), (case, layout)
                assert not any(np.may_share_memory(np.asarray(out), x) for x in arrays), (case, layout)
                assert [root(x).tobytes() for x in arrays] == before, (case, layout)
                assert close(np.asarray(out), np.asarray(f(*[np.array(x, order="C") for x in arrays])), 20), (
                    case,
                    layout,
                )


def test_the_functions_whose_result_is_a_view_are_these():
    rules = {RULES[key] for key in OWN if isinstance(RULES[key], Op)}
    assert {rule.name for rule in rules if rule.view} == VIEWS


NO_VIEWS = [
    np.positive, np.copy, lambda x: np.diff(x, 0), lambda x: np.sum(x, ()), lambda x: np.roll(x, 0), lambda x: np.tile(x, 1),
    lambda x: np.pad(x, 0), lambda x: np.repeat(x, 1, 0), lambda x: np.concatenate([x]), lambda x: np.concatenate([x], None),
    lambda x: np.tril(x, 9), lambda x: np.einsum("ij->ij", x), lambda x: np.einsum("ij->ji", x), lambda x: np.einsum("ii->i", x[:, :2]),
    lambda x: x.astype(float), lambda x: np.where(True, x, 1), lambda x: np.clip(x, None, 9), lambda x: np.prod(x, ()),
    lambda x: np.max(x, ()), lambda x: np.take(x, [0, 1], 0), lambda x: np.sort(x), lambda x: x + 0, lambda x: x * 1, lambda x: x**1,
    lambda x: np.round(x, 20), lambda x: np.mean(x, ()), lambda x: np.take_along_axis(x, np.array([[0]]), 0), lambda x: np.vstack([x]),
    lambda x: np.linalg.norm(x[:1, :1]), lambda x: x[[0, 1]], lambda x: x[x == x],
]  # fmt: skip


@pytest.mark.parametrize("i", range(len(NO_VIEWS)))
@pytest.mark.parametrize("layout", ["C", "F", "read-only"])
@pytest.mark.parametrize("recorded", [True, False])
def test_no_other_result_shares_memory_even_where_nothing_changes(i, layout, recorded):
    x = LAYOUTS[layout](A)
    t = Tensor(x, requires_grad=recorded)
    out = NO_VIEWS[i](t)
    assert not np.may_share_memory(out.data, t.data)
    assert not np.may_share_memory(out.data, x)


@pytest.mark.parametrize(
    "key", [np.reshape, np.transpose, np.ravel, np.squeeze, np.flip, np.diagonal, "getitem"], ids=named
)
def test_a_view_cannot_be_written_to(key):
    t = Tensor(A, requires_grad=True)
    args = {np.reshape: [(3, 2)], "getitem": [slice(1)]}.get(key, [])
    out = RULES[key](t, *args)
    assert np.may_share_memory(out.data, t.data)
    with pytest.raises(ValueError, match="read-only"):
        out.data[...] = 0
