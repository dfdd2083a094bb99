"""Which tests run in one process: those of a file, whose fixtures are made once, and those that share a run."""

import pytest

TOGETHER = ("tests/tutorials/", "tests/explain/")  # what their files share is made once for each process


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand whole files to the processes, or all files of a folder above."""
    from xdist.scheduler import LoadScopeScheduling

    class Files(LoadScopeScheduling):
        def _split_scope(self, nodeid):
            path = nodeid.partition("::")[0]
            return next((folder for folder in TOGETHER if path.startswith(folder)), path)

    return Files(config, log)
