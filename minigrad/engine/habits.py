"""What people who come from elsewhere ask of a Tensor. None of it is here, and the error says what is."""

from __future__ import annotations

from typing import Any

HERE = {
    "view": "t.reshape(2, -1)", "view_as": "t.reshape(u.shape)", "permute": "t.transpose(1, 0)", "t": "t.T",
    "mT": "t.swapaxes(-1, -2)", "unsqueeze": "t[:, None]", "expand": "np.broadcast_to(t, u.shape)", "dim": "t.ndim",
    "numel": "t.size", "clone": "t.copy()", "mm": "t @ u", "bmm": "t @ u", "pow": "t ** 2", "mul": "t * u",
    "sub": "t - u", "div": "t / u", "neg": "-t", "clamp": "t.clip(0, 1)", "where": "np.where(t > 0, t, 0)",
    "masked_fill": "np.where(t > 0, t, 0)", "gather": "np.take_along_axis(t, index, 1)",
    "float": "t.astype(np.float32)", "double": "t.astype(np.float64)", "long": "t.astype(np.int64)",
    "requires_grad_": "Tensor(t.data, requires_grad=True)", "is_leaf": "t.tree()", "grad_fn": "t.tree()",
    "relu": "ops.relu(t)", "sigmoid": "ops.sigmoid(t)", "softplus": "ops.softplus(t)", "softmax": "ops.softmax(t)",
    "log_softmax": "ops.log_softmax(t)", "logsumexp": "ops.logsumexp(t)",
}  # fmt: skip
DEVICES = dict.fromkeys(("to", "cuda", "cpu", "device"), "everything is on the CPU: leave it out")
IN_PLACE = ("add_", "sub_", "mul_", "div_", "copy_", "fill_", "clamp_")
OF_TENSORS = {
    **{name: f"write {cure}" for name, cure in HERE.items()},
    **{name: f"{cure}, and t.astype(np.float32) changes the dtype" for name, cure in DEVICES.items()},
    **dict.fromkeys(IN_PLACE, "no method changes t in place: write t = t + 1, or t.data = array for a leaf"),
    "zero_": "t.grad = None forgets a gradient, optimizer.zero_grad() all of them",
}


class Missing:
    """An attribute that is not there: who asks for it is told what to write."""

    def __init__(self, name: str, cure: str) -> None:
        self.name, self.cure = name, cure

    def __get__(self, owner: Any, kind: type) -> Any:
        raise AttributeError(f"{kind.__name__!r} object has no attribute {self.name!r}; {self.cure}")


def tell(kind: type, cures: dict[str, str]) -> None:
    """Let a class say what to write instead of these attributes; with `__getattr__` every op would take longer."""
    for name, cure in cures.items():
        setattr(kind, name, Missing(name, cure))
    kind.__dir__ = there  # type: ignore[method-assign, assignment]


def there(owner: Any) -> list[str]:
    """The attributes of an object without the missing ones, for its `__dir__`."""
    own = getattr(owner, "__dict__", ())
    return [name for name in object.__dir__(owner) if name in own or hasattr(type(owner), name)]
