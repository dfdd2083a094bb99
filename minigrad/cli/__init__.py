"""The command line: what all commands share; each of them is a module of its own."""

from __future__ import annotations

import argparse
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

import minigrad
from minigrad import authoring, losses
from minigrad.cli import compare, lessons, listing
from minigrad.explain import command as exploring
from minigrad.losses.names import escaped

ERRORS = (ValueError, TypeError, LookupError, OSError, RuntimeError)


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one paragraph, with the nearest word."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        options, others = super().parse_known_args(args, namespace)
        if unknown := [word.partition("=")[0] for word in others if word.startswith("-")]:
            known = re.findall(r"--[\w-]+", self.format_usage())
            near = difflib.get_close_matches(unknown[0], known, 1)
            known_here = f"it has {', '.join(dict.fromkeys(known))}"
            self.error(f"no option {unknown[0]!r}; " + (f"did you mean {near[0]!r}?" if near else known_here))
        return options, others

    def error(self, message: str) -> Any:
        if found := re.search(r"invalid choice: '([^']*)' \(choose from (.*)\)", message):
            known = re.findall(r"[\w-]+", found[2])
            near = difflib.get_close_matches(found[1], known, 1)
            message = f"no command {found[1]!r}; " + (
                f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known)}"
            )
        if found := re.search(r"arguments are required: (.*)", message):
            message = f"expected {found[1]}, got none; `{self.prog} --help` shows how"
        self.exit(2, f"{self.prog}: {message}\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status: 0, 1 if a loss that was judged is wrong, or 2 after bad input."""
    parser, given = _parser(), sys.argv[1:] if arguments is None else arguments
    if not given:
        parser.print_help(sys.stderr)
        return 2
    options = parser.parse_args(given)
    console = Console(highlight=False)
    try:
        for path in options.plugin:
            losses.add_file(path)
        return options.run(options, console) or 0
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except ERRORS as error:
        name = "" if isinstance(error, (OSError, SystemError)) else f"{type(error).__name__}: "
        Console(stderr=True, highlight=False).print(escape(f"minigrad: {name}{escaped(str(error))}"), soft_wrap=True)
        return 2
    except KeyboardInterrupt:
        print("minigrad: interrupted", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="minigrad", description="Where loss functions are designed, understood, compared and shared.")
    parser.add_argument("--version", action="version", version=f"minigrad {minigrad.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Parser)
    for add in (compare, listing, authoring, exploring, lessons):
        add.add_command(commands, _command)
    return parser


def _command(commands: Any, name: str, run: Any, help_: str) -> Any:
    command = commands.add_parser(name, help=help_, description=help_[0].upper() + help_[1:] + ".")
    command.set_defaults(run=run)
    command.add_argument(
        "--plugin", action="append", default=[], metavar="FILE", help="a Python file that defines losses"
    )
    return command
