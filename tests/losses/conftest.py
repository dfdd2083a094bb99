"""What the tests of losses share."""

import importlib.metadata

import pytest

from minigrad import losses
from tests.losses.packs import LATE, forget


@pytest.fixture
def site(tmp_path, monkeypatch):
    """An empty folder on the path, for packs, in a process that knows the built-in losses only."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    for name in ("MINIGRAD_PLUGINS", "MINIGRAD_PLUGIN_PATH"):
        monkeypatch.delenv(name, raising=False)
    found = importlib.metadata.distributions

    def of_the_tests(path):
        """Whatever packs are installed where the tests run are out of sight."""
        return found(path=[place for place in path if "site-packages" not in place])

    monkeypatch.setattr(importlib.metadata, "distributions", of_the_tests)
    with losses.isolated():
        yield folder
    forget(tmp_path)


@pytest.fixture
def file(tmp_path):
    """A file with one loss, `late`."""
    path = tmp_path / "own" / "my_loss.py"
    path.parent.mkdir()
    path.write_text(LATE)
    return path
