"""What the tests of losses share."""

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
