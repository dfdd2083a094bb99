"""What an argument of an op holds: array, edge, shape; of a list or tuple, member by member."""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.engine.tensor import SEQUENCES, Tensor, frozen, wrap


def has_tensor(values: Any) -> bool:
    """Whether a list has a Tensor among its members."""
    return any(isinstance(value, Tensor) for value in values)


def entries(values: Any) -> Any:
    """A list of numbers as an array, which is what rules know; a ragged one as it is, for the forward to refuse."""
    try:
        return np.asarray(values)
    except ValueError:
        return values


def data_of(value: Any) -> Any:
    """The array of a Tensor, those of a list of Tensors; anything else as it is."""
    if isinstance(value, SEQUENCES) and has_tensor(value):
        return [data_of(item) for item in value]
    return value._data if isinstance(value, Tensor) else value


def edge_of(value: Any) -> Any:
    """The edge of a Tensor, those of a list of Tensors if there are any; None else."""
    if isinstance(value, SEQUENCES) and has_tensor(value):
        edges = tuple([edge_of(item) for item in value])
        return edges if any(edges) else None
    return value.edge if isinstance(value, Tensor) else None


def shape_of(value: Any) -> Any:
    """The shape of an array, those of the members of a list."""
    return [np.shape(item) for item in value] if isinstance(value, SEQUENCES) else np.shape(value)


def kept(value: Any, edge: Any) -> Any:
    """A value for a rule to use later: what belongs to a Tensor cannot change unseen, anything else is frozen."""
    if isinstance(edge, tuple):
        return [kept(item, one) for item, one in zip(value, edge)]
    return frozen(value) if edge is None else value


def recorded_again(value: Any, edge: Any) -> Any:
    """A saved value as it was in the forward pass: recorded again on the edge from which it came."""
    if isinstance(edge, tuple):
        return [recorded_again(item, one) for item, one in zip(value, edge, strict=True)]
    return value if edge is None else wrap(value, edge)
