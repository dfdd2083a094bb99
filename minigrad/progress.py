"""The progress of a run: a line that moves at a terminal or in a notebook, a few plain lines in a log."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

LINES = 10  # in a log


class Progress:
    """Shows the rows of a History as they come.

    Args:
        epochs: how many are planned.
        shown: True, False, or None for yes at a terminal and in a notebook. In a log True gives about ten lines.
    """

    def __init__(self, epochs: int, shown: bool | None) -> None:
        self.epochs, self.bar, self.log = epochs, None, False
        if shown is False:
            return
        from rich.console import Console

        console = Console(stderr=True)
        if console.is_terminal or console.is_jupyter:
            self.bar = _bar(console)
            self.task = self.bar.add_task("", total=epochs, row="")
        else:
            self.log = bool(shown)

    def __enter__(self) -> Self:
        if self.bar is not None:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, place: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.stop()

    def show(self, row: Any) -> None:
        """Take notice of a finished epoch."""
        if self.bar is not None:
            self.bar.update(self.task, completed=row.epoch, row=str(row))
        elif self.log and (row.epoch * LINES // self.epochs > (row.epoch - 1) * LINES // self.epochs):
            print(row, flush=True)


def _bar(console: Any) -> Any:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (BarColumn(bar_width=16), MofNCompleteColumn(), TimeRemainingColumn(), TextColumn("{task.fields[row]}"))
    return Bar(*columns, console=console, transient=True, refresh_per_second=5)
