"""What the tests of the guide and of the packs share."""

import importlib.metadata
import sys

import pytest

from tests.plugins.reading import Reader


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A reader in an empty folder, with minigrad and no packs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("COLUMNS", "80")
    for name in ("MINIGRAD_PLUGINS", "MINIGRAD_PLUGIN_PATH"):
        monkeypatch.delenv(name, raising=False)
    find = importlib.metadata.distributions
    hide = lambda path: find(path=[p for p in path if "site-packages" not in p or str(tmp_path) in p])  # noqa: E731
    monkeypatch.setattr(importlib.metadata, "distributions", hide)
    yield Reader(tmp_path, monkeypatch)
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(tmp_path)):
            del sys.modules[name]
