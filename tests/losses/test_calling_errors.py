"""What a loss says when it is called or declared wrongly: the words, and that nothing has changed afterwards."""

import math
import re

import numpy as np
import pytest

from minigrad import Tensor, loss, losses
from minigrad.engine.errors import DomainError, DTypeError, GradientError, LabelError, PluginError, ShapeError
from minigrad.losses import Constraint, positive

get, z = losses.get, np.zeros


def at(value, row, n=64, fill=0, dtype=float):
    """`fill` everywhere, and `value` at one row."""
    array = np.full(n, fill, dtype)
    array[row] = value
    return array


CALLS = [
    # shapes
    (lambda: get("mse")(z((64, 1)), z(64)), ShapeError,
     "mse: expected pred and target of one shape, got pred (64, 1), target (64,); use target.reshape(-1, 1) or pred[:, 0]"),
    (lambda: get("mse")(z(64), z((64, 1))), ShapeError,
     "mse: expected pred and target of one shape, got pred (64,), target (64, 1); use target.reshape(-1) or pred.reshape(-1, 1)"),
    (lambda: get("mse")(z(3), z(4)), ShapeError,
     "mse: expected pred and target of one shape, got pred (3,), target (4,); every prediction needs its target; one column is target.reshape(-1, 1)"),
    (lambda: get("mse")([[1.0], [2.0, 3.0]], z(2)), ShapeError, "mse: expected pred in a regular shape, got rows of unlike length; pad them"),
    (lambda: get("mse")(z(2), [[1.0], [2.0, 3.0]]), ShapeError, "mse: expected target in a regular shape, got rows of unlike length; pad them"),
    (lambda: get("mse")(z(2, np.float32), [1e300, 0]), DomainError, "mse: expected a finite target, got inf at row 0"),
    (lambda: get("mse")(z(2, np.float32), z(2), sample_weight=[1, 1e300]), DomainError,
     "mse: expected sample_weight ≥ 0 and finite, got 1e+300 at row 1"),
    (lambda: get("mae")(np.float64(0), z(1)), ShapeError, "mae: expected pred and target of one shape, got pred (), target (1,); use target[..., 0]"),
    (lambda: get("huber")(z((4, 2)), z((4, 3))), ShapeError, "huber: expected pred and target of one shape, got pred (4, 2), target (4, 3)"),
    (lambda: get("cross_entropy")(z((64, 10)), z(32, int)), ShapeError,
     "cross_entropy: expected target (64,) labels or (64, 10) rows for pred (64, 10), got (32,)"),
    (lambda: get("cross_entropy")(z((64, 10)), z((64, 1), int)), ShapeError,
     "cross_entropy: expected target (64,) labels or (64, 10) rows for pred (64, 10), got (64, 1); use target[..., 0]"),
    (lambda: get("cross_entropy")(z((64, 1)), z(64, int)), ShapeError,
     "cross_entropy: expected pred (..., K) with K ≥ 2 classes on the last axis, got (64, 1); for one output and two classes use bce_with_logits"),
    (lambda: get("gaussian_nll")(z((64, 1)), z(64)), ShapeError,
     "gaussian_nll: expected pred (..., 2) = (mean, log_var), got (64, 1); give the model 2 outputs"),
    (lambda: get("gaussian_nll")(z((64, 3)), z(64)), ShapeError,
     "gaussian_nll: expected pred (..., 2) = (mean, log_var), got (64, 3); give the model 2 outputs"),
    (lambda: get("multi_margin")(z((64, 10)), z((64, 10))), ShapeError,
     "multi_margin: expected one label per row, (64,), got (64, 10); use target.argmax(1), or cross_entropy for soft labels"),
    (lambda: get("kl_div")(z((4, 3)) - np.log(3), z(4, int)), ShapeError,
     "kl_div: expected target rows (4, 3) for pred (4, 3), got (4,); np.eye(K)[target] makes rows of labels"),
    (lambda: get("triplet_margin")(z((4, 2, 3))), ShapeError,
     "triplet_margin: expected pred (..., 3, d) = (anchor, positive, negative), got (4, 2, 3); stack them, np.stack([anchor, positive, negative], -2)"),
    (lambda: get("triplet_margin")(z(3)), ShapeError, "triplet_margin: expected pred (..., 3, d) = (anchor, positive, negative), got (3,)"),
    (lambda: get("triplet_margin")(z((4, 3, 2)), z(4)), ShapeError, "triplet_margin: expected no target, got (4,); leave it out"),
    (lambda: get("mse")(z(3)), TypeError, "mse: expected a target, got None; call it with (pred, target)"),
    # parameters
    (lambda: get("bce_with_logits", pos_weight=[1, 2])(z((4, 3)), z((4, 3))), ShapeError,
     "bce_with_logits(pos_weight=[1, 2]): expected pos_weight to be a number, or one for each column of pred, got an array (2,); its function failed on pred (4, 3)"),
    (lambda: get("bce_with_logits").value_and_grad(z(4), z(4), pos_weight=np.ones((2, 1))), ShapeError,
     "expected pos_weight to be a number, or one for each column of pred, got an array (2, 1); expected one value per sample, (4,), got float64 (2, 4)"),
    (lambda: get("cross_entropy")(z((4, 3)), z(4, int), label_smoothing=[0.1, 0.2, 0.1, 0.1]), ShapeError,
     "cross_entropy(label_smoothing=[0.1, 0.2, 0.1, 0.1]): expected label_smoothing to be a number, got an array (4,); its function failed on"),
    (lambda: (get("huber", delta=[1, 2]) + get("mse"))(z((4, 3)), z((4, 3))), ShapeError,
     "huber(delta=[1, 2]) + mse: expected delta to be a number, or one for each column of pred, got an array (2,); its function failed on"),
    (lambda: get("smooth_l1", beta=1e-300)(z(4, np.float32), z(4)), DomainError,
     "smooth_l1(beta=1e-300): expected beta within float32, 1.2e-38 … 3.4e+38, got 1e-300; use pred.astype(np.float64)"),
    (lambda: get("bce_with_logits")(z(4, np.float32), z(4), pos_weight=1e300), DomainError,
     "bce_with_logits(pos_weight=1e+300): expected pos_weight within float32, 1.2e-38 … 3.4e+38, got 1e+300; use pred.astype(np.float64)"),
    (lambda: (get("mae") + 1e300 * get("mse"))(z(4, np.float32), z(4)), DomainError,
     "mse: expected its factor within float32, 1.2e-38 … 3.4e+38, got 1e+300; use pred.astype(np.float64)"),
    # dtypes
    (lambda: losses.align(get("mse"), np.array(["a"]), (1,)), DTypeError, "mse: expected numbers as target, got text; encode the classes as 0, 1, …"),
    (lambda: get("cross_entropy")(z((64, 10)), z(64)), DTypeError,
     "cross_entropy: expected integer labels, got float64 (64,); use target.astype(int), or rows (64, 10) for soft labels"),
    (lambda: get("multi_margin")(z((64, 10)), z(64, bool)), DTypeError, "multi_margin: expected integer labels, got bool (64,); use target.astype(int)"),
    (lambda: get("hinge")(z(3), z(3, bool)), DTypeError, "hinge: expected labels -1 or +1, got bool (3,); use np.where(target, 1, -1)"),
    (lambda: get("mse")(z(3, int), z(3)), DTypeError, "mse: expected floats as pred, got int64 (3,); use pred.astype(np.float32)"),
    (lambda: get("cross_entropy")(z(2, int), z((2, 3))), DTypeError, "cross_entropy: expected floats as pred, got int64 (2,); if these are the labels, exchange the two: minigrad takes (pred, target); else use pred.astype(np.float32)"),
    (lambda: get("log_cosh")(np.array(["a"]), z(1)), DTypeError, "log_cosh: expected floats as pred, got text (1,); encode text as numbers"),
    (lambda: get("bce_with_logits")(z(1), np.array(["yes"])), DTypeError, "bce_with_logits: expected numbers as target, got text; np.unique(target, return_inverse=True)[1] makes labels of them"),
    # labels and domains
    (lambda: get("cross_entropy")(z((64, 10)), at(10, 17, dtype=int)), LabelError,
     "cross_entropy: expected labels 0 … 9, got 10 at row 17 (1 of 64); if labels start at 1, use target - 1"),
    (lambda: get("cross_entropy")(z((64, 10)), at(-100, 4, dtype=int)), LabelError,
     "cross_entropy: expected labels 0 … 9, got -100 at row 4; drop such rows, or give the loss mask=target != -100"),
    (lambda: get("cross_entropy")(z((3, 10)), at(255, 1, 3, dtype=np.uint8)), LabelError,
     "cross_entropy: expected labels 0 … 9, got 255 at row 1 (1 of 3); give the model 256 outputs, drop such rows, or give the loss mask=target != 255"),
    (lambda: get("hinge")(z(64), at(0, 2, fill=1)), LabelError, "hinge: expected labels -1 or +1, got 0.0 at row 2; use 2 * target - 1"),
    (lambda: get("margin_ranking")(z((3, 2)), at(0, 2, 3, fill=1)), LabelError, "margin_ranking: expected labels -1 or +1, got 0.0 at row 2"),
    (lambda: get("focal")(z(3), at(0.5, 2, 3)), LabelError, "focal: expected labels 0 or 1, got 0.5 at row 2; this loss takes no soft labels"),
    (lambda: get("bce_with_logits")(z(3), at(-1, 0, 3)), DomainError,
     "bce_with_logits: expected labels in [0, 1], got -1.0 at row 0; of -1/+1 make (target + 1) / 2"),
    (lambda: get("bce_with_logits")(z(3), at(2, 1, 3)), DomainError, "bce_with_logits: expected labels in [0, 1], got 2.0 at row 1"),
    (lambda: get("bce")(at(2.31, 0, 3), z(3)), DomainError, "bce: expected probabilities in [0, 1], got 2.31 at row 0; for scores use bce_with_logits"),
    (lambda: get("bce")(at(-0.1, 1, 3), z(3)), DomainError, "bce: expected probabilities in [0, 1], got -0.1 at row 1; for scores use bce_with_logits"),
    (lambda: get("nll")(np.where(np.arange(8).reshape(4, 2) == 7, 0.72, -0.6931471805599453), z(4, int)), DomainError,
     "nll: expected log-probabilities ≤ 0, got 0.72 at row 3, class 1; for scores use cross_entropy, for probabilities np.log(pred)"),
    (lambda: get("cross_entropy")(z((1, 3)), np.array([[2, -1, 0.5]])), DomainError,
     "cross_entropy: expected target rows ≥ 0 with sum 1, got [2.0, -1.0, 0.5] (sum 1.5) at row 0; divide by the row sums or give labels"),
    (lambda: get("mse")(z(64), np.where(np.arange(64) % 13 == 1, np.nan, 0)), DomainError,
     "mse: expected a finite target, got nan at row 1 (5 of 64); drop such rows, or give the loss mask=np.isfinite(target)"),
    (lambda: get("mse")(z(64), at(np.inf, 3)), DomainError, "mse: expected a finite target, got inf at row 3; drop such rows, or give the loss mask=np.isfinite(target)"),
    (lambda: get("poisson_nll")(z(3), at(-1, 1, 3)), DomainError, "poisson_nll: expected targets ≥ 0, got -1.0 at row 1; this loss is for counts and rates"),
    (lambda: get("cross_entropy")(np.full((2, 3), -np.inf), z(2, int)), DomainError,
     "cross_entropy: expected a finite score in every row, got only -inf at row 0; leave a class open"),
    # options
    (lambda: get("mse")(z(3), z(3), reduction="avg"), ValueError,
     "mse: expected reduction 'mean', 'weighted_mean', 'sum' or 'none', got 'avg'; did you mean 'mean'?"),
    (lambda: get("mse")(z(3), z(3), reduction="summ"), ValueError, "got 'summ'; did you mean 'sum'?"),
    (lambda: get("mse")(z(3), z(3), reduction=3), ValueError, "got 3; 'mean' is the default"),
    (lambda: get("mse")(z(3), z(3), reduction=None), ValueError,
     "mse: expected reduction 'mean', 'weighted_mean', 'sum' or 'none', got None; did you mean 'none'?"),
    (lambda: get("huber")(z(3), z(3), 2.0), TypeError,
     "huber: expected pred and target by position and the rest by keyword, got 2.0 as a third; write delta=…"),
    (lambda: get("huber")(z(3), z(3), detla=1), TypeError, "huber: no parameter 'detla'; did you mean 'delta'?"),
    (lambda: get("cross_entropy")(z((3, 2)), z(3, int), ignore_index=-100), TypeError,
     "cross_entropy: no parameter 'ignore_index'; say mask=target != -100"),
    (lambda: get("mse")(z(3), z(3), weight=1), TypeError, "mse: no parameter 'weight'; did you mean 'sample_weight'?"),
    (lambda: get("mse")(z(3), z(3), class_weigt=1), TypeError, "mse: no parameter 'class_weigt'; it has none"),
    (lambda: get("focal")(z(3), z(3), weight=1), TypeError, "focal: no parameter 'weight'; did you mean 'class_weight'?"),
    (lambda: get("cross_entropy")(z(3) + 1, z(3, int)), DomainError,
     "cross_entropy: expected target rows ≥ 0 with sum 1, got [0.0, 0.0, 0.0] (sum 0) at the only entry; pred is one sample of K classes, a batch is (n, K)"),
    (lambda: get("mse")(z((3, 2)), z(3)), ShapeError,
     "mse: expected pred and target of one shape, got pred (3, 2), target (3,); give the model one output, or each row 2 targets"),
    (lambda: get("bce")(z(2), np.array([1, 2])), DomainError,
     "bce: expected labels in [0, 1], got 2.0 at row 1; of -1/+1 make (target + 1) / 2, of 1/2 target - 1"),
    (lambda: get("mse")(z(3), z(3), class_weight=[1, 2]), TypeError, "mse: expected no class_weight, its targets are no classes; use sample_weight"),
    (lambda: get("mse")(z((64, 3)), z((64, 3)), sample_weight=np.ones(3)), ShapeError,
     "mse: expected sample_weight (64,) (rows) or (64, 3), got (3,); one for each row, or for each value"),
    (lambda: get("mse")(z(3), z(3), sample_weight=[1, -1, 1]), DomainError,
     "mse: expected sample_weight ≥ 0 and finite, got -1 at row 1; 0 leaves it out"),
    (lambda: get("mse")(z(3), z(3), sample_weight=[1, np.nan, 1], mask=[True, True, False]), DomainError,
     "mse: expected sample_weight ≥ 0 and finite, got nan at row 1; 0 leaves it out"),
    (lambda: get("mse")(z((2, 2)), z((2, 2)), sample_weight=[1, np.nan], mask=np.array([[True, False], [False, True]])), DomainError,
     "mse: expected sample_weight ≥ 0 and finite, got nan at row 1; 0 leaves it out"),
    (lambda: get("mse")(z(3), z(3), sample_weight=list("abc")), DTypeError,
     "mse: expected numbers as sample_weight, got text; 1 counts once, 0 not at all"),
    (lambda: get("mse")(z(3), z(3), mask=[1, 0, 1]), DTypeError, "mse: expected a mask of bool (True = use), got int64; write mask != 0"),
    (lambda: get("mse")(z(3), z(3), mask=[True]), ShapeError, "mse: expected mask (True = use) (3,), got (1,)"),
    (lambda: get("cross_entropy")(z((2, 3)), z(2, int), class_weight=[1, 2]), ShapeError,
     "cross_entropy: expected class_weight (3,), one for each class, got (2,)"),
    (lambda: get("cross_entropy")(z((2, 3)), z(2, int), class_weight=[1, -2, 1]), DomainError,
     "cross_entropy: expected class_weight ≥ 0 and finite, got -2 at class 1; 0 leaves it out"),
    (lambda: get("cross_entropy")(z((2, 3)), z(2, int), class_weight=[1, np.nan, 1]), DomainError, "got nan at class 1"),
    (lambda: get("cross_entropy")(z((2, 3)), z(2, int), class_weight={0: 1, 1: 1, 7: 1}), LabelError,
     "cross_entropy: expected class_weight for classes 0 … 2, got 7"),
    (lambda: get("hinge")(z(2), np.ones(2), class_weight={-1: 2}), ShapeError, "hinge: expected class_weight for every class, -1 … 1, none for 1"),
    # parameters
    (lambda: get("huber", delta=-1), DomainError, "huber: expected delta > 0, got -1.0; delta is where the parabola becomes a line, in units of the target"),
    (lambda: get("huber", delta=np.nan), DomainError, "huber: expected delta > 0, got nan"),
    (lambda: get("huber", delta=0), DomainError, "huber: expected delta > 0, got 0.0"),
    (lambda: get("huber", delta="1"), DTypeError, "huber: expected a number for delta, got '1'; it must be > 0"),
    (lambda: get("huber", delta=Tensor(1.0, requires_grad=True)), TypeError,
     "huber: expected a number for delta, got a Tensor that requires gradients; only a parameter without a constraint can be learned"),
    (lambda: get("smooth_l1", beta=-1), DomainError, "smooth_l1: expected beta > 0, got -1.0"),
    (lambda: get("quantile", quantile=0), DomainError, "quantile: expected quantile in (0, 1), got 0.0"),
    (lambda: get("quantile", quantile=1), DomainError, "quantile: expected quantile in (0, 1), got 1.0"),
    (lambda: get("quantile", quantile=-0.1), DomainError, "quantile: expected quantile in (0, 1), got -0.1"),
    (lambda: get("bce_with_logits", pos_weight=0), DomainError, "bce_with_logits: expected pos_weight > 0, got 0.0"),
    (lambda: get("bce_with_logits", pos_weight=np.nan), DomainError, "bce_with_logits: expected pos_weight > 0, got nan"),
    (lambda: get("focal", gamma=-1), DomainError, "focal: expected gamma ≥ 0, got -1.0"),
    (lambda: get("focal", alpha=1.5), DomainError, "focal: expected alpha in (0, 1), got 1.5"),
    (lambda: get("cross_entropy", label_smoothing=1), DomainError, "cross_entropy: expected label_smoothing in [0, 1), got 1.0"),
    (lambda: get("cross_entropy", label_smoothing=-0.1), DomainError, "cross_entropy: expected label_smoothing in [0, 1), got -0.1"),
    (lambda: get("cross_entropy", label_smoothing=np.nan), DomainError, "cross_entropy: expected label_smoothing in [0, 1), got nan"),
    (lambda: get("margin_ranking", margin=np.nan), DomainError, "margin_ranking: expected margin ≥ 0, got nan"),
    (lambda: get("triplet_margin", p=0), DomainError, "triplet_margin: expected p ≥ 1, got 0.0"),
    # target and gradients
    (lambda: get("mse")(z(3), Tensor(z(3), requires_grad=True)), GradientError,
     "mse: expected pred to require gradients, got only target; minigrad takes (pred, target): exchange them, or use target.detach()"),
    # sums
    (lambda: get("mse") + "mae", TypeError, "mse + …: expected a Loss, got 'mae'; write 0.5 * mse + 0.5 * mae"),
    (lambda: "2" * get("mse"), TypeError, "a sum of losses: expected number * loss, got '2'; write 0.5 * mse"),
    (lambda: np.nan * get("mse"), DomainError, "a sum of losses: expected a finite factor, got nan"),
    (lambda: get("mse") + get("cross_entropy"), ValueError,
     "a sum of losses: expected parts of the same kinds, got mse (real ← real) and cross_entropy (logits ← index|simplex); all must read one prediction"),
    (lambda: get("mse", reduction="sum") + get("mae"), ValueError, "a sum of losses: expected parts without options, got mse(reduction='sum')"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "text"), CALLS, ids=[text[:50] for _, _, text in CALLS])
def test_a_wrong_call_says_where_what_and_what_to_do(call, error, text):
    with pytest.raises(error, match=re.escape(text)) as caught:
        call()
    assert type(caught.value) is error


def test_after_an_error_no_gradient_and_no_array_has_changed():
    pred = Tensor(z((3, 1)), requires_grad=True)
    target = np.array([0.0, np.nan, 1.0])
    for bad in (target, target[:, None]):
        with pytest.raises(ValueError, match="mse: expected"):
            get("mse")(pred, bad).backward()
    assert pred.grad is None
    assert target.flags.writeable


def declare(text, **words):
    """The error that a declaration raises, with a line of its own."""
    with pytest.raises(PluginError, match=r"test_calling_errors.py:\d+: |@loss: ") as caught:
        loss(**words)(text) if words else loss(text)
    return str(caught.value)


def sound(pred, target, *, delta=1.0):
    return delta * (pred - target) ** 2


DECLARATIONS = [
    (lambda y_true, y_pred: 0, {}, "expected a signature (pred, target, *, ...), got (y_true, y_pred); minigrad passes the prediction first, unlike Keras and scikit-learn"),
    (lambda pred: 0, {}, "expected a signature (pred, target, *, ...), got (pred); write pred, target"),
    (lambda pred, target, delta=1.0: 0, {}, "expected 'delta' by keyword with a default; write def f(pred, target, *, delta=1.0)"),
    (lambda pred, target, *, delta: 0, {}, "expected 'delta' by keyword with a default; write def f(pred, target, *, delta=1.0)"),
    (lambda pred, target, *args: 0, {}, "expected named parameters, got *args; write def f(pred, target, *, delta=1.0)"),
    (lambda pred, target, **kw: 0, {}, "expected named parameters, got **kw"),
    (lambda pred, target, *, mask=None: 0, {}, "expected another name than 'mask', which every loss has; rename it"),
    (sound, {"pred": "logitz"}, "pred='logitz' is no kind; did you mean 'logits'?"),
    (sound, {"target": "labels"}, "target='labels' is no kind; it knows real, positive"),
    (sound, {"task": "x"}, "no word 'task' in @loss; it knows pred, target, grad, kinks, claims, heads, link, coupled"),
    (sound, {"claims": "bounded"}, "claims='bounded' is no claim; it knows convex, symmetric, proper, shift_invariant"),
    (sound, {"kinks": 3}, "expected kinks as functions (pred, target, ...), got 3; () for none"),
    (sound, {"grad": lambda pred, target: 0}, "expected grad= to take (pred, target, delta), got (pred, target); it gets every parameter by keyword"),
    (sound, {"grad": 3}, "expected grad= as a function (pred, target, ...), got 3"),
    (sound, {"grad": sound, "coupled": True}, "expected no grad= with coupled=True; the engine differentiates such a loss"),
    (sound, {"heads": "a b"}, "expected heads on pred='params' or 'embedding' only, got pred='real'; leave it out"),
    (sound, {"link": np.exp}, "expected link as a function on pred='params', got"),
    (type("C", (), {}), {}, "@loss: expected a function (pred, target, *, ...), got a class 'C'; write def f(pred, target)"),
]  # fmt: skip


@pytest.mark.parametrize(("function", "words", "text"), DECLARATIONS, ids=[row[2][:40] for row in DECLARATIONS])
def test_a_wrong_declaration_says_where_what_and_what_to_do(function, words, text):
    assert text in declare(function, **words)


def test_coroutines_and_generators_are_no_losses():
    async def later(pred, target):
        return pred

    def one_by_one(pred, target):
        yield pred

    assert "got a coroutine 'later'" in declare(later)
    assert "got a generator 'one_by_one'" in declare(one_by_one)


def test_a_default_outside_its_own_constraint_is_refused():
    from typing import Annotated

    def odd(pred, target, *, delta: Annotated[float, positive, "the width"] = -1.0):
        return pred

    assert "expected delta > 0, got -1.0; delta is the width; this is the default of 'delta'" in declare(odd)


def test_a_constraint_of_an_authors_own_is_held_and_says_itself_what_it_wants():
    from typing import Annotated

    @loss
    def blend(
        pred,
        target,
        *,
        shares: Annotated[list, Constraint("with sum 1", lambda v: v.sum() == 1), "what counts how much"] = (0.5, 0.5),
    ):
        return np.asarray(shares)[0] * (pred - target)

    text = "blend: expected shares with sum 1, got [0.5, 0.25]; shares is what counts how much"
    with pytest.raises(DomainError, match=re.escape(text)):
        blend.with_(shares=[0.5, 0.25])
    assert blend([3.0], [1.0], shares=[0.25, 0.75]).item() == 0.5


# --- what a function may do wrong when it is asked ------------------------------------------------------------------
def faulty(name):
    def function(pred, target):
        return {
            "raises": lambda: 1 // 0 and pred,
            "returns None": lambda: None,
            "returns a float": lambda: 3.0,
            "returns a list": lambda: [1.0, 2.0, 3.0],
            "returns integers": lambda: np.ones(3, int),
            "returns one number": lambda: (pred - target).mean(),
            "returns too many": lambda: np.ones((3, 2)),
            "writes into pred": lambda: np.add(pred, 1, out=pred),
            "writes into target": lambda: np.add(target, 1, out=target),
            "asks many at once": lambda: pred if pred > target - 5 else target,
            "calls a method of tensors": lambda: (pred - target).exp(),
            "takes a function of math": lambda: math.exp(pred - target),
        }[name]()

    return function


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("raises", r"its function failed on pred \(3,\), target \(3,\): integer division or modulo by zero"),
        (
            "returns None",
            "expected one value per sample, .3,., got NoneType; is a return missing.$",
        ),
        (
            "returns a float",
            "expected one value per sample, .3,., got float; return them unreduced, minigrad takes the mean",
        ),
        ("returns a list", "expected one value per sample, .3,., got list"),
        ("returns integers", r"expected floats, got int64 \(3,\); compute with pred, not with labels"),
        (
            "returns one number",
            r"expected one value per sample, \(3,\), got a scalar; return them unreduced, minigrad takes the mean; if it couples the batch, say coupled=True",
        ),
        ("returns too many", r"expected one value per sample, .3,., got float64 \(3, 2\)"),
        (
            "writes into pred",
            "its function failed on .*read-only; pred and target stay as they are: compute a new array, such as",
        ),
        ("writes into target", "its function failed on .*read-only; pred and target stay as they are"),
        ("asks many at once", r"its function failed on .*; np.where\(condition, a, b\) chooses for each entry"),
        (
            "calls a method of tensors",
            r"its function failed on .*'exp'; pred is an array: call functions of NumPy, np.exp\(x\) for x.exp\(\)",
        ),
        ("takes a function of math", "its function failed on .*; take the functions of NumPy, those of math know"),
    ],
)
def test_a_function_that_breaks_the_contract_is_named_and_changes_no_gradient(name, text):
    with_grad = loss(grad=lambda pred, target: pred - target)(faulty(name))
    for pred in (z(3), Tensor(z(3), requires_grad=True)):
        with pytest.raises(PluginError, match=rf"function \(test_calling_errors.py:\d+\): {text}") as caught:
            with_grad(pred, np.ones(3))
        if name == "raises":
            assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert pred.grad is None


@pytest.mark.parametrize("error", [ShapeError, DTypeError, DomainError, LabelError])
def test_a_check_of_the_author_speaks_for_itself_and_shapes_that_do_not_fit_in_his_formula_do_not(error):
    @loss
    def looked_at(pred, target, *, table=None):
        if table is None:
            raise error("table: expected (2, 2), got none; give one row for each class")
        return (pred - target) * np.asarray(table)

    with pytest.raises(error, match=r"^table: expected"):
        looked_at(Tensor(z(3), requires_grad=True), z(3))
    with pytest.raises(PluginError, match=r"looked_at.*: its function failed on pred .3,., target .3,.: multiply"):
        looked_at(Tensor(z(3), requires_grad=True), z(3), table=[1.0, 2.0])


@pytest.mark.parametrize(
    ("grad", "text"),
    [
        (lambda pred, target: 1 // 0, r"its closed form grad= failed on pred \(3,\), target \(3,\): integer division"),
        (
            lambda pred, target: np.ones(2),
            r"expected its closed form grad= to return floats of the shape of pred, \(3,\), got float64 \(2,\)",
        ),
        (lambda pred, target: np.ones(3, int), r"of the shape of pred, \(3,\), got int64 \(3,\)"),
        (lambda pred, target: np.ones(3, np.float16), r"got float16 \(3,\)"),
        (lambda pred, target: np.ones(3, complex), r"got complex128 \(3,\)"),
        (lambda pred, target: np.ones(3, np.longdouble), r"got .* \(3,\)"),
        (lambda pred, target: np.ones(3, object), r"got object \(3,\)"),
        (lambda pred, target: None, "got NoneType"),
        (lambda pred, target: (np.ones(3),), "got tuple"),
    ],
)
def test_a_closed_form_that_breaks_the_contract_is_named_and_changes_no_gradient(grad, text):
    @loss(grad=grad)
    def square(pred, target):
        return (pred - target) ** 2

    pred = Tensor(z(3), requires_grad=True)
    with pytest.raises(PluginError, match=rf"square \(test_calling_errors.py:\d+\): .*{text}"):
        square(pred, np.ones(3))
    values = square(pred, np.ones(3), reduction="none")
    with pytest.raises(PluginError, match=rf"square \(test_calling_errors.py:\d+\): .*{text}"):
        values.backward(np.ones(3))
    assert pred.grad is None


def test_a_loss_that_couples_the_batch_and_returns_another_shape_is_told_which_ones_there_are():
    @loss(coupled=True)
    def odd(pred, target):
        return (pred - target)[:2]

    with pytest.raises(
        PluginError,
        match=r"expected one value per sample, \(3,\), got float64 \(2,\); a loss that couples the batch returns",
    ):
        odd(z(3), np.ones(3))


def test_annotations_that_only_a_type_checker_can_read_declare_no_constraint():
    @loss
    def typed(pred: "Array", target: "Array", *, delta: "Missing" = 2.0):  # noqa: F821
        return delta * (pred - target)

    assert typed([3.0], [1.0]).item() == 4
    assert typed.with_(delta=-1)([3.0], [1.0]).item() == -2


def test_a_float64_slope_of_a_float32_prediction_is_cast():
    @loss(grad=lambda pred, target: np.float64(2) * (pred - target).astype(np.float64))
    def square(pred, target):
        return (pred - target) ** 2

    assert square.value_and_grad(z(3, np.float32), np.ones(3))[1].dtype == np.float32


def test_an_array_that_a_function_keeps_and_reuses_cannot_change_an_earlier_result():
    kept = np.empty(3)

    @loss
    def reused(pred, target):
        kept[:] = np.asarray(pred) - target
        return kept[:]

    first = reused(np.ones(3), z(3), reduction="none")
    assert reused(5 * np.ones(3), z(3), reduction="none").data.tolist() == [5, 5, 5]
    assert first.data.tolist() == [1, 1, 1]


def test_a_function_that_changes_the_grad_mode_does_so_for_nobody_else():
    from minigrad.engine.graph import recording

    @loss
    def sly(pred, target):
        recording.set(False)
        return (pred - target) ** 2

    pred = Tensor(z(3), requires_grad=True)
    sly(pred, z(3))
    assert (pred * 2).requires_grad


def test_a_writable_target_may_be_changed_after_the_call():
    target = np.ones(3)
    pred = Tensor(z(3), requires_grad=True)
    value = get("mse")(pred, target, reduction="sum")
    target[:] = 100
    value.backward()
    assert pred.grad.data.tolist() == [-2, -2, -2]
