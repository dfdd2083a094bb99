"""A loss is read from its text: names, literals, sums; nothing is evaluated."""

import numpy as np
import pytest

from minigrad import Tensor, losses
from minigrad.engine.errors import DomainError, UnknownLossError
from tests.losses.own import cubic, odd
from tests.losses.packs import good, install


@pytest.mark.parametrize(
    "text",
    [
        "mse", "huber(delta=2)", "huber(delta=2.0)", "huber(delta=0.30000000000000004)", "huber(delta=1e-05)",
        "huber(delta=1.7976931348623157e+100)", "huber(delta=5e-324)", "cross_entropy(label_smoothing=0.1)",
        "huber(delta=2, reduction='sum')", "mse(reduction='weighted_mean')",
        "cross_entropy(class_weight=[1.0, 2.0])", "bce_with_logits(pos_weight=[1.0, 3.5])",
        "0.7 * mse + 0.3 * mae", "0.1 * mse", "-0.3 * mae", "0.7 * mse + -0.3 * mae", "mse + mae", "1e-05 * mse + mae",
        "0.30000000000000004 * mse", "2 * (0.5 * mse + 0.5 * huber(delta=2))", "mse + mae + huber",
        "(0.7 * mse + 0.3 * mae)(reduction='sum')", "2 * (0.5 * mse + -0.5 * (mae + 1e-05 * huber(delta=3)))",
        "here:cubic", "0.5 * here:cubic + 0.5 * mse", "here:odd(scale=-1.5)", "here:odd(mode='x')", "here:odd(mode='a:b')",
        "here:odd(mode='it\\'s \"x\" {y:z} + 2 * here:cubic')", "here:odd(mode=None)", "here:odd(scale=[1.0, -2.5])",
        "here:odd(table={'a:b': [1, 2], -1: (3,)})", "here:odd(limits=(-1e-05, inf))", "here:odd(scale=-inf)",
        "here:odd(scale=True, mode='\\x1b[31m')", "robust-2.x:tukey", "0.5 * robust-2.x:tukey + -0.5 * 01_first:late",
    ],
)  # fmt: skip
def test_the_text_of_a_loss_leads_back_to_it(text, site, tmp_path):
    losses.register(cubic)
    losses.register(odd)
    install(site, "robust-2.x", good("tukey"), module="pack_robust")
    (tmp_path / "01_first.py").write_text(
        "from minigrad import loss\n@loss\ndef late(pred, target):\n    return abs(pred - target)\n"
    )
    losses.add_file(tmp_path / "01_first.py")
    found = losses.get(text)
    again = losses.get(str(found))
    assert again == found
    assert str(again) == str(found)
    assert again.given.keys() == found.given.keys()
    assert found([3.0, 0.5], [1.0, 1.0]).data == again([3.0, 0.5], [1.0, 1.0]).data if found.pred == "real" else True


def test_floats_are_kept_to_the_last_bit():
    for delta in np.random.default_rng(0).lognormal(0, 30, 200):
        found = losses.get(str(losses.get("huber", delta=float(delta))))
        assert found.given["delta"] == delta
        assert losses.get(str(float(delta) * losses.get("mse"))).parts[0][0] == delta


def test_a_loss_that_holds_a_tensor_says_that_it_has_no_text(site):
    losses.register(odd)
    learned = losses.get("odd", scale=Tensor(2.0, requires_grad=True))
    with pytest.raises(ValueError, match="is no literal"):
        losses.get(str(learned))


FORM = "write a name, name(parameter=literal), or a sum such as 0.7 * mse + 0.3 * mae"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("huber(delta=__import__('os'))", "__import__('os') is no literal"),
        ("huber(delta=open('/etc/passwd'))", "is no literal"),
        ("huber(delta=mse)", "mse is no literal"),
        ("huber(delta=1 + 1)", "1 + 1 is no literal"),
        ("huber(delta=f'{1}')", "is no literal"),
        ("huber(delta=(lambda: 1)())", "is no literal"),
        ("huber(delta=[x for x in (1,)])", "is no literal"),
        ("huber(delta=1", "'(' was never closed"),
        ("huber(delta=", "'(' was never closed"),
        ("huber)", "unmatched ')'"),
        ("huber(2)", "parameters are given by name, huber(parameter=literal)"),
        ("huber(*[2])", "parameters are given by name"),
        ("huber(**{'delta': 2})", "each parameter is given once, by name"),
        ("huber(delta=1, delta=2)", "each parameter is given once, by name"),
        ("huber(delta=2)(delta=3)", "huber(delta=2)(delta=3) is neither a name nor a sum of losses"),
        ("huber()()", "huber()() is neither a name nor a sum of losses"),
        ("mse.function()", "is neither a name nor a sum of losses"),
        ("(lambda: 1)()", "is neither a name nor a sum of losses"),
        ("mse - mae", "mse - mae is neither a name nor a sum of losses"),
        ("mse * 0.5", "mse is no literal"),
        ("mse * mae", "mse is no literal"),
        ("'a' * mse", "'a' is no number"),
        ("True * mse", "True is no number"),
        ("[1] * mse", "[1] is no number"),
        ("0.5 * 3 * mse", "0.5 * 3 is no literal"),
        ("3 + mse", "3 is neither a name nor a sum of losses"),
        ("mse = 3", "invalid syntax"),
        ("(x := 3)", "is neither a name nor a sum of losses"),
        ("mse\n+ mae\n", "invalid syntax"),
        ("mse + \x00", "null bytes"),
        ("\ud800 + mse", ""),
        ("x" * 10_240, "it is longer than 8000 characters"),
        ("mse + " * 2_000 + "mse", "it is longer than 8000 characters"),
        ("(" * 4_000 + "mse" + ")" * 3_000, ""),
        ("huber(delta=" + "-" * 7_000 + "1)", ""),
        ("huber(delta=" + "[" * 3_000 + "]" * 3_000 + ")", ""),
    ],
    ids=lambda value: f"{value:.25}",
)  # fmt: skip
def test_a_text_of_another_form_is_refused_and_nothing_is_evaluated(text, why):
    with pytest.raises(ValueError, match=r"^losses\.get: expected the text of a loss, got ") as caught:
        losses.get(text)
    assert type(caught.value) is ValueError
    assert why in str(caught.value)
    assert str(caught.value).endswith(FORM)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isprintable()


def test_a_sum_too_long_for_python_is_refused_and_a_long_one_is_read():
    assert losses.get("mse + " * 50 + "mse").text.count("mse") == 51
    with pytest.raises(ValueError, match="expected the text of a loss"):
        losses.get("mse + " * 1_300 + "mse")


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("huber(detla=1)", TypeError, "^huber: no parameter 'detla'; did you mean 'delta'\\?$"),
        ("0.5 * huber(detla=1) + mse", TypeError, "did you mean 'delta'"),
        ("huber(delta=-1)", DomainError, "^huber: expected delta > 0, got -1"),
        ("huber(delta=nan)", DomainError, "^huber: expected delta > 0, got nan"),
        ("huber(delta='1')", TypeError, "huber: expected a number for delta"),
        ("huber(reduction='avg')", ValueError, "^huber: expected reduction .* got 'avg'; did you mean"),
        ("huber(reduction=['sum'])", ValueError, "expected reduction"),
        ("hubre(delta=1)", UnknownLossError, "did you mean 'huber'"),
        ("0.5 * mse + 0.5 * l1_loss", UnknownLossError, "no loss called 'l1_loss'; here it is mae"),
        ("nopack:mse + mse", UnknownLossError, "there is no pack 'nopack'"),
        ("inf * mse", DomainError, "expected a finite factor, got inf"),
        ("1e999 * mse", DomainError, "expected a finite factor, got inf"),
        ("mse + cross_entropy", ValueError, "^a sum of losses: expected parts of the same kinds"),
    ],
)
def test_what_a_text_says_is_checked_as_in_a_call(text, error, message, site):
    with pytest.raises(error, match=message):
        losses.get(text)
