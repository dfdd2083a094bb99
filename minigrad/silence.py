"""No warnings for a while, in however many threads."""

from __future__ import annotations

import warnings
from threading import Lock


class Silence:
    """The first to come silences warnings, the last to go gives their filters back.

    The filters belong to the process: with `warnings.catch_warnings` each thread gives back what another one has set.
    """

    def __init__(self) -> None:
        self.lock, self.inside, self.before = Lock(), 0, warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            if self.inside == 1:
                self.before = warnings.catch_warnings()
                self.before.__enter__()
                warnings.simplefilter("ignore")

    def __exit__(self, *error: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.before.__exit__(None, None, None)


SILENCE = Silence()
