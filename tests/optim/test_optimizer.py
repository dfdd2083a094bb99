"""What optimizers share: groups, clipping, schedules, state, and what they refuse."""

import copy
import json
import re

import numpy as np
import pytest

from minigrad import MLP, Tensor, losses
from minigrad.engine.errors import CheckpointError, GradientError
from minigrad.optim import OPTIMIZERS, SGD, Adam, AdamW, Cosine, Plateau, RMSprop, StepDecay, WarmUp

RNG = np.random.default_rng


def leaf(*values, dtype=np.float64):
    return Tensor(np.array(values, dtype), requires_grad=True)


def stepped(optimizer, *gradients):
    params = [p for group in optimizer.groups for p in group["params"]]
    for p, g in zip(params, gradients, strict=True):
        p.grad = None if g is None else np.array(g, p.dtype)
    optimizer.step()
    return [p.data.tolist() for p in params]


# --- steps ------------------------------------------------------------------------------------------------------------
class TestAStep:
    def test_leaves_the_gradients_as_they_are_until_they_are_forgotten(self):
        p = leaf(1.0, 2.0)
        optimizer = SGD([p], lr=0.5, weight_decay=0.1, clip_norm=0.1)
        stepped(optimizer, [1.0, 1.0])
        assert p.grad.data.tolist() == [1, 1]
        optimizer.zero_grad()
        assert p.grad is None

    def test_makes_each_parameter_a_view_of_one_buffer(self):
        model = MLP(3, 4, 2, rng=0)
        optimizer = SGD(model.parameters())
        assert all(np.shares_memory(p.data, optimizer.flats[0][0].data) for p in model.parameters())

    def test_sees_values_that_were_assigned_or_adopted_by_another_optimizer_in_between(self):
        p = leaf(1.0)
        one, two = SGD([p], lr=1.0), SGD([p], lr=0.5)
        stepped(one, [1.0])
        stepped(two, [1.0])
        p.data = np.array([10.0])
        assert stepped(one, [1.0]) == [[9.0]]
        assert stepped(two, [1.0]) == [[8.5]]

    def test_of_parameters_of_two_dtypes_keeps_both(self):
        a, b = leaf(1.0), leaf(1.0, dtype=np.float32)
        Adam([a, b])
        assert (a.dtype, b.dtype) == (np.float64, np.float32)
        assert stepped(SGD([b, a], lr=0.5), [1.0], [2.0]) == [[0.5], [0.0]]

    def test_with_numbers_of_numpy_as_options_stays_float32(self):
        p = leaf(1.0, dtype=np.float32)
        optimizer = AdamW([p], lr=np.float64(0.1), weight_decay=np.float64(0.1), eps=np.float32(1e-8))
        stepped(optimizer, [1.0])
        assert p.dtype == np.float32
        assert all(type(v) is float for v in (optimizer.groups[0]["lr"], optimizer.groups[0]["eps"]))

    def test_makes_a_backward_through_older_values_an_error(self):
        model = MLP(2, 3, 1, rng=0)
        out = model(np.ones((4, 2), np.float32)).sum()
        optimizer = SGD(model.parameters())
        for p in model.parameters():
            p.grad = np.ones(p.shape, np.float32)
        optimizer.step()
        with pytest.raises(GradientError):
            out.backward()

    def test_without_any_gradient_warns_and_changes_nothing(self):
        model = MLP(2, 3, 1, rng=0)
        optimizer, before = Adam(model.parameters()), model.state_dict()
        message = (
            "Adam.step: none of 4 parameters got a gradient. Call backward() before step(); if you did, was the optimizer "
            "built from another model?"
        )
        with pytest.warns(UserWarning, match=re.escape(message)) as caught:
            optimizer.step()
        assert caught[0].filename == __file__
        assert optimizer.steps == 0
        assert {k: v.tobytes() for k, v in before.items()} == {k: v.tobytes() for k, v in model.state_dict().items()}

    def test_whose_gradient_is_added_to_is_told_that_zero_grad_was_forgotten(self):
        model = MLP(2, 3, 1, rng=0)
        optimizer, x = SGD(model.parameters()), np.ones((4, 2), np.float32)
        model(x).sum().backward()
        optimizer.step()
        message = (
            "backward: 4 leaves, of shapes (3, 1), (1,), (2, 3), (3,), still hold the gradient of the last step. The new "
            "one is added, which acts like momentum 1. Call zero_grad() after step()."
        )
        with pytest.warns(UserWarning, match=re.escape(message)) as caught:
            model(x).sum().backward()
        assert caught[0].filename == __file__

    @pytest.mark.parametrize(
        "forget", [SGD.zero_grad, lambda o: [setattr(p, "grad", None) for p in o.groups[0]["params"]]]
    )
    def test_may_follow_several_backward_passes(self, forget):
        model = MLP(2, 3, 1, rng=0)
        optimizer, x = SGD(model.parameters()), np.ones((4, 2), np.float32)
        for _ in range(3):
            for _ in range(4):
                model(x).sum().backward()
            optimizer.step()
            forget(optimizer)
        assert optimizer.steps == 3

    def test_that_diverges_shows_it_in_the_values_without_a_warning(self):
        p = leaf(1.0, dtype=np.float32)
        optimizer = SGD([p], lr=1e30)
        assert stepped(optimizer, [1e30])[0][0] == -np.inf
        assert np.isnan(stepped(optimizer, [-np.inf])[0][0])

    @pytest.mark.parametrize("name", OPTIMIZERS)
    def test_lowers_the_loss_of_a_small_model(self, name):
        rng = RNG(0)
        x = rng.standard_normal((64, 3)).astype(np.float32)
        y = np.sin(x.sum(1, keepdims=True))
        model, loss = MLP(3, 16, 1, rng=0), losses.get("mse")
        optimizer = OPTIMIZERS[name](model.parameters(), lr=1e-2)
        first = float(loss(model(x), y))
        for _ in range(60):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
        assert float(loss(model(x), y)) < first / 2


# --- groups -----------------------------------------------------------------------------------------------------------
class TestGroups:
    def test_have_options_of_their_own_where_they_differ(self):
        a, b = leaf(1.0), leaf(1.0)
        optimizer = SGD([{"params": [a], "lr": 0.5}, {"params": [b], "weight_decay": 1.0}], lr=0.1)
        values = stepped(optimizer, [1.0], [1.0])
        np.testing.assert_allclose(values, [[0.5], [0.8]], rtol=1e-15)
        assert optimizer.lr == 0.5

    def test_may_be_a_single_tensor_or_any_iterable(self):
        a, b = leaf(1.0), leaf(1.0)
        optimizer = SGD([{"params": a}, {"params": iter([b])}], lr=1.0)
        assert stepped(optimizer, [1.0], [2.0]) == [[0.0], [-1.0]]

    def test_may_come_later_and_change_between_steps(self):
        a, b = leaf(1.0), leaf(1.0)
        optimizer = SGD([a], lr=0.5)
        stepped(optimizer, [1.0])
        optimizer.add_group({"params": [b], "lr": 0.25})
        optimizer.groups[0]["lr"] = 1.0
        assert stepped(optimizer, [1.0], [1.0]) == [[-0.5], [0.75]]

    def test_take_one_rate_when_it_is_set_for_all(self):
        optimizer = SGD([{"params": [leaf(1.0)], "lr": 0.5}, {"params": [leaf(1.0)]}], lr=Cosine(0.1, steps=9))
        optimizer.lr = 0.25
        assert [group["lr"] for group in optimizer.groups] == [0.25, 0.25]

    def test_that_are_refused_leave_the_optimizer_as_it_was(self):
        a = leaf(1.0)
        optimizer = SGD([a], lr=0.5)
        for group in (
            {"params": [leaf(1.0), a]},
            {"params": [leaf(1.0)], "lr": -1},
            {"params": [leaf(1.0)], "rate": 1},
        ):
            with pytest.raises((ValueError, TypeError)):
                optimizer.add_group(group)
        assert len(optimizer.groups) == len(optimizer.flats) == 1
        assert stepped(optimizer, [1.0]) == [[0.5]]


# --- clipping ---------------------------------------------------------------------------------------------------------
class TestClipping:
    def test_by_norm_shortens_all_gradients_together_and_leaves_short_ones(self):
        a, b = leaf(0.0, 0.0), leaf(0.0)
        optimizer = SGD([{"params": [a]}, {"params": [b]}], lr=1.0, clip_norm=1.0)
        np.testing.assert_allclose(np.concatenate(stepped(optimizer, [2.0, 3.0], [6.0])), [-2 / 7, -3 / 7, -6 / 7])
        a.data, b.data = np.zeros(2), np.zeros(1)
        assert stepped(optimizer, [0.2, 0.3], [0.6]) == [[-0.2, -0.3], [-0.6]]

    def test_by_value_bounds_each_entry_before_the_norm_is_taken(self):
        a = leaf(0.0, 0.0)
        assert stepped(SGD([a], lr=1.0, clip_value=3.0), [-9.0, 1.0]) == [[3.0, -1.0]]
        b = leaf(0.0, 0.0)
        np.testing.assert_allclose(
            stepped(SGD([b], lr=1.0, clip_value=3.0, clip_norm=1.0), [-9.0, 4.0]), [[0.5**0.5, -(0.5**0.5)]]
        )

    @pytest.mark.parametrize(
        ("dtype", "size"), [(np.float64, 1e200), (np.float64, 1e-200), (np.float32, 1e30), (np.float32, 1e-30)]
    )
    def test_by_norm_knows_the_norm_of_the_largest_and_smallest_gradients(self, dtype, size):
        a = leaf(0.0, 0.0, dtype=dtype)
        value = stepped(SGD([a], lr=1.0, clip_norm=size), [3 * size, 4 * size])
        np.testing.assert_allclose(np.array(value) / size, [[-0.6, -0.8]], rtol=1e-6)

    def test_never_hides_a_gradient_that_is_not_finite(self):
        for bad in (np.nan, np.inf):
            a = leaf(0.0, 0.0)
            assert np.isnan(stepped(SGD([a], lr=1.0, clip_norm=1.0), [bad, 1.0])).any()

    def test_leaves_a_zero_gradient_zero(self):
        a = leaf(1.0)
        assert stepped(SGD([a], lr=1.0, clip_norm=1.0), [0.0]) == [[1.0]]


# --- schedules in an optimizer ----------------------------------------------------------------------------------------
class TestAScheduledRate:
    def test_is_asked_at_every_step(self):
        a = leaf(0.0)
        optimizer = SGD([a], lr=StepDecay(1.0, every=2, factor=0.5))
        rates = []
        for _ in range(5):
            rates.append(optimizer.lr)
            stepped(optimizer, [1.0])
        assert rates == [1, 1, 0.5, 0.5, 0.25]
        assert a.data.tolist() == [-3.25]

    def test_may_differ_by_group_and_reach_zero(self):
        a, b = leaf(0.0), leaf(0.0)
        optimizer = Adam([{"params": [a]}, {"params": [b], "lr": 0.1}], lr=Cosine(0.1, steps=2))
        for _ in range(4):
            stepped(optimizer, [1.0], [1.0])
        np.testing.assert_allclose(a.data, [-0.15], rtol=1e-6)
        np.testing.assert_allclose(b.data, [-0.4], rtol=1e-6)

    def test_belongs_to_one_optimizer_even_if_the_schedule_was_given_to_two(self):
        schedule = Plateau(1.0, factor=0.5, patience=0)
        one, two = SGD([leaf(0.0)], lr=schedule), SGD([{"params": [leaf(0.0)]}, {"params": [leaf(0.0)]}], lr=schedule)
        one.observe(1.0)
        one.observe(1.0)
        assert (one.lr, two.lr, schedule(0)) == (0.5, 1.0, 1.0)
        two.observe(1.0)
        two.observe(1.0)
        assert [group["lr"](0) for group in two.groups] == [0.5, 0.5]


# --- state ------------------------------------------------------------------------------------------------------------
MAKERS = {
    "sgd": lambda params: SGD(params, lr=0.1),
    "momentum": lambda params: SGD(params, lr=0.1, momentum=0.9),
    "nesterov": lambda params: SGD(params, lr=StepDecay(0.1, every=3), momentum=0.9, nesterov=True, weight_decay=0.1),
    "adam": lambda params: Adam(params, lr=0.1, betas=(0.8, 0.9)),
    "adamw": lambda params: AdamW(params, lr=WarmUp(Cosine(0.1, steps=20), steps=4), clip_norm=1.0),
    "rmsprop": lambda params: RMSprop(params, lr=Plateau(0.1, patience=1), momentum=0.5, clip_value=1.0),
}


def two_groups(make, seed=0):
    """An optimizer with two groups and parameters of both dtypes, some of which got fewer gradients."""
    rng = RNG(seed)
    ps = [
        Tensor(rng.standard_normal(s).astype(d), requires_grad=True)
        for s, d in (((2, 3), np.float32), ((3,), np.float64), ((), np.float32))
    ]
    return make([{"params": ps[:2]}, {"params": ps[2:], "lr": 0.5}])


def advance(optimizer, steps, seed=0):
    rng = RNG(seed)
    for t in range(steps):
        for group in optimizer.groups:
            for i, p in enumerate(group["params"]):
                g = rng.standard_normal(p.shape).astype(p.dtype)
                p.grad = None if (t + i) % 4 == 3 else g
        optimizer.step()
        optimizer.observe(float(rng.standard_normal()))
    return rng


class TestState:
    @pytest.mark.parametrize("name", MAKERS)
    def test_goes_on_in_another_optimizer_with_the_same_bytes(self, name):
        one = two_groups(MAKERS[name])
        advance(one, 7)
        two = two_groups(MAKERS[name])
        for a, b in zip(one.groups, two.groups, strict=True):
            for p, q in zip(a["params"], b["params"], strict=True):
                q.data = p.data
        two.load_state_dict(one.state_dict())
        for optimizer in (one, two):
            advance(optimizer, 9, seed=1)
        assert self.bytes_of(one) == self.bytes_of(two)
        assert one.lr == two.lr
        assert repr(one) == repr(two)

    def bytes_of(self, optimizer):
        params = [p.data.tobytes() for group in optimizer.groups for p in group["params"]]
        return params, str(self.plain(optimizer.state_dict()))

    def plain(self, value):
        if isinstance(value, dict):
            return {key: self.plain(v) for key, v in value.items()}
        if isinstance(value, list):
            return [self.plain(v) for v in value]
        return value.tobytes() if isinstance(value, np.ndarray) else value

    @pytest.mark.parametrize("name", MAKERS)
    def test_is_plain_data_but_for_its_arrays(self, name):
        optimizer = two_groups(MAKERS[name])
        advance(optimizer, 3)
        state = json.loads(json.dumps(optimizer.state_dict(), default=lambda a: a.tolist(), allow_nan=False))
        assert state["steps"] == 3

    def test_is_a_copy(self):
        optimizer = two_groups(MAKERS["adam"])
        state = optimizer.state_dict()
        advance(optimizer, 1)
        assert not state["groups"][0]["first"][0].any()

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda s: s.update(optimizer="SGD"), "it is that of 'SGD'"),
            (lambda s: s.pop("groups"), "no 'groups'"),
            (lambda s: s.pop("steps"), "no 'steps'"),
            (lambda s: s["groups"].pop(), "it has 1 groups instead of 2"),
            (lambda s: s["groups"][0].pop("betas"), "no 'betas'"),
            (lambda s: s["groups"][0].update(lr=-1), "Adam: expected lr > 0 and finite, got -1"),
            (lambda s: s["groups"][0].update(lr="fast"), "Adam: expected lr > 0 and finite, got 'fast'"),
            (
                lambda s: s["groups"][0].update(lr={"schedule": "Cosine"}),
                "Adam: expected lr > 0 and finite, got {'schedule'",
            ),
            (
                lambda s: s["groups"][1]["first"].pop(),
                "group 1 has another number in first where the parameters differ",
            ),
            (
                lambda s: s["groups"][0]["second"].__setitem__(1, np.zeros(4)),
                "group 0 has (4,) float64 in second where the parameters differ",
            ),
            (
                lambda s: s["groups"][0]["second"].__setitem__(1, np.zeros(3, np.float32)),
                "group 0 has (3,) float32 in second where",
            ),
            (lambda s: s["groups"][0].update(steps=[1]), "group 0: steps are not 2"),
            (
                lambda s: s["groups"][0].update(steps=[1, -1]),
                "state: expected group 0: steps ≥ 0, a whole number, got -1",
            ),
            (
                lambda s: s["groups"][0].update(steps=[1, 0.5]),
                "state: expected group 0: steps ≥ 0, a whole number, got 0.5",
            ),
            (lambda s: s.update(clip_norm=0), "Adam: expected clip_norm > 0, got 0"),
        ],
    )
    def test_that_does_not_fit_is_refused_and_nothing_is_loaded(self, change, said):
        optimizer = two_groups(MAKERS["adam"])
        advance(optimizer, 2)
        state, before = optimizer.state_dict(), self.bytes_of(optimizer)
        advance(other := two_groups(MAKERS["adam"]), 5)
        state = copy.deepcopy(other.state_dict())
        change(state)
        message = (
            "Adam.load_state_dict: expected the state of Adam(lr=0.1, betas=(0.8, 0.9), eps=1e-08, weight_decay=0.0"
        )
        with pytest.raises(CheckpointError, match=re.escape(message)) as caught:
            optimizer.load_state_dict(state)
        assert f"got another one: {said}" in str(caught.value)
        assert str(caught.value).endswith("nothing was loaded: build the optimizer as it was when it was saved")
        assert self.bytes_of(optimizer) == before

    def test_of_another_schedule_is_refused(self):
        state = two_groups(lambda ps: SGD(ps, lr=Cosine(0.1, steps=3))).state_dict()
        optimizer = two_groups(lambda ps: SGD(ps, lr=Plateau(0.1)))
        with pytest.raises(CheckpointError, match=r"Plateau\.load_state_dict: expected the state of Plateau"):
            optimizer.load_state_dict(state)

    def test_that_is_no_state_at_all_is_refused(self):
        for state in (None, 3, "text", [], {"optimizer": "Adam", "groups": 5, "steps": 0}):
            with pytest.raises(CheckpointError, match="nothing was loaded"):
                two_groups(MAKERS["adam"]).load_state_dict(state)

    def test_a_repr_shows_the_options_of_every_group_that_differs(self):
        a, b = leaf(0.0), leaf(0.0)
        assert (
            repr(SGD([a], lr=0.1, clip_norm=1.0))
            == "SGD(lr=0.1, momentum=0.0, nesterov=False, weight_decay=0.0, clip_norm=1.0)"
        )
        groups = [{"params": [a]}, {"params": [b], "lr": Cosine(0.1, steps=5)}]
        assert repr(Adam(groups)) == (
            "Adam(lr=0.001, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0 | "
            "lr=Cosine(lr=0.1, steps=5, least=0.0), betas=(0.9, 0.999), eps=1e-08, weight_decay=0.0)"
        )


# --- what is refused --------------------------------------------------------------------------------------------------
ONE = leaf(1.0)
REFUSED = [
    (lambda: Adam([ONE], betas=(1, 0.9)), ValueError, "Adam: expected betas two numbers in [0, 1), got 1; give a number in that range"),
    (lambda: Adam([ONE], betas=(0.9, 1.0)), ValueError, "Adam: expected betas two numbers in [0, 1), got 1.0"),
    (lambda: Adam([ONE], betas=0.9), TypeError, "Adam: expected betas, two numbers in [0, 1), got 0.9; say betas=(0.9, 0.999)"),
    (lambda: Adam([ONE], eps=0), ValueError, "Adam: expected eps > 0 and finite, got 0; give a number in that range"),
    (lambda: Adam([ONE], weight_decay=-1), ValueError, "Adam: expected weight_decay ≥ 0 and finite, got -1"),
    (lambda: Adam([ONE], lr=0), ValueError, "Adam: expected lr > 0 and finite, got 0; give a number in that range"),
    (lambda: Adam([ONE], lr=float("nan")), ValueError, "Adam: expected lr > 0 and finite, got nan"),
    (lambda: Adam([ONE], lr="1e-3"), TypeError, "Adam: expected lr > 0 and finite, got '1e-3'; give a number"),
    (lambda: SGD([ONE], clip_norm=0), ValueError, "SGD: expected clip_norm > 0, got 0; give a number in that range"),
    (lambda: SGD([ONE], clip_value=-1), ValueError, "SGD: expected clip_value > 0, got -1; give a number in that range"),
    (lambda: SGD([ONE], clip_norm=True), TypeError, "SGD: expected clip_norm > 0, got True; give a number"),
    (lambda: SGD([ONE], momentum=1), ValueError, "SGD: expected momentum in [0, 1), got 1"),
    (lambda: SGD([ONE], nesterov=True), ValueError, "SGD: expected momentum > 0 for nesterov=True, got momentum 0; say momentum=0.9"),
    (lambda: RMSprop([ONE], alpha=1), ValueError, "RMSprop: expected alpha in [0, 1), got 1"),
    (lambda: SGD([]), ValueError, "SGD: expected at least one parameter, got none; does the model hold tensors as attributes?"),
    (lambda: SGD([{"params": []}]), ValueError, "SGD: expected at least one parameter in each group, got none; leave the group out"),
    (lambda: SGD([ONE, ONE]), ValueError, "SGD: expected each parameter once, got that of shape (1,) at place 1 again; name it in one group only"),
    (lambda: SGD([{"params": [ONE]}, {"params": [ONE]}]), ValueError, "SGD: expected each parameter once, got that of shape (1,) at place 0 again"),
    (lambda: SGD([Tensor([1.0])]), ValueError, "SGD: expected parameters that require gradients, got a constant of shape (1,) at place 0; make it with Tensor(..., requires_grad=True)"),
    (lambda: SGD([ONE * 2]), ValueError, "SGD: expected parameters that require gradients, got a computed tensor of shape (1,) at place 0"),
    (lambda: SGD([np.ones(3)]), TypeError, "SGD: expected Tensors as parameters, got ndarray at place 0; give model.parameters(), or groups {'params': …} only"),
    (lambda: SGD([ONE, {"params": [ONE]}]), TypeError, "SGD: expected Tensors as parameters, got dict at place 1"),
    (lambda: SGD(ONE), TypeError, "SGD: expected an iterable of Tensors or of groups, got Tensor; give a list"),
    (lambda: SGD(MLP(2, 1)), TypeError, "SGD: expected an iterable of Tensors or of groups, got MLP; give model.parameters()"),
    (lambda: SGD([{"params": [ONE], "learning_rate": 1}]), TypeError, "SGD: no option 'learning_rate'; it has lr, momentum, nesterov, weight_decay"),
    (lambda: setattr(SGD([ONE]), "lr", -1), ValueError, "SGD: expected lr > 0 and finite, got -1"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[row[2][:70] for row in REFUSED])
def test_what_does_not_fit_is_refused_by_name(call, error, message):
    before = ONE.data.base
    with pytest.raises(error, match=re.escape(message)):
        call()
    assert ONE.data.tolist() == [1]
    assert before is None or ONE.data.base is not None
