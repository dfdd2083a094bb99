"""The tests with the oldest supported versions and with the newest: `python -m nox` runs both, `-s oldest` one.

The oldest are the lower bounds of pyproject.toml, to the digit. What follows `--` goes to pytest.
"""

from pathlib import Path

import nox

nox.options.default_venv_backend = "venv"
PROJECT = nox.project.load_toml("pyproject.toml")["project"]
PACKS = sorted(path.parent for path in Path("plugins").glob("*/pyproject.toml"))


@nox.session(python=PROJECT["requires-python"].removeprefix(">="))
def oldest(session):
    """Each dependency at its lower bound."""
    bounds = [dependency.partition(",")[0].replace(">=", "==") for dependency in PROJECT["dependencies"]]
    # matplotlib 3.9 calls names that pyparsing 3.3 deprecates, and warnings are errors here.
    tested(session, *bounds, "pyparsing<3.3")


@nox.session
def newest(session):
    """Each dependency as new as there is, on the Python that runs nox (another one: --force-python 3.14)."""
    tested(session)


def tested(session, *pins):
    """Install minigrad and its packs with what their tests need, say what came, and run the tests."""
    packs = [word for path in PACKS for word in ("-e", str(path))]
    session.install("-e", ".[test]", *packs, *pins)
    session.run("python", "-m", "pip", "list")
    session.run("python", "-m", "pytest", *session.posargs)
