"""How a loss travels to another process, and which one cannot."""

import copy
import pickle
import re
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from minigrad import Tensor, loss, losses
from minigrad.engine.errors import UnknownLossError
from minigrad.losses import lookup
from tests.losses.own import cubic, halves, odd
from tests.losses.packs import good, install


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
        (0.1 * cubic + 0.9 * losses.get("tukey")).with_(reduction="sum"), losses.get("huber", delta=3).named("wide"), losses.get("mae").named("mse"),
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
        "inner: expected a loss that another process can import, got one that tests.losses.test_pickling does not show as "
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


def test_a_loss_whose_name_now_means_another_does_not_travel():
    def earlier(pred, target):
        return pred - target

    earlier.__qualname__, earlier.__module__ = "cubic", cubic.__module__
    with pytest.raises(TypeError, match=r"does not show as cubic; define it at the top of a module"):
        pickle.dumps(loss(earlier))


def test_a_loss_made_from_a_text_does_not_travel():
    names = {}
    exec("from minigrad import loss\n@loss\ndef spoken(pred, target):\n    return pred - target", names)
    with pytest.raises(
        TypeError, match="got one that a text does not show as spoken; define it at the top of a module"
    ):
        pickle.dumps(names["spoken"])
