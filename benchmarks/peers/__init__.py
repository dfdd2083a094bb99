"""The peers, by the name on the command line: a class each, imported in the peer's own process only."""

from importlib import import_module

PEERS = {
    "numpy": ("plain NumPy", "plain.Plain"),
    "products": ("products alone", "plain.Products"),
    "minigrad": ("minigrad eager", "minigrad.Eager"),
    "fit": ("minigrad fit", "minigrad.Fit"),
    "torch": ("PyTorch", "torch.Torch"),
    "torch-fused": ("PyTorch, fused Adam", "torch.Fused"),
    "torch-compile": ("PyTorch, compiled", "torch.Compiled"),
    "jax": ("JAX jit", "jax.Jax"),
    "autograd": ("HIPS autograd", "autograd.Autograd"),
    "mygrad": ("MyGrad", "mygrad.MyGrad"),
    "sklearn": ("scikit-learn", "sklearn.Sklearn"),
}
TRAIN_ONLY = {"products", "fit", "torch-fused", "torch-compile", "sklearn"}


def load(name):
    """The peer of that name; ImportError if it is not installed."""
    module, _, cls = PEERS[name][1].partition(".")
    return getattr(import_module(f"benchmarks.peers.{module}"), cls)()
