"""However predictions and targets lie in memory: the same values and slopes, nothing written to them, nothing shared."""

import numpy as np
import pytest

from minigrad import Tensor, losses
from tests.engine.layouts import LAYOUTS, root
from tests.losses.samples import every, sampled


def close(found, expected):
    """Equal within 4 ulp for each entry that may have been added up, of a batch of few."""
    found, expected = np.asarray(found), np.asarray(expected)
    return found.shape == expected.shape and np.all(
        np.abs(found - expected) <= 4e-16 * 20 * (1 + np.abs(expected).max())
    )


def computed(loss, pred, target, reduction):
    """Value and slope through the engine, value and closed slope."""
    x = Tensor(pred, requires_grad=True)
    value = loss(x, target, reduction=reduction)
    value.backward(np.ones(value.shape))
    return value.data, x.grad.data, *loss.value_and_grad(pred, target, reduction=reduction)


@pytest.mark.parametrize("layout", [layout for layout in LAYOUTS if layout != "C"])
@pytest.mark.parametrize("text", every())
def test_a_loss_does_not_depend_on_it(text, layout):
    loss, pred, target = sampled(losses.get(text), 6, 3)
    if loss.pred == "log_probs" and layout == "zero stride":
        pred = np.full(pred.shape, -np.log(pred.shape[-1]))  # all equal, and of a sum of 1
    given = [
        LAYOUTS[layout](pred),
        None if target is None else LAYOUTS[layout if layout != "zero stride" else "C"](target),
    ]
    arrays = [a for a in given if a is not None]
    plain = [None if a is None else np.array(a, order="C") for a in given]
    before = [root(a).tobytes() for a in arrays]
    for reduction in ("mean",) if loss.coupled else ("none", "mean"):
        results = computed(loss, *given, reduction)
        assert all(close(*pair) for pair in zip(results, computed(loss, *plain, reduction)))
        assert [root(a).tobytes() for a in arrays] == before
        assert not any(np.may_share_memory(np.asarray(result), a) for result in results for a in arrays)
        assert not np.may_share_memory(results[1], results[3])
