"""Comparison: what came of a study, and what may be said of it.

Two losses are compared by their paired differences, seed by seed. "Better" is said only when the exact interval of the
median difference excludes 0.
"""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from minigrad import metrics

Array = Any


@dataclass(frozen=True)
class Run:
    """What came of a task: the validation metric that chooses the learning rate, and the test figures that count.

    `first_gradient` is ‖∂loss/∂θ‖ of the first batch, at the initial weights.
    """

    loss: str
    lr: float
    seed: int
    validation: float
    test_loss: float
    test_metric: float
    constant_loss: float
    constant_metric: float
    diverged: bool
    curve: tuple[float, ...]
    seconds: float
    constant_validation: float = math.nan
    first_gradient: float = math.nan


@dataclass(frozen=True)
class Row:
    """One loss at its best learning rate; `difference`, `low` and `high` are to the first loss, metric minus metric.

    `first_step` is the ratio of the first gradients, that of this loss over that of the first: at one rate of SGD its
    first step is so much longer.
    """

    loss: str
    lr: float
    test_loss: float
    constant_loss: float
    median: float
    least: float
    greatest: float
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    first_step: float | None = None


class Comparison:
    """The result of `compare`: every run, and what may be said of them.

    Attributes:
        losses: the names, in the order given; the first is what the others are compared with.
        lrs: the learning rates tried.
        seeds: the seeds; each draws its own split and initial weights, the same for every loss.
        metric: the name of the metric.
        runs: all of them.
    """

    def __init__(self, runs: Iterable[Run], losses: Sequence[str], lrs: Sequence[float], seeds: Sequence[int], *,
                 metric: str, title: str) -> None:  # fmt: skip
        order = {name: i for i, name in enumerate(losses)}
        self.runs = sorted(runs, key=lambda run: (order[run.loss], run.lr, run.seed))
        self.losses, self.lrs, self.seeds = list(losses), list(lrs), list(seeds)
        self.metric, self.title = metric, title
        self.higher_is_better = bool(metrics.higher_is_better(metric))
        self._sign = 1 if self.higher_is_better else -1

    def of(self, loss: str, lr: float) -> list[Run]:
        """The runs of one loss at one learning rate, by seed."""
        return [run for run in self.runs if run.loss == loss and run.lr == lr]

    def score(self, loss: str, lr: float) -> float:
        """The median validation metric over the seeds; a run that diverged counts as the worst there is."""
        worst = -self._sign * math.inf
        return float(np.median([worst if run.diverged else run.validation for run in self.of(loss, lr)]))

    def best_lr(self, loss: str) -> float:
        """The learning rate of the best median validation metric; of equal ones the smallest."""
        return max(self.lrs, key=lambda lr: (self._sign * self.score(loss, lr), -lr))

    def best(self, loss: str) -> list[Run]:
        """The runs of a loss at its own best learning rate, by seed."""
        return self.of(loss, self.best_lr(loss))

    def differences(self, loss: str) -> Array:
        """Test metric of a loss minus that of the first loss, seed by seed."""
        pairs = zip(self.best(loss), self.best(self.losses[0]), strict=True)
        return np.array([one.test_metric - first.test_metric for one, first in pairs])

    def first_step(self, loss: str) -> float:
        """How much longer the first gradient of a loss is than that of the first one: the median over the seeds."""
        pairs = zip(self.best(loss), self.best(self.losses[0]), strict=True)
        ratios = [one.first_gradient / first.first_gradient for one, first in pairs if first.first_gradient > 0]
        return _median(ratios) if ratios else math.nan

    def row(self, loss: str) -> Row:
        """One line of the table."""
        runs = self.best(loss)
        values = [run.test_metric for run in runs]
        difference, low, high, verdict, step = None, None, None, "", None
        if loss != self.losses[0]:
            differences = self.differences(loss)
            difference, interval = _median(differences), metrics.median_interval(differences)
            low, high = interval or (None, None)
            verdict = metrics.verdict(differences, self.losses[0], higher_is_better=self.higher_is_better)
            step = self.first_step(loss)
        return Row(
            loss, self.best_lr(loss), _median(r.test_loss for r in runs), _median(r.constant_loss for r in runs),
            _median(values), min(values), max(values), difference, low, high, verdict, step,
        )  # fmt: skip

    @property
    def rows(self) -> list[Row]:
        """The table, the best prediction that ignores the inputs first."""
        runs = self.best(self.losses[0])
        flat = [run.constant_metric for run in runs]
        loss = _median(run.constant_loss for run in runs)
        ignorant = Row("constant", math.nan, loss, loss, _median(flat), min(flat), max(flat), None, None, None, "")
        return [ignorant, *map(self.row, self.losses)]

    def notes(self) -> list[str]:
        """What a reader must know beside the table."""
        said = []
        for loss in self.losses:
            lr = self.best_lr(loss)
            if len(self.lrs) > 1 and lr in (min(self.lrs), max(self.lrs)):
                end = "largest" if lr == max(self.lrs) else "smallest"
                said.append(f"{loss}: its best learning rate {lr:g} is the {end} tried; a wider grid may do better.")
            lost = sum(run.diverged for run in self.runs if run.loss == loss)
            if lost:
                said.append(f"{loss}: {lost} of {len(self.lrs) * len(self.seeds)} runs diverged.")
        steps = {loss: self.first_step(loss) for loss in self.losses[1:]}
        if known := [f"{loss} {step:.3g}" for loss, step in steps.items() if math.isfinite(step)]:
            said.append(f"The first gradient, {self.losses[0]} = 1: {', '.join(known)}.")
        return said

    def __str__(self) -> str:
        lines = [self.title, _line("loss", "lr", "test loss", f"{self.metric}: median (range)", "to the first loss")]
        for row in self.rows:
            lr = "" if math.isnan(row.lr) else f"{row.lr:g}"
            spread = f"{row.median:.4f} ({row.least:.4f} … {row.greatest:.4f})"
            lines.append(_line(row.loss, lr, f"{row.test_loss:.4f}", spread, _difference(row)))
        lines += [f"{row.loss}: {row.verdict}." for row in self.rows if row.verdict]
        return "\n".join(lines + self.notes())

    __repr__ = __str__

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON: the table and every run."""
        return {
            "title": self.title, "metric": self.metric, "losses": self.losses, "lrs": self.lrs, "seeds": self.seeds,
            "rows": [_plain(asdict(row)) for row in self.rows], "runs": [_plain(asdict(run)) for run in self.runs],
        }  # fmt: skip

    def to_json(self, path: str | Path) -> None:
        """Write `to_dict()` to a file."""
        Path(path).write_text(json.dumps(self.to_dict(), indent=1), encoding="utf-8")

    def to_csv(self, path: str | Path) -> None:
        """Write one line per run."""
        names = [name for name in Run.__dataclass_fields__ if name != "curve"]
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([getattr(run, name) for name in names] for run in self.runs)

    def plot(self) -> Any:
        """The figure: rates, paired differences, curves. See `figures.race`."""
        from minigrad import figures

        return figures.race(self)


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


def _difference(row: Row) -> str:
    if row.difference is None:
        return ""
    if row.low is None:
        return f"{row.difference:+.4f}"
    return f"{row.difference:+.4f} ({row.low:+.4f} … {row.high:+.4f})"


def _line(loss: str, lr: str, value: str, spread: str, difference: str) -> str:
    return f"{loss:<16.24} {lr:>6} {value:>9}  {spread:<27} {difference}".rstrip()


def _plain(record: dict[str, Any]) -> dict[str, Any]:
    """NaN and infinities are no JSON."""
    return {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in record.items()}
