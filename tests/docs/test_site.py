"""The site: what is made for it from lessons, losses and docstrings, and what stands on its pages."""

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from minigrad import losses
from tests.explain.pages import CHROMIUM, FLAGS, HARNESS, needs_browser

ROOT = Path(__file__).parents[2]
LESSONS = sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py"))
spec = importlib.util.spec_from_file_location("making", ROOT / "docs" / "making.py")
making = importlib.util.module_from_spec(spec)
spec.loader.exec_module(making)


# --- what is made -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("path", LESSONS, ids=[path.stem for path in LESSONS])
def test_a_lesson_for_the_gallery_is_the_same_code_with_text_in_restructuredtext(path):
    script = path.read_text(encoding="utf-8")
    made = making.lesson_as_rst(script)
    before, after = ast.parse(script), ast.parse(made)
    assert [ast.dump(node) for node in before.body[1:]] == [ast.dump(node) for node in after.body[1:]]
    title, under, _, first, *_ = ast.get_docstring(after).splitlines()
    assert len(title) == len(under)
    assert first.startswith(":Question: ")
    assert "[markdown]" not in made
    assert not re.search(r"^# ## ", made, re.MULTILINE)
    assert made.count("# %%") == script.count("# %%")


def test_code_and_bars_in_the_text_of_a_lesson_are_shown_as_they_are():
    assert making.as_rst("wherever |r| ≤ 3, `a | b` is 1") == r"wherever \|r\| ≤ 3, ``a | b`` is 1"
    assert making.as_rst("## What |x| is\n1. A list") == "What \\|x\\| is\n" + "-" * 13 + "\n1. A list"


def test_docstrings_keep_their_examples_and_escape_their_prose():
    lines = ["|r| and `with_`, name_ and *args", "", ">>> abs(-1) | 2", "3", "", "```python", "a | b", "```", "|x|"]
    assert making.escaped(lines) == [
        r"\|r\| and ``with_``, name\_ and \*args", "", ">>> abs(-1) | 2", "3", "", "", ".. code-block:: python", "",
        "    a | b", "", r"\|x\|",
    ]  # fmt: skip


def test_the_page_of_a_loss_has_its_call_its_docstring_and_its_card(tmp_path):
    pytest.importorskip("sphinx")
    page = making.loss_page("huber", tmp_path)
    assert page.startswith("huber\n=====\n")
    assert ".. py:function:: huber(pred, target, *, delta=1.0)" in page
    assert r"½r² if \|r\| ≤ δ" in page
    assert ":param delta:" in page
    assert "doi:10.1214/aoms/1177703732" in page
    assert "the same bits again" in page
    assert (tmp_path / "huber.png").stat().st_size > 10_000


def test_the_guide_on_the_site_links_to_the_pages_of_its_packs(tmp_path):
    making.guide(tmp_path)
    text = (tmp_path / "guide.md").read_text(encoding="utf-8")
    packs = {path.parent.name for path in (ROOT / "plugins").glob("minigrad-*/README.md")}
    assert set(re.findall(r"\]\((minigrad-\w+)\.md\)", text)) == packs
    assert all((tmp_path / f"{pack}.md").exists() for pack in packs)


# --- what stands on the pages -----------------------------------------------------------------------------------------
class Found(HTMLParser):
    """Addresses and names of places on a page, and pictures without a text."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places, self.mute = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.links += [given[key] for key in ("href", "src") if given.get(key)]
        self.places |= {given[key] for key in ("id", "name") if given.get(key)}
        if tag == "img" and not given.get("alt") and "_thumb" not in given["src"]:  # which stand beside their titles
            self.mute.append(given["src"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, built from a copy of its sources, with every warning an error."""
    pytest.importorskip("sphinx_gallery")
    pytest.importorskip("myst_parser")
    pytest.importorskip("furo")
    folder = tmp_path_factory.mktemp("site")
    for name in ("docs", "tutorials", "plugins"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("_build", "made", "__pycache__"))
    shutil.copy(ROOT / "CHANGELOG.md", folder)
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "docs", "built"]
    environment = {**os.environ, "MPLBACKEND": "Agg", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    return folder / "built"


@pytest.mark.slow
def test_the_site_has_a_page_for_every_lesson_and_every_loss_and_no_link_or_picture_is_broken(site):
    assert {path.stem for path in LESSONS} <= {path.stem for path in (site / "made" / "course").glob("*.html")}
    pages = {making.stem(name) for name in losses.names()}
    assert pages <= {path.stem for path in (site / "made" / "losses").glob("*.html")}
    found = {path: Found(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in found.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                broken.append((path.name, link))
            elif parts.fragment and target in found and unquote(parts.fragment) not in found[target].places:
                broken.append((path.name, link))
    assert broken == []
    assert [(path.name, page.mute) for path, page in found.items() if page.mute] == []


LOOKED_AT = [
    "index.html", "explore.html", "api.html", "trust.html", "made/guide.html", "made/losses/index.html",
    "made/losses/huber.html", "made/course/index.html", "made/course/06_follow_one_sample.html",
]  # fmt: skip


@needs_browser
@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 500])
@pytest.mark.parametrize("page", LOOKED_AT)
def test_a_page_says_nothing_on_the_console_and_fits_the_width(site, page, width, tmp_path):
    path = site / page
    script = "report.wide = document.documentElement.scrollWidth; report.window = window.innerWidth;"
    copy = path.with_name(f"looked_at_{width}_{path.name}")
    copy.write_text(path.read_text(encoding="utf-8").replace("</body>", HARNESS % script), encoding="utf-8")
    window, profile = f"--window-size={width},900", f"--user-data-dir={tmp_path}"
    done = subprocess.run(
        [CHROMIUM, *FLAGS, profile, window, "--virtual-time-budget=3000", "--dump-dom", copy.as_uri()],
        capture_output=True, text=True, encoding="utf-8", timeout=120, check=False,
    )  # fmt: skip
    copy.unlink()
    report = json.loads(re.search(r'<pre id="report">(.*?)</pre>', done.stdout, re.DOTALL)[1])
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
    assert report["wide"] <= report["window"]
