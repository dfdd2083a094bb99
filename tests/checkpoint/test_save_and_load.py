"""What is saved comes back bit for bit; what cannot be saved is refused before anything is written."""

import os
import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from minigrad import MLP, Linear, Tensor, loss, losses
from minigrad.checkpoint import Checkpoint, check_place, content, load, save
from minigrad.engine.errors import CheckpointError, PluginError, UnknownLossError
from minigrad.optim import SGD, Adam, AdamW, Cosine, Plateau, WarmUp

DTYPES = (np.float64, np.float32, np.int64, np.int32, np.uint8, np.bool_)


def same(a, b):
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


def round_trip(path, arrays, **more):
    save(path, arrays, **more)
    return load(path)


# --- arrays -----------------------------------------------------------------------------------------------------------
NAN = np.array([0x7FF8000000000001, 0xFFF0000000000001, 0x7FF4DEADBEEF0000], np.uint64).view(np.float64)
ARRAYS = {
    **{np.dtype(d).name: np.arange(6).astype(d).reshape(2, 3) for d in DTYPES},
    "no axes": np.array(2.5),
    "empty": np.zeros((0, 3), np.float32),
    "nothing": np.zeros(0, bool),
    "nan payloads": NAN,
    "minus zero": np.array([-0.0, 0.0, -np.inf]),
    "smallest": np.array([5e-324, -5e-324]),
    "largest integers": np.array([2**63 - 1, -(2**63)]),
    "column order": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every other": np.arange(12.0)[::2],
    "reversed": np.arange(5, dtype=np.int32)[::-1],
    "transposed view": np.arange(6, dtype=np.float32).reshape(2, 3).T,
    "broadcast": np.broadcast_to(np.float32(3), (2, 2)),
    "many axes": np.zeros((1,) * 32),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_an_array_comes_back_bit_for_bit_and_numpy_reads_it_too(tmp_path, name):
    array = ARRAYS[name]
    found = round_trip(tmp_path / "a.npz", {name: array}).last[name]
    assert same(found, array)
    assert found.flags.c_contiguous
    assert found.flags.owndata
    with np.load(tmp_path / "a.npz") as theirs:
        assert same(theirs[f"last/{name}"], array)


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">i8", ">i4"])
def test_an_array_of_the_other_byte_order_keeps_its_values(tmp_path, dtype):
    array = np.array([1, 2, 3], dtype)
    found = round_trip(tmp_path / "a.npz", {"a": array}).last["a"]
    assert found.dtype == np.dtype(dtype).newbyteorder("<")
    assert found.tolist() == [1, 2, 3]


SOME_NAMES = st.text(
    st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="/\\."), min_size=1, max_size=40
)
SOME_ARRAYS = st.sampled_from(DTYPES).flatmap(
    lambda d: hnp.arrays(d, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


def comes_back(arrays, more):
    packed = bytes(content._packed(arrays, more, None, None, None, 0, 0, {"more": list(more.values())}))
    found = content._parsed(packed)
    for name, array in arrays.items():
        assert same(found.last[name], array)
    for name, array in more.items():
        assert same(found.best[name], array)
    again = content._packed(found.last, found.best, None, None, None, 0, 0, found.run)
    assert bytes(again) == packed


@settings(max_examples=200, derandomize=True, database=None, deadline=None)
@given(st.dictionaries(SOME_NAMES, SOME_ARRAYS, max_size=4), st.dictionaries(SOME_NAMES, SOME_ARRAYS, max_size=2))
def test_any_arrays_by_any_names_come_back_and_give_the_same_bytes_again(arrays, more):
    comes_back(arrays, more)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None)
@given(st.dictionaries(SOME_NAMES, SOME_ARRAYS, max_size=8), st.dictionaries(SOME_NAMES, SOME_ARRAYS, max_size=4))
def test_very_many_arrays_by_any_names_come_back_and_give_the_same_bytes_again(arrays, more):
    comes_back(arrays, more)


def test_a_thousand_tensors_come_back_in_their_order(tmp_path):
    arrays = {f"layer.{i}.weight": Tensor(np.full((2, 2), i, np.float32)) for i in range(1000)}
    found = round_trip(tmp_path / "a.npz", arrays)
    assert list(found.last) == list(arrays)
    assert all(found.last[name].tolist() == t.data.tolist() for name, t in arrays.items())


def test_the_arrays_of_a_large_file_are_in_memory_no_more_than_twice(tmp_path):
    arrays = {f"w{i}": np.full(2**19, float(i)) for i in range(4)}
    peaks = {}
    for what, call in (("save", lambda: save(tmp_path / "a.npz", arrays)), ("load", lambda: load(tmp_path / "a.npz"))):
        tracemalloc.start()
        try:
            call()
            peaks[what] = tracemalloc.get_traced_memory()[1] / os.path.getsize(tmp_path / "a.npz")
        finally:
            tracemalloc.stop()
    assert peaks["save"] < 1.6
    assert peaks["load"] < 2.2


def test_the_same_input_gives_the_same_bytes(tmp_path):
    model = MLP(3, 4, 2, rng=0)
    for name in ("a", "b"):
        save(
            tmp_path / name,
            model,
            optimizer=Adam(model.parameters()),
            rng=np.random.default_rng(1),
            run={"x": [1, 2.5]},
        )
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


# --- a model ----------------------------------------------------------------------------------------------------------
class TestAModel:
    def test_gets_its_weights_back(self, tmp_path):
        path, model, other = tmp_path / "model.npz", MLP(3, 4, 2, rng=0), MLP(3, 4, 2, rng=1)
        save(path, model)
        found = load(path, other)
        assert isinstance(found, Checkpoint)
        assert all(same(p.data, q.data) for p, q in zip(model.parameters(), other.parameters(), strict=True))
        assert found.best is None
        assert (found.epoch, found.step, found.run, found.rng, found.optimizer) == (0, 0, {}, None, None)

    def test_gets_the_best_weights_where_there_are_any(self, tmp_path):
        model, best = Linear(2, 1, rng=0), Linear(2, 1, rng=1)
        save(tmp_path / "a.npz", model, best=best.state_dict())
        other = Linear(2, 1, rng=2)
        load(tmp_path / "a.npz", other)
        assert same(other.weight.data, best.weight.data)
        load(tmp_path / "a.npz").resume(other)
        assert same(other.weight.data, model.weight.data)

    @pytest.mark.parametrize(
        ("other", "said"),
        [
            (
                lambda: MLP(3, 4, 5, rng=1),
                ["layers.2.weight is (4, 2) float32 instead of (4, 5) float32", "layers.2.bias is (2,)"],
            ),
            (
                lambda: MLP(3, 4, 4, 2, rng=1),
                ["layers.4.weight is missing", "layers.4.bias is missing", "layers.2.weight is (4, 2)"],
            ),
            (
                lambda: Linear(3, 2, rng=1),
                ["weight is missing", "layers.0.weight is unknown here", "layers.2.bias is unknown here"],
            ),
            (lambda: MLP(3, 4, 2, rng=1, dtype=np.float64), ["layers.0.bias is (4,) float32 instead of (4,) float64"]),
        ],
    )
    def test_that_does_not_fit_hears_all_mismatches_and_stays_as_it_was(self, tmp_path, other, said):
        save(tmp_path / "a.npz", MLP(3, 4, 2, rng=0))
        model = other()
        before = model.state_dict()
        for call in (lambda: load(tmp_path / "a.npz", model), lambda: load(tmp_path / "a.npz").resume(model)):
            with pytest.raises(CheckpointError, match="nothing was loaded: build the model as it was") as caught:
                call()
            assert all(part in str(caught.value) for part in said)
        assert all(same(model.state_dict()[name], array) for name, array in before.items())


# --- a run ------------------------------------------------------------------------------------------------------------
OPTIMIZERS = {
    "adam": lambda ps: Adam(ps),
    "momentum": lambda ps: SGD(ps, lr=WarmUp(Cosine(0.1, steps=9), steps=2), momentum=0.9, clip_norm=1.0),
    "plateau": lambda ps: AdamW([{"params": ps[:1], "lr": 0.5}, {"params": ps[1:]}], lr=Plateau(0.1)),
}


def steps(model, optimizer, rng, count):
    for _ in range(count):
        for p in model.parameters():
            p.grad = rng.standard_normal(p.shape).astype(p.dtype)
        optimizer.step()
        optimizer.observe(float(rng.random()))


class TestARun:
    @pytest.mark.parametrize("name", OPTIMIZERS)
    @pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "Philox", "SFC64"])
    def test_goes_on_with_the_same_bytes(self, tmp_path, name, kind):
        rng = np.random.Generator(getattr(np.random, kind)(3))
        rng.random(3, np.float32)  # leaves half a draw behind
        model = MLP(3, 4, 2, rng=0)
        optimizer = OPTIMIZERS[name](model.parameters())
        steps(model, optimizer, rng, 5)
        save(tmp_path / "a.npz", model, optimizer=optimizer, rng=rng, epoch=2, step=5)
        steps(model, optimizer, rng, 5)

        other = MLP(3, 4, 2, rng=1)
        second = OPTIMIZERS[name](other.parameters())
        found = load(tmp_path / "a.npz")
        found.resume(other, second)
        steps(other, second, found.rng, 5)
        assert (found.epoch, found.step) == (2, 5)
        assert all(same(p.data, q.data) for p, q in zip(model.parameters(), other.parameters(), strict=True))
        assert repr(second) == repr(optimizer)
        assert found.rng.random(7, np.float32).tolist() == rng.random(7, np.float32).tolist()

    def test_of_another_optimizer_changes_nothing(self, tmp_path):
        model = MLP(3, 4, 2, rng=0)
        save(tmp_path / "a.npz", model, optimizer=Adam(model.parameters()))
        other = MLP(3, 4, 2, rng=1)
        before = other.state_dict()
        with pytest.raises(CheckpointError, match=r"SGD.load_state_dict: .* it is that of 'Adam'; nothing was loaded"):
            load(tmp_path / "a.npz").resume(other, SGD(other.parameters()))
        save(tmp_path / "b.npz", model)
        with pytest.raises(CheckpointError, match=r"Adam.load_state_dict: .* no 'groups'"):
            load(tmp_path / "b.npz").resume(other, Adam(other.parameters()))
        assert all(same(other.state_dict()[name], array) for name, array in before.items())

    def test_keeps_what_else_belongs_to_it(self, tmp_path):
        run = {
            "rows": {"loss": np.arange(3.0)},
            "key": 2**63 - 1,
            "list": [None, True, -1.5, "naïve ✓", [np.eye(2)], []],
            "t": (1, 2),
        }
        found = round_trip(tmp_path / "a.npz", {}, run=run).run
        assert found["rows"]["loss"].tolist() == [0, 1, 2]
        assert found["list"][4][0].tolist() == [[1, 0], [0, 1]]
        assert (found["key"], found["list"][:4], found["t"]) == (run["key"], run["list"][:4], [1, 2])

    def test_says_how_far_it_is(self, tmp_path):
        assert repr(round_trip(tmp_path / "a", {"w": np.ones(2)}, epoch=3, step=17)) == (
            "<checkpoint of minigrad '0.1.0': 1 arrays, epoch 3, step 17>"
        )


# --- a loss -----------------------------------------------------------------------------------------------------------
@loss
def scaled(pred, target, *, scale=1.0, shift=0.0):
    """A loss with a parameter that can be learned."""
    return scale * (pred - target) ** 2 + shift


class TestALoss:
    @pytest.mark.parametrize(
        "text",
        [
            "mse",
            "huber(delta=2.5)",
            "cross_entropy(class_weight=[1.0, 2.0])",
            "0.7 * mse + 0.3 * huber(delta=3.0)",
            "mse(reduction='sum')",
        ],
    )
    def test_comes_back_by_name_and_parameters(self, tmp_path, text):
        chosen = losses.get(text)
        found = round_trip(tmp_path / "a.npz", {}, loss=chosen)
        assert str(found.loss()) == str(chosen)
        assert found.loss() == chosen

    def test_keeps_class_weights_by_class(self, tmp_path):
        chosen = losses.get("cross_entropy").with_(class_weight={0: 1.0, 1: 4.0})
        assert round_trip(tmp_path / "a.npz", {}, loss=chosen).loss().options["class_weight"] == {0: 1.0, 1: 4.0}

    def test_with_learned_and_fitted_parameters_has_their_arrays(self, tmp_path):
        learned = Tensor(np.float32(2.0), requires_grad=True)
        with losses.isolated():
            chosen = losses.get(losses.register(scaled).full_name).with_(scale=learned, shift=np.arange(3.0))
            found = round_trip(tmp_path / "a.npz", {}, loss=chosen).loss()
        assert found.learned["scale"].data == 2.0
        assert found.learned["scale"].requires_grad
        assert found.given["shift"].tolist() == [0, 1, 2]

    @pytest.mark.parametrize(
        "build", [lambda t: scaled.with_(scale=t), lambda t: 0.5 * scaled.with_(scale=t) + losses.get("mse")]
    )
    def test_gives_its_learned_parameters_to_the_loss_of_a_run_that_goes_on(self, tmp_path, build):
        saved, model = build(Tensor([2.0], requires_grad=True)), Linear(1, 1, rng=0)
        save(tmp_path / "a.npz", model, loss=saved)
        own = build(Tensor([9.0], requires_grad=True))
        load(tmp_path / "a.npz").resume(model, loss=own)
        (t,) = own.learned.values()
        assert t.data.tolist() == [2.0]

    def test_that_was_not_saved_cannot_go_on_unless_nothing_of_it_is_learned(self, tmp_path):
        model = Linear(1, 1, rng=0)
        save(tmp_path / "a.npz", model)
        load(tmp_path / "a.npz").resume(model, loss=scaled)
        with pytest.raises(CheckpointError, match=r"got others \(scale\); nothing was changed"):
            load(tmp_path / "a.npz").resume(model, loss=scaled.with_(scale=Tensor([2.0], requires_grad=True)))

    def test_keeps_the_name_of_a_sum_and_says_who_offers_it(self, tmp_path):
        both = (0.5 * losses.get("mse") + 0.5 * losses.get("mae")).named("both")
        found = round_trip(tmp_path / "a.npz", {}, loss=both)
        assert (found.loss().name, found.loss()) == ("both", both)
        assert found.loss_record["parts"][0][1]["distribution"] == "minigrad-lab"

    def test_with_other_learned_parameters_changes_nothing(self, tmp_path):
        model, other = Linear(1, 1, rng=0), Linear(1, 1, rng=1)
        save(tmp_path / "a.npz", model, loss=scaled.with_(scale=Tensor([2.0], requires_grad=True)))
        before = other.weight.data.tolist()
        for own, said in (
            (scaled, "(scale)"),
            (scaled.with_(scale=Tensor([[2.0]], requires_grad=True)), "(scale)"),
            (scaled.with_(shift=Tensor([2.0], requires_grad=True)), "(scale, shift)"),
        ):
            message = (
                f"Checkpoint.resume: expected the learned parameters of {own}, got others {said}; nothing was changed"
            )
            with pytest.raises(CheckpointError, match=re.escape(message)):
                load(tmp_path / "a.npz").resume(other, loss=own)
        assert other.weight.data.tolist() == before

    def test_that_is_not_here_is_named_with_its_pack(self, tmp_path):
        save(tmp_path / "a.npz", {"w": np.ones(1)}, loss=losses.get("mse"))
        found = load(tmp_path / "a.npz")
        found.loss_record.update(name="absent:dice", pack="absent", distribution="minigrad-absent", version="0.2")
        message = (
            "no loss called 'absent:dice', which this checkpoint names; it is in the pack 'absent' (minigrad-absent 0.2), "
            "which is not loaded here"
        )
        with pytest.raises(UnknownLossError, match=re.escape(message)):
            found.loss()
        assert found.last["w"].tolist() == [1]

    def test_of_the_program_that_saved_it_is_never_taken_for_a_built_in_one(self, tmp_path):
        @loss
        def mse(pred, target):
            """Not the built-in one."""
            return np.abs(pred - target)

        found = round_trip(tmp_path / "a.npz", {}, loss=mse)
        message = "no loss called 'here:mse', which this checkpoint names; it was a loss of the program that saved it"
        with pytest.raises(UnknownLossError, match=re.escape(message)):
            found.loss()

    def test_whose_parameters_have_changed_is_refused(self, tmp_path):
        found = round_trip(tmp_path / "a.npz", {}, loss=losses.get("huber", delta=2.0))
        found.loss_record["parameters"] = {"detla": 2.0}
        with pytest.raises(
            CheckpointError,
            match=r"Checkpoint.loss: expected 'huber' as it was saved, got another loss of that name: huber: no",
        ):
            found.loss()

    def test_that_was_not_saved_is_asked_for_in_vain(self, tmp_path):
        with pytest.raises(
            LookupError, match=r"Checkpoint.loss: expected a loss in the file, got none; save\(..., loss=loss\)"
        ):
            round_trip(tmp_path / "a.npz", {}).loss()


# --- what cannot be saved ---------------------------------------------------------------------------------------------
W = {"w": np.ones(2)}
UNSAVED = [
    (
        lambda p: save(p, {"a": np.array([None])}),
        "last/a: dtype object; kept are float64, float32, int64, int32, uint8 and bool",
    ),
    (lambda p: save(p, {"a": np.ones(2, complex)}), "last/a: dtype complex128; kept are"),
    (lambda p: save(p, {"a": np.ones(2, np.float16)}), "last/a: dtype float16; kept are"),
    (lambda p: save(p, {"a": np.ones(2, np.uint64)}), "last/a: dtype uint64; kept are"),
    (lambda p: save(p, {"a": "text"}), "last/a: dtype <U4; kept are"),
    (lambda p: save(p, {"a": np.zeros(1, [("x", float)])}), "last/a: dtype [('x', '<f8')]; kept are"),
    (lambda p: save(p, {"a": [[1.0], [1.0, 2.0]]}), "last/a: no regular array: "),
    (lambda p: save(p, {"a": np.ma.array([1.0], mask=[True])}), "last/a: a masked array; fill it first"),
    (lambda p: save(p, {"a": np.zeros((1,) * 33)}), "last/a: 33 axes; the limit is 32"),
    (lambda p: save(p, {3: np.ones(2)}), "a name that is no text: 3"),
    (lambda p: save(p, {"a" * 513: np.ones(2)}), "a name of 513 characters: 'aaaa"),
    (lambda p: save(p, {"": np.ones(2)}), "a name of 0 characters: ''; it must have 1 to 512"),
    (lambda p: save(p, {"a\nb": np.ones(2)}), "a name with control characters: 'a\\nb'"),
    (lambda p: save(p, {"a\x1b[31m": np.ones(2)}), "a name with control characters: 'a\\x1b[31m'"),
    (lambda p: save(p, {"\ud800": np.ones(2)}), "a name with control characters"),
    (lambda p: save(p, {"../a": np.ones(2)}), "a name that looks like a path: 'last/../a'"),
    (lambda p: save(p, {"a\\b": np.ones(2)}), "a name that looks like a path"),
    (lambda p: save(p, W, best={"b": np.ones(1, complex)}), "best/b: dtype complex128"),
    (
        lambda p: save(p, W, run={"f": len}),
        "run/f: <built-in function len>; kept are None, text, truth values, finite numbers, and arrays",
    ),
    (lambda p: save(p, W, run={"x": -(2**63) - 1}), "run/x: -9223372036854775809; kept are"),
    (lambda p: save(p, W, run={"x": [1.0, float("nan")]}), "run/x/1: nan; kept are"),
    (lambda p: save(p, W, run={"x": np.float32("inf")}), "run/x: inf; kept are"),
    (lambda p: save(p, W, run={"x": 2**70}), "run/x: 1180591620717411303424; kept are"),
    (lambda p: save(p, W, run={"x": {1: 2}}), "run/x: a key 1; keys must be text, other than 'array'"),
    (lambda p: save(p, W, run={"x": {"array": 2}}), "run/x: a key 'array'; keys must be text, other than 'array'"),
    (lambda p: save(p, W, run={"a/b": np.ones(1), "a": {"b": np.ones(1)}}), "two arrays by the name 'run/a/b'"),
    (lambda p: save(p, W, run={"x": "\ud800"}), "text that is no Unicode: "),
    (
        lambda p: save(p, W, run={"x": "a" * 2**20}),
        " bytes of numbers and text besides the arrays; the limit is 1,048,576",
    ),
    (lambda p: save(p, {str(i): np.ones(1) for i in range(10_001)}), "10,001 arrays; the limit is 10,000"),
    (
        lambda p: save(p, {"a": np.broadcast_to(np.float64(0), (2**30,))}),
        "last/a: 8,589,934,592 bytes; the limit is 4 GiB",
    ),
    (lambda p: save(p, W, epoch=-1), "epoch -1; it must be a whole number ≥ 0"),
    (lambda p: save(p, W, step=1.5), "step 1.5; it must be a whole number ≥ 0"),
    (lambda p: save(p, W, rng=3), "rng 3; it must be a numpy.random.Generator of PCG64, PCG64DXSM, Philox, SFC64"),
    (
        lambda p: save(p, W, rng=np.random.Generator(np.random.MT19937(0))),
        "it must be a numpy.random.Generator of PCG64",
    ),
]


@pytest.mark.parametrize(("call", "said"), UNSAVED, ids=[row[1][:50] for row in UNSAVED])
def test_what_cannot_be_saved_is_refused_by_name_and_nothing_is_written(tmp_path, call, said):
    path = tmp_path / "a.npz"
    save(path, W)
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=re.escape(said)) as caught:
        call(path)
    assert str(caught.value).startswith("save: expected arrays and plain values, got ")
    assert str(caught.value).endswith("; nothing was written")
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["a.npz"]


def test_a_run_that_holds_itself_is_refused(tmp_path):
    run = {}
    run["run"] = run
    with pytest.raises(CheckpointError, match="nothing was written"):
        save(tmp_path / "a.npz", W, run=run)


def test_a_model_that_is_none_is_refused(tmp_path):
    with pytest.raises(TypeError, match=r"save: expected a Module, or arrays by name, got list; write \{'w': array\}"):
        save(tmp_path / "a.npz", [np.ones(1)])
    with pytest.raises(
        TypeError, match=r"save: expected a Module, or arrays by name, got str; write save\(path, model\)"
    ):
        save(MLP(2, 1), str(tmp_path / "x.npz"))


def test_names_of_512_characters_and_of_other_alphabets_are_kept(tmp_path):
    names = ["a" * 512, "größe", "重み", "α.β", "with space", "a/b/c", "x..y", "..."]
    assert list(round_trip(tmp_path / "a.npz", {name: np.ones(1) for name in names}).last) == names


# --- the file system --------------------------------------------------------------------------------------------------
class TestThePlace:
    def test_in_a_missing_folder_is_refused_with_its_path(self, tmp_path):
        path = tmp_path / "missing" / "a.npz"
        for call in (lambda: save(path, W), lambda: check_place(path)):
            with pytest.raises(FileNotFoundError) as caught:
                call()
            assert caught.value.filename == str(path)

    def test_that_is_a_folder_is_refused_with_its_path(self, tmp_path):
        for call in (lambda: save(tmp_path, W), lambda: check_place(tmp_path)):
            with pytest.raises(IsADirectoryError) as caught:
                call()
            assert caught.value.filename == str(tmp_path)
        assert os.listdir(tmp_path) == []

    @pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
    def test_that_is_read_only_is_refused_with_its_path(self, tmp_path):
        path = tmp_path / "a.npz"
        save(path, W)
        for place, mode in ((path, 0o444), (tmp_path, 0o555)):
            place.chmod(mode)
            try:
                with pytest.raises(PermissionError) as caught:
                    save(path, W)
            finally:
                place.chmod(0o755)
            assert caught.value.filename == str(path)

    def test_that_is_missing_is_not_read(self, tmp_path):
        with pytest.raises(FileNotFoundError) as caught:
            load(tmp_path / "missing.npz")
        assert caught.value.filename == str(tmp_path / "missing.npz")

    def test_may_be_text_or_a_path_and_needs_no_ending(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        for path in ("a", Path("b.ckpt")):
            save(path, W)
            assert load(path).last["w"].tolist() == [1, 1]
        assert sorted(os.listdir(tmp_path)) == ["a", "b.ckpt"]

    def test_of_no_path_is_a_type_error(self):
        for call in (lambda: save(3.5, W), lambda: load(3.5)):
            with pytest.raises(TypeError, match="PathLike"):
                call()


def test_a_broken_pack_says_so_itself(tmp_path, monkeypatch):
    found = round_trip(tmp_path / "a.npz", {}, loss=losses.get("mse"))
    found.loss_record.update(name="broken:x", pack="broken")

    def fails(name):
        raise PluginError("the pack 'broken' failed to load")

    monkeypatch.setattr("minigrad.checkpoint.record.get", fails)
    with pytest.raises(PluginError, match="the pack 'broken' failed to load"):
        found.loss()
