"""Which tests run in one process: those of a file, whose fixtures are made once, and all that need the lessons' runs."""

import pytest

TOGETHER = ("tests/tutorials/", "tests/explain/")  # what their files share is made once for each process


def pytest_itemcollected(item):
    """Give each test its group, for `--dist loadgroup`."""
    path = item.nodeid.partition("::")[0]
    item.add_marker(pytest.mark.xdist_group(next((part for part in TOGETHER if path.startswith(part)), path)))
