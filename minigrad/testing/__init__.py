"""Checks for authors: of gradients, and later of losses."""

from minigrad.testing.gradcheck import GradCheck, gradcheck

__all__ = ["GradCheck", "gradcheck"]
