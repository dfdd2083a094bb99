"""Checkpoints: `save` and `load`, .npz files without pickle that are whole or not there."""

from minigrad.checkpoint.content import Checkpoint, load, save
from minigrad.checkpoint.disk import check_place

__all__ = ["Checkpoint", "check_place", "load", "save"]
