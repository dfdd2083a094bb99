"""Runs a lesson as a reader would who has nothing: another folder, an empty home, no network, no window."""

import json
import os
import re
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

ROOT = Path(__file__).parents[2]
LESSONS = sorted(ROOT.glob("tutorials/[0-9]*.py"))
FACTS = tomllib.loads((Path(__file__).parent / "facts.toml").read_text(encoding="utf-8"))
WORK = Path(mkdtemp(prefix="lessons-"))
MATPLOTLIBS = (".cache", ".config")  # what matplotlib may keep in a home

# Loaded by Python before the lesson: no connection, no name resolution; each figure is looked at before it is closed.
CUSTOM = """
import json, os, socket, sys

def refuse(*_, **__):
    raise OSError("a lesson needs no network")

socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = socket.gethostbyname = refuse
socket.create_connection = refuse

if os.environ.get("LOOK") == "1":
    from minigrad import lesson

    show = lesson.show

    def look(fig, name):
        if hasattr(fig, "html"):
            return show(fig, name)
        from minigrad import figures
        from tests.figure_lint import lint

        seen = json.dumps({"lint": list(lint(fig)), "numbers": figures.numbers(fig)}, default=float)
        with open(os.path.join(os.environ["LOOKED"], name + ".json"), "w", encoding="utf-8") as file:
            file.write(seen)
        show(fig, name)

    lesson.show = look
"""


@dataclass
class Run:
    """What a run left behind."""

    code: int
    stdout: str
    stderr: str
    seconds: float
    out: Path
    stray: list[str] = field(default_factory=list)
    looked: dict = field(default_factory=dict)

    def read(self, name):
        return json.loads((self.out / f"{name}.json").read_text(encoding="utf-8"))


def environment(home, **more):
    """No variable of ours reaches the lesson but the search path, and no pack: the facts are those of the built-ins."""
    custom = WORK / "custom"
    custom.mkdir(exist_ok=True)
    (custom / "sitecustomize.py").write_text(CUSTOM, encoding="utf-8")
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join([str(custom), str(ROOT)]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",  # two lessons run at a time
        "LANG": "C.UTF-8",
        "MINIGRAD_PLUGINS": "",
        **more,
    }


def home():
    """A home that was empty at first, the same for all: matplotlib lists the fonts of a machine once."""
    folder = WORK / "home"
    folder.mkdir(exist_ok=True)
    return folder


@cache
def run(path, rng=0, again=0, encoding="utf-8"):
    """One run of a lesson with `--out`; its figures are looked at in the first one alone."""
    folder = Path(mkdtemp(dir=WORK, prefix=f"{path.stem[:2]}-"))
    here, out, looked = folder / "elsewhere", folder / "out", folder / "looked"
    here.mkdir()
    looked.mkdir()
    look = "1" if rng == again == 0 else ""
    before = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-W", "error", str(path), "--rng", str(rng), "--out", str(out)],
        cwd=here,
        env=environment(home(), PYTHONIOENCODING=encoding, LOOK=look, LOOKED=str(looked)),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    seconds = time.perf_counter() - before
    kept = [p for p in home().iterdir() if p.name not in MATPLOTLIBS]
    stray = [str(p) for p in (*here.rglob("*"), *kept, *(p for p in folder.iterdir() if p not in (here, out, looked)))]
    seen = {p.stem: json.loads(p.read_text(encoding="utf-8")) for p in looked.iterdir()}
    return Run(done.returncode, done.stdout, done.stderr, seconds, out, stray, seen)


# --- a script as text -------------------------------------------------------------------------------------------------
def cells(source):
    """The cells of a percent script: (kind, text) with kind "code" or "markdown"."""
    parts = re.split(r"^# %%(.*)\n", source, flags=re.MULTILINE)
    yield "code", parts[0]
    for mark, text in zip(parts[1::2], parts[2::2], strict=True):
        yield ("markdown" if "[markdown]" in mark else "code"), text


def code_lines(source):
    """How many lines are code: neither empty nor a comment nor the module's docstring."""
    body = source.split('"""', 2)[2]
    return sum(bool(line.strip()) and not line.lstrip().startswith("#") for line in body.splitlines())
