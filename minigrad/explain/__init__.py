"""What a loss does to a network, first as a record: computed once, then printed, drawn or put on a page."""

from minigrad.explain.diff import Diff, diff
from minigrad.explain.exploring import Exploration, explore
from minigrad.explain.norms import gradient_norms
from minigrad.explain.trace import Other, Row, Trace, trace

__all__ = ["Diff", "Exploration", "Other", "Row", "Trace", "diff", "explore", "gradient_norms", "trace"]
