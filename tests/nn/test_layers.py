"""Layers: their equations in NumPy, their gradients against differences, how they start, and what they refuse."""

import math
import re

import numpy as np
import pytest

from minigrad import MLP, Linear, Tensor, fit, nn, ops
from minigrad.engine.errors import DTypeError, ShapeError
from minigrad.testing import gradcheck

RNG = np.random.default_rng
X = RNG(0).standard_normal((5, 4))
WIDE = {"dtype": np.float64}


def gradients_agree(module, x):
    """gradcheck of a module in all its parameters and its input."""
    params = module.parameters()

    def f(x, *values):
        for (path, _), value in zip(list(module.named_parameters()), values, strict=True):
            holder, name = module, path.rpartition(".")[2]
            for part in path.split(".")[:-1]:
                holder = holder[int(part)] if part.isdigit() else getattr(holder, part)
            vars(holder)[name] = value
        try:
            return module(x)
        finally:
            for (holder, name), p in zip(places, params, strict=True):
                vars(holder)[name] = p

    places = [
        (m, name) for _, m in module.named_modules() for name, v in vars(m).items() if any(v is p for p in params)
    ]
    return gradcheck(f, x, *(p.data.copy() for p in params), order=2)


# --- equations --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("lead", [(), (5,), (2, 3), (0,)])
@pytest.mark.parametrize("bias", [True, False])
def test_linear_is_x_times_weight_plus_bias_for_any_leading_axes(lead, bias):
    layer = Linear(4, 3, bias=bias, rng=0, **WIDE)
    x = RNG(1).standard_normal((*lead, 4))
    expected = np.einsum("...i,io->...o", x, layer.weight.data) + (layer.bias.data if bias else 0)
    out = layer(x)
    assert out.shape == (*lead, 3)
    np.testing.assert_allclose(out.data, expected, rtol=1e-13, atol=1e-13)


def test_an_mlp_is_its_equation_and_keeps_float32():
    model = MLP(4, 6, 3, activation="tanh", output="softmax", rng=0, **WIDE)
    (w, b), (v, c) = ((layer.weight.data, layer.bias.data) for layer in model if isinstance(layer, Linear))
    z = np.tanh(X @ w + b) @ v + c
    expected = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    np.testing.assert_allclose(model(X).data, expected, rtol=1e-13)
    assert MLP(4, 6, 3, rng=0)(X.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("scale", [1.0, 1e-3, 1e4])
def test_layer_norm_gives_rows_of_mean_0_and_variance_1(scale):
    layer = nn.LayerNorm(4, **WIDE)
    out = layer(X * scale).data
    variance = (X * scale).var(1)
    np.testing.assert_allclose(out.mean(1), 0, atol=1e-13)
    np.testing.assert_allclose(out.var(1), variance / (variance + 1e-5), rtol=1e-12)
    layer.weight.data, layer.bias.data = np.full(4, 2.0), np.full(4, 3.0)
    np.testing.assert_allclose(layer(X * scale).data, 2 * out + 3, rtol=1e-13)


def test_layer_norm_of_a_constant_row_is_the_bias_with_finite_gradients():
    layer, x = nn.LayerNorm(3), Tensor(np.full((2, 3), 7, np.float32), requires_grad=True)
    out = layer(x)
    assert out.data.tolist() == [[0, 0, 0], [0, 0, 0]]
    (out * out).sum().backward()
    assert x.grad.data.tolist() == [[0, 0, 0], [0, 0, 0]]
    assert out.dtype == x.grad.dtype == np.float32


@pytest.mark.parametrize(("name", "kind"), nn.ACTIVATIONS.items())
def test_an_activation_as_a_module_is_the_function(name, kind):
    function = np.tanh if name == "tanh" else getattr(ops, name)
    np.testing.assert_array_equal(kind()(Tensor(X)).data, function(Tensor(X)).data)
    alpha = {"leaky_relu": "0.01", "elu": "1"}.get(name, "")
    assert repr(kind()) == f"{kind.__name__}({alpha})"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("module", "equation"),
    [
        (nn.GELU(), lambda x: x * math.erfc(-x / math.sqrt(2)) / 2),
        (nn.SiLU(), lambda x: x / (1 + math.exp(-x))),
        (nn.LeakyReLU(), lambda x: x if x > 0 else x / 100),
        (nn.LeakyReLU(0.3), lambda x: x if x > 0 else 0.3 * x),
        (nn.ELU(), lambda x: x if x > 0 else math.exp(x) - 1),
        (nn.ELU(0.3), lambda x: x if x > 0 else 0.3 * (math.exp(x) - 1)),
    ],
    ids=lambda value: str(value) if isinstance(value, nn.Module) else None,
)
def test_an_activation_is_its_equation_and_keeps_the_dtype(module, equation, dtype):
    x = Tensor(3 * X.astype(dtype), requires_grad=True)
    out = module(x)
    out.sum().backward()
    assert out.dtype == x.grad.dtype == dtype
    expected = np.vectorize(equation)(x.data.astype(float))
    np.testing.assert_allclose(out.data, expected, rtol=1e-6 if dtype is np.float32 else 1e-12, atol=0)
    near = np.vectorize(lambda v: (equation(v + 1e-6) - equation(v - 1e-6)) / 2e-6)(x.data.astype(float))
    np.testing.assert_allclose(x.grad.data, near, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", ["gelu", "silu", "leaky_relu", "elu"])
def test_a_network_with_this_activation_learns_a_parabola(name):
    x = np.linspace(-1, 1, 64, dtype=np.float32)[:, None]
    history = fit(MLP(1, 16, 1, activation=name, rng=0), (x, x * x), loss="mse", lr=0.02, epochs=40, rng=0)
    assert history.rows[-1].training["loss"] < 0.1 * np.var(x * x)


@pytest.mark.parametrize(
    "module",
    [
        Linear(4, 3, rng=0, **WIDE),
        nn.LayerNorm(4, **WIDE),
        nn.Sequential(Linear(4, 3, rng=0, **WIDE), nn.LayerNorm(3, **WIDE), nn.Tanh(), Linear(3, 2, rng=1, **WIDE)),
        MLP(4, 3, 2, activation="softplus", output="log_softmax", rng=0, **WIDE),
    ],
    ids=str,
)
def test_gradients_agree_with_differences_in_input_and_parameters(module):
    assert gradients_agree(module, X)


def test_a_chain_is_its_modules_in_order_and_a_slice_of_it_a_chain():
    chain = nn.Sequential(Linear(4, 3, rng=0, **WIDE), nn.Tanh(), Linear(3, 2, rng=1, **WIDE))
    a, tanh, b = chain
    np.testing.assert_array_equal(chain(X).data, b(tanh(a(X))).data)
    assert len(chain) == 3
    assert chain[0] is a
    assert isinstance(chain[1:], nn.Sequential)
    np.testing.assert_array_equal(chain[1:](chain[:1](X)).data, chain(X).data)


# --- dropout ----------------------------------------------------------------------------------------------------------
class TestDropout:
    @pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
    def test_zeroes_the_share_p_and_keeps_the_mean(self, p):
        out = nn.Dropout(p, rng=0)(Tensor(np.ones((500, 400), np.float32))).data
        assert out.dtype == np.float32
        share = (out == 0).mean()
        assert abs(share - p) < 5 * np.sqrt(p * (1 - p) / out.size)
        assert set(np.unique(out)) == {0, np.float32(1 / (1 - p))}

    def test_in_use_returns_what_it_got_and_draws_nothing(self):
        layer, x = nn.Dropout(rng=0).eval(), Tensor(X)
        state = layer.rng.bit_generator.state
        assert layer(x) is x
        assert nn.Dropout(0, rng=0)(x) is x
        assert layer.rng.bit_generator.state == state

    def test_sends_the_gradient_through_what_was_left(self):
        x = Tensor(RNG(0).standard_normal((20, 30)), requires_grad=True)
        out = nn.Dropout(0.25, rng=1)(x)
        out.sum().backward()
        np.testing.assert_array_equal(x.grad.data, np.where(out.data == 0, 0, 1 / 0.75))

    def test_drops_the_same_places_in_float32_and_float64(self):
        a, b = (nn.Dropout(0.3, rng=7)(Tensor(np.ones(100, dtype))).data for dtype in (np.float32, np.float64))
        np.testing.assert_array_equal(a == 0, b == 0)

    def test_takes_plain_arrays_of_integers_too(self):
        assert nn.Dropout(0.5, rng=0)(np.ones(4, int)).tolist() == nn.Dropout(0.5, rng=0)(np.ones(4)).tolist()


# --- how weights start ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("init", "variance"),
    [("he", 2 / 300), ("glorot", 2 / 500), ("lecun", 1 / 300)],
)
def test_weights_start_with_the_variance_of_their_source(init, variance):
    w = Linear(300, 200, init=init, rng=0, **WIDE).weight.data
    assert abs(w.var() / variance - 1) < 5 * np.sqrt(2 / w.size)
    assert abs(w.mean()) < 5 * np.sqrt(variance / w.size)


@pytest.mark.parametrize("shape", [(7, 4), (4, 7), (5, 5), (1, 3)])
def test_orthogonal_weights_have_orthonormal_rows_or_columns(shape):
    w = Linear(*shape, init="orthogonal", rng=0, **WIDE).weight.data
    gram = w.T @ w if shape[0] >= shape[1] else w @ w.T
    np.testing.assert_allclose(gram, np.eye(min(shape)), atol=1e-14)


def test_orthogonal_weights_prefer_no_sign():
    corners = [Linear(3, 3, init="orthogonal", rng=seed, **WIDE).weight.data for seed in range(400)]
    assert np.abs(np.mean(corners, 0)).max() < 5 * np.sqrt(1 / 3 / 400)


def test_weights_are_the_same_numbers_in_both_dtypes_and_come_from_the_rng_alone():
    wide, narrow = Linear(5, 4, rng=3, **WIDE), Linear(5, 4, rng=np.random.default_rng(3))
    np.testing.assert_array_equal(wide.weight.data.astype(np.float32), narrow.weight.data)
    assert not narrow.bias.data.any()
    rng = np.random.default_rng(3)
    Linear(5, 4, rng=rng)
    assert not np.array_equal(Linear(5, 4, rng=rng).weight.data, narrow.weight.data)


# --- what is refused --------------------------------------------------------------------------------------------------
REFUSED = [
    (lambda: MLP(64, 0, 10), ValueError, "MLP: expected sizes ≥ 1, got 0; a size is a number of columns"),
    (lambda: MLP(64, 2.5), TypeError, "MLP: expected sizes that are integers, got 2.5; write MLP(64, 10, rng=0)"),
    (lambda: MLP(64, True), TypeError, "MLP: expected sizes that are integers, got True; write MLP(64, 10, rng=0)"),
    (lambda: MLP([64, 10]), TypeError, "MLP: expected sizes that are integers, got [64, 10]; write MLP(64, 10, rng=0)"),
    (lambda: MLP((3, 8, 1)), TypeError, "MLP: expected sizes that are integers, got (3, 8, 1); write MLP(3, 8, 1, rng=0)"),
    (lambda: MLP([3] * 20), TypeError, "MLP: expected sizes that are integers, got [3, 3, 3,"),
    (lambda: MLP(3, 1, activation="swish"), ValueError, "got 'swish'; did you mean 'silu'?"),
    (lambda: MLP(64), ValueError, "MLP: expected at least two sizes, from input to output, got (64,); write MLP(64, 10)"),
    (lambda: MLP(), ValueError, "MLP: expected at least two sizes, from input to output, got (); write MLP(64, 10)"),
    (lambda: MLP(2, 1, activation="rleu"), ValueError, "MLP: expected activation one of relu, tanh,"),
    (lambda: MLP(2, 1, activation="rleu"), ValueError, "got 'rleu'; did you mean 'relu'?"),
    (lambda: MLP(2, 1, activation=None), ValueError, "got None"),
    (lambda: MLP(2, 1, output="sigmoidal"), ValueError, "got 'sigmoidal'; did you mean 'sigmoid'?"),
    (lambda: MLP(2, 1, init="xavier"), ValueError, "MLP: expected init one of he, glorot, lecun, orthogonal, got 'xavier'; did you mean 'glorot'?"),
    (lambda: MLP(2, 1, rng="0"), TypeError, "MLP: expected rng, an int or a numpy.random.Generator, got '0'; say rng=0"),
    (lambda: MLP(2, 1, rng=-1), ValueError, "MLP: expected rng ≥ 0, got -1; say rng=0"),
    (lambda: MLP(2, 1, dtype=np.int64), DTypeError, "Linear: expected dtype float32 or float64, got <class 'numpy.int64'>"),
    (lambda: Linear(0, 1, rng=0), ValueError, "Linear: expected sizes ≥ 1, got 0; a size is a number of columns"),
    (lambda: Linear(2, 1, rng=0, dtype="text"), DTypeError, "Linear: expected dtype float32 or float64, got 'text'"),
    (lambda: Linear(2, 1, rng=0, dtype=None), DTypeError, "got None; say dtype=np.float32"),
    (lambda: nn.LayerNorm(-3), ValueError, "LayerNorm: expected sizes ≥ 1, got -3"),
    (lambda: nn.LayerNorm(3, eps=0), ValueError, "LayerNorm: expected eps > 0 and finite, got 0; give a number in that range"),
    (lambda: nn.LayerNorm(3, eps="1"), TypeError, "LayerNorm: expected eps > 0 and finite, got '1'; give a number"),
    (lambda: nn.LeakyReLU(0), ValueError, "LeakyReLU: expected alpha > 0 and finite, got 0; give a number in that range"),
    (lambda: nn.ELU("1"), TypeError, "ELU: expected alpha > 0 and finite, got '1'; give a number"),
    (lambda: nn.ELU(float("inf")), ValueError, "ELU: expected alpha > 0 and finite, got inf; give a number in that range"),
    (lambda: nn.Dropout(1, rng=0), ValueError, "Dropout: expected p in [0, 1), got 1; give a number in that range"),
    (lambda: nn.Dropout(-0.1, rng=0), ValueError, "Dropout: expected p in [0, 1), got -0.1"),
    (lambda: nn.Dropout(float("nan"), rng=0), ValueError, "Dropout: expected p in [0, 1), got nan"),
    (lambda: nn.Dropout(0.5, rng=None), TypeError, "Dropout: expected rng, an int or a numpy.random.Generator, got None"),
    (lambda: nn.Sequential([nn.Tanh()]), TypeError, "Sequential: expected modules, got [Tanh()]; write Sequential(*layers)"),
    (lambda: nn.Sequential(np.tanh), TypeError, "Sequential: expected modules, got <ufunc 'tanh'>; write Sequential(Softplus(), Tanh())"),
    (lambda: MLP(4, 2)(X[:, :3]), ShapeError, "Linear: expected x (..., 4), got (5, 3); give Linear the width of its input"),
    (lambda: MLP(1, 2)(np.ones(5)), ShapeError, "Linear: expected x (..., 1), got (5,); x.reshape(-1, 1) is one column"),
    (lambda: MLP(1, 2)(3.0), ShapeError, "Linear: expected x (..., 1), got ()"),
    (lambda: nn.LayerNorm(3)(X), ShapeError, "LayerNorm: expected x (..., 3), got (5, 4); give LayerNorm the width of its input"),
    (lambda: MLP(4, 2)("x"), ShapeError, "Linear: expected x (..., 4), got (); give an array of numbers"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "message"), REFUSED, ids=[row[2][:60] for row in REFUSED])
def test_what_does_not_fit_is_refused_by_name(call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call()


def test_a_refused_model_draws_nothing():
    rng = np.random.default_rng(0)
    state = rng.bit_generator.state
    for call in (
        lambda: MLP(3, 2, init="no", rng=rng),
        lambda: MLP(3, -2, rng=rng),
        lambda: MLP(3, 2, rng=rng, dtype=int),
    ):
        with pytest.raises((ValueError, TypeError)):
            call()
    assert rng.bit_generator.state == state
