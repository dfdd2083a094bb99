"""What a trace says, and how it is laid out: 80 columns, the same words for the same numbers."""

import json
import math
import re

import numpy as np
import pytest

from minigrad import MLP, Linear, check_loss, diff, loss, losses, nn, ops, trace
from minigrad.explain.text import number
from tests.explain.nets import batch, every_loss, network

LOSSES = every_loss()


@loss(pred="logit", target="unit")
def half_mse_sigmoid(pred, target):
    return 0.5 * (ops.sigmoid(pred) - target) ** 2


def wrong_and_sure():
    """A trace of a point far on the wrong side."""
    g = np.random.default_rng(1)
    x, y = g.standard_normal((200, 2)), g.integers(0, 2, 200)
    x[53], y[53] = [4, 4], 1
    model = MLP(2, 16, 16, 1, activation="tanh", init="lecun", rng=0)
    model.layers[-1].weight.data = 3 * model.layers[-1].weight.data
    model.layers[-1].bias.data = np.full(1, -4.0, np.float32)
    return trace(model, "bce_with_logits", x, y, sample=53, also=half_mse_sigmoid)


def masked(text):
    """The same text with every number as #."""
    return re.sub(r"[-+]?\d+(\.\d+)?(e-?\d+)?", "#", text)


def test_the_layout_is_that_of_the_page():
    expected = """\
trace  bce_with_logits   sample # of #
  z = #   p = #   y = #   loss #
                  arrives factor leaves running   ‖dW‖   ‖db‖   share    pull
loss                              #   #
linear #  # → #    #  #  #   #  #  #   # %  #
tanh #              #  #  #   #  mean slope # quiet # of #
linear #  # → #   #  #  #   #  #  #   # %  #
tanh #              #  #  #   #  mean slope # quiet # of #
linear #   # → #   #  #  #   #  #  #   # %  #
input               #
# × # × # × # × # × # = #   autograd #"""
    lines = masked(str(wrong_and_sure())).splitlines()
    squeezed = [re.sub(" +", " ", line) for line in lines]
    assert squeezed[: len(expected.splitlines())] == [re.sub(" +", " ", line) for line in expected.splitlines()]


def test_the_sentences_state_the_numbers_of_the_record():
    found = wrong_and_sure()
    said = " ".join(str(found).split())
    other = found.also[0]
    assert f"Wrong and sure: the loss sends {number(found.start)} of at most 1; half_mse_sigmoid would send" in said
    assert f"would send {number(other.start)}, {other.ratio:.3g} times less at every layer." in said
    slopes = math.prod(row.factor for row in found.rows if row.kind == "activation")
    weights = math.prod(row.factor for row in found.rows if row.kind == "linear")
    assert f"The activations keep {100 * slopes:.2g} % of it, the weights multiply it by {weights:.3g}." in said
    against = [row.name for row in found.rows if row.pull is not None and row.pull < 0]
    assert ("pulls against the batch" in said) == bool(against)


@pytest.mark.parametrize(
    ("slope", "said"),
    [
        (0.25, "keep 25 % of it"), (0.00034, "keep 1/2941 of it"), (1e-9, "keep 1/1.0e9 of it"), (0.9968, "keep 99.68 % of it"),
        (1.0, "keep all of it"), (1.05, "multiply it by 1.05"),
    ],
)  # fmt: skip
def test_what_the_activations_keep_is_said_in_words_that_fit_its_size(slope, said):
    model = nn.Sequential(Linear(1, 1, rng=0), nn.LeakyReLU(slope), Linear(1, 1, rng=1))
    for layer, weight in ((model.layers[0], -1.0), (model.layers[2], 2.0)):
        layer.weight.data = np.full((1, 1), weight, np.float32)
    assert f"The activations {said}, the weights multiply it by 2." in str(trace(model, "mse", [[1.0]], [3.0]))


def test_a_prompt_shows_records_as_they_are_printed():
    x, y = np.zeros((3, 2)), [0, 1, 1]
    model = MLP(2, 1, rng=0)
    for record in (trace(model, "hinge", x, y), diff(model, "hinge", "focal", x, y), check_loss("mse")):
        assert repr(record) == str(record)
        assert "\n" in repr(record)


@pytest.mark.parametrize("name", LOSSES)
def test_no_line_is_longer_than_80_columns(name):
    for depth, also in ((1, ()), (12, [name])):
        each, x, y = batch(LOSSES[name], n=3)
        text = str(trace(network(LOSSES[name], depth), each, x, y, also=also and [each]))
        assert max(map(len, text.splitlines())) <= 80
        assert "nan" not in text
        assert "inf" not in text.replace("information", "")


def test_wide_layers_long_names_and_huge_numbers_stay_in_80_columns():
    @loss(pred="logits", target="index")
    def a_loss_with_a_name_that_is_a_good_deal_longer_than_anybody_would_ever_wish_to_type(pred, target):
        return np.sum(pred, -1) * 1e100

    model = MLP(1000, 1000, 30, rng=0, dtype=np.float64)
    model.layers[0].weight.data = model.layers[0].weight.data * 1e110
    found = trace(model, a_loss_with_a_name_that_is_a_good_deal_longer_than_anybody_would_ever_wish_to_type,
                  np.ones((2, 1000)), [0, 29], also=["cross_entropy"])  # fmt: skip
    text = str(found)
    assert max(map(len, text.splitlines()[2:])) <= 80
    assert "e110" in text
    assert "inf" not in text


def test_several_outputs_say_where_two_losses_differ():
    g = np.random.default_rng(0)
    model = MLP(4, 8, 3, rng=0)
    found = trace(model, "cross_entropy", g.standard_normal((9, 4)), g.integers(0, 3, 9), also=squared)
    said = " ".join(str(found).split())
    assert re.search(
        r"squared would send \S+, \S+ times (less|more) at the last layer, \S+ times (less|more) at the input", said
    )
    assert re.search(r"z = \(\S+, \S+, \S+\) p_y = \S+ y = \d loss", said)


@loss(pred="logits", target="index")
def squared(pred, target):
    return np.sum((ops.softmax(pred) - np.eye(3)[target]) ** 2, -1)


def test_a_bound_is_spoken_of_only_where_there_is_one():
    x, y = np.ones((2, 4)), [0, 1]
    said = {
        name: str(trace(MLP(4, 1, rng=0), name, x, y)) for name in ("mae", "huber(delta=3)", "mse", "bce_with_logits")
    }
    assert ["of at most" in text for text in said.values()] == [True, True, False, True]
    assert "of at most 3" in said["huber(delta=3)"]
    wide = trace(MLP(4, 5, rng=0), "cross_entropy", x, y)
    assert wide.most == pytest.approx(math.sqrt(2), rel=1e-9)
    assert wide.start <= wide.most


@pytest.mark.parametrize("name", [name for name in LOSSES if name in ("focal", "poisson_nll", "squared_hinge")])
def test_what_is_loudest_in_the_middle_or_grows_for_ever_has_no_bound(name):
    each, x, y = batch(LOSSES[name])
    assert trace(network(LOSSES[name]), each, x, y).most is None


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (0.98817, "0.988"), (12.3456, "12.346"), (123.456, "123.5"), (1234.4, "1234"), (0.01134, "0.0113"),
     (1.234e-5, "1.2e-5"), (1.3e-12, "1e-12"), (9.96e-10, "1.0e-9"), (1.3e12, "1.3e12"),
     (98765, "9.9e4"), (1e-200, "1e-200"), (3.3e110, "3e110"), (0.9999, "1.000")],
)  # fmt: skip
def test_a_size_is_written_in_a_few_letters(value, text):
    assert number(value) == text
    assert len(text) <= 6


def test_the_record_is_plain_data():
    found = wrong_and_sure()
    data = found.to_dict()
    assert json.loads(json.dumps(data, allow_nan=False)) == data
    assert data["rows"][0]["factor"] == found.rows[0].factor
    assert data["also"][0]["loss"] == "half_mse_sigmoid"
    assert data["target"] == [1]
    assert losses.get(data["loss"]) == losses.get("bce_with_logits")
