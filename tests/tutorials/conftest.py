"""The lessons that the chosen tests ask for are run two at a time, before the first of these tests.

In the long run, whose tests are spread over the processes, a test runs what it needs.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.tutorials.running import LESSONS, run


@pytest.fixture(scope="session", autouse=True)
def _lessons_run_ahead(request):
    if request.config.option.markexpr == "slow":
        return
    items = [item for item in request.session.items if item.path.name != "test_form.py" or "measured" in item.name]
    chosen = [item.callspec.params.get("path") for item in items if hasattr(item, "callspec")]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(run, dict.fromkeys(path for path in chosen if path in LESSONS)))
