"""A page that is followed: its files are written, its scripts and commands run, what they print is compared.

A block is ```` ```python FILE ```` or ```` ```toml FILE ```` (a file; with >> added to one), ```` ```python ```` (a script),
```` ```sh ```` (commands), each perhaps followed by ```` ```text ```` : lines that are printed, in this order.
"""

import importlib
import os
import re
import shlex
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from minigrad import cli, losses

ROOT = Path(__file__).parents[2]


@dataclass
class Block:
    kind: str
    file: str
    text: str
    printed: list[str]
    section: str


def blocks(page):
    """The blocks of a page, in order."""
    found, section = [], ""
    for heading, words, text in re.findall(r"^## (.*)$|^```(.*)\n((?:.*\n)*?)```$", page, re.MULTILINE):
        if heading:
            section = heading
        elif words == "text":
            found[-1].printed = text.splitlines()
        else:
            kind, _, file = words.partition(" ")
            found.append(Block(kind, file, text, [], section))
    return found


def unpack(project, site):
    """What pip does: the backend builds a wheel, which is unpacked into a folder; returns the names of its files."""
    build = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(project))
    wheel = zipfile.ZipFile(next(iter(build.build(directory=str(site / ".wheels"), versions=["standard"]))))
    wheel.extractall(site)
    return wheel.namelist()


class Reader:
    """Does what a block says, and returns what was printed."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.monkeypatch = folder, monkeypatch

    def follow(self, block, capsys):
        if block.file:
            return self.write(block)
        with losses.isolated():
            if block.kind == "python":
                self.forget_files()
                exec(compile(block.text, "guide", "exec"), {"__name__": "guide"})
            else:
                assert block.kind == "sh"
                for line in block.text.splitlines():
                    self.run(line)
        return capsys.readouterr().out

    def write(self, block):
        mode, _, name = block.file.rpartition(" ")
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if mode == ">>" else ""
        path.write_text(before + block.text, encoding="utf-8")
        return ""

    def forget_files(self):
        for path in self.folder.glob("*.py"):
            sys.modules.pop(path.stem, None)

    def run(self, line):
        words = shlex.split(line)
        if words[0] == "export":
            self.monkeypatch.setenv(*words[1].split("=", 1))
        elif words[0] == "unset":
            self.monkeypatch.delenv(words[1], raising=False)
        elif words[0] == "minigrad":
            with losses.isolated():  # as a process of its own
                assert cli.main(words[1:]) == 0, line
        elif words[:4] == ["python", "-m", "pip", "install"]:
            self.install(words[4])
        elif words[:3] == ["python", "-m", "pytest"]:
            self.pytest(words[3:])
        else:
            subprocess.run(line, shell=True, check=True, cwd=self.folder)

    def install(self, project):
        site = self.folder / "site-packages"
        unpack(self.folder / project, site)
        self.monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()

    def pytest(self, arguments):
        path = os.pathsep.join([str(self.folder / "site-packages"), str(ROOT)])
        environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}
        quiet = ["-q", "--import-mode=importlib", "-p", "no:cacheprovider"]
        command = [sys.executable, "-m", "pytest", *quiet, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=self.folder, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert " passed" in done.stdout


def missing(printed, output):
    """The lines that were not printed, in their order."""
    rest = iter(line.rstrip() for line in output.splitlines())
    return [line for line in printed if not any(line.rstrip() == other for other in rest)]
