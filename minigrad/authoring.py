"""The commands for authors of losses: `check` judges losses, `new-plugin` begins a pack."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from minigrad import arguments, losses
from minigrad.scaffold import new_plugin
from minigrad.testing.card import visible
from minigrad.testing.check import check_loss

if TYPE_CHECKING:
    from minigrad.testing.card import Card

PLAIN = str.maketrans({"✓": "+", "✗": "x", "–": "-", "…": "~", "←": "<", "≤": "<", "≥": ">", "×": "*"})


def add_command(commands: Any, command: Callable[..., Any]) -> None:
    """Add both to a command line; `command` makes one of (commands, name, what runs it, help)."""
    judging = command(commands, "check", _check, "judge losses: what each one is, measured, and whether it is right")
    judging.add_argument("losses", nargs="+", metavar="LOSS", help='a name, a Python file, or a whole pack, "PACK:*"')
    judging.add_argument("--json", action="store_true", help="print the numbers instead of the cards")
    judging.add_argument("--rng", type=int, default=0, metavar="N", help="draw other samples (0)")
    starting = command(commands, "new-plugin", _begin, "begin a pack: a package with a loss that works as it is")
    starting.add_argument("name", help="of the pack: lower-case letters, digits, - and _")
    starting.add_argument("--single-file", action="store_true", help="one Python file instead of a package")


def _check(options: Any, _: Any) -> int:
    """Print the cards; the exit status is 1 if a loss is wrong."""
    cards = [check_loss(name, rng=options.rng) for word in options.losses for name in _meant(word)]
    ok = all(card.ok for card in cards)
    if options.json:
        _say(json.dumps({"ok": ok, "cards": [card.to_dict() for card in cards]}, indent=1, ensure_ascii=False))
    else:
        _say("\n\n".join([*map(str, cards), *([_summary(cards)] if len(cards) > 1 else [])]))
    return 0 if ok else 1


def _meant(word: str) -> list[str]:
    """The names that a word of the command line stands for."""
    return losses.names(word[:-2]) if word.endswith(":*") and os.sep not in word else arguments.meant(word)


def _summary(cards: list[Card]) -> str:
    wrong = [f"  {visible(card.loss.partition('(')[0])}: {', '.join(card.failed)}" for card in cards if not card.ok]
    if not wrong:
        return f"None of {len(cards)} losses is wrong."
    return "\n".join([f"{len(wrong)} of {len(cards)} losses {'are' if len(wrong) > 1 else 'is'} wrong:", *wrong])


def _begin(options: Any, _: Any) -> int:
    """Write the files, and say what comes next."""
    written = new_plugin(options.name, Path.cwd(), single_file=options.single_file)
    steps = [f"  minigrad check {written[0]}"]
    if not options.single_file:
        pack = options.name.replace("-", "_")
        steps = [
            f"  cd {written[0].parts[0]}",
            "  python -m pip install . pytest && python -m pytest",
            f'  minigrad check "{pack}:*"',
        ]
    _say("\n".join(["Written:", *(f"  {path}" for path in written), "Next:", *steps]))
    return 0


def _say(text: str) -> None:
    """Print, on a stream that knows ASCII alone too."""
    encoding = sys.stdout.encoding or "utf-8"
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        text = text.translate(PLAIN).encode(encoding, "replace").decode(encoding)
    print(text)
