"""Pages for tests: those that `explore` makes, and what a browser without a head says of them."""

import functools
import json
import re
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from minigrad import MLP, data, losses
from minigrad.explain import example, explore, page

NAMESPACE = "http://www.w3.org/2000/svg"
VOID = {"meta", "input", "br", "link", "img"}


@functools.cache
def moons(rng=0, n=200):
    """The page without arguments, as (example, record)."""
    shown = example.moons(rng=rng, n=n)
    record = explore(shown.model, shown.losses, shown.X, shown.y, snapshots=shown.snapshots, sample=shown.ringed,
                     ringed=shown.ringed, title=shown.title)  # fmt: skip
    return shown, record


@functools.cache
def blobs():
    """Three classes of two features under three losses."""
    X, y = data.blobs(60, classes=3, rng=0)
    shown = example.on_data(X, y, "Three blobs")
    return shown, explore(shown.model, shown.losses, X, y, snapshots=shown.snapshots, title=shown.title)


@functools.cache
def diabetes():
    """A regression on ten features: a list instead of a scatter."""
    (X, y), _ = data.load("diabetes", rng=0)
    shown = example.on_data(X, y, "Diabetes </script><b>&amp; more")
    return shown, explore(shown.model, shown.losses, X, y, snapshots=shown.snapshots, title=shown.title)


def plain():
    """A page of a network that was not trained."""
    model = MLP(2, 4, 1, rng=0)
    return explore(model, ["bce_with_logits", "hinge"], np.eye(2), [0, 1])


PAGES = {
    "moons": lambda: moons()[1].html, "blobs": lambda: blobs()[1].html, "diabetes": lambda: diabetes()[1].html,
    "plain": lambda: plain().html, "template": lambda: page.TEMPLATE.read_text(encoding="utf-8"),
}  # fmt: skip


class Elements(HTMLParser):
    """Opens and closes every element of a page, and keeps what it saw."""

    def __init__(self, text):
        super().__init__()
        self.open, self.seen, self.ids = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.seen.append((tag, dict(attributes)))
        self.ids += [value for key, value in attributes if key == "id"]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open, tag
        assert self.open.pop() == tag


# --- a browser --------------------------------------------------------------------------------------------------------
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
         "--disable-background-networking", "--disable-component-update", "--hide-scrollbars",
         "--enable-logging=stderr"]  # fmt: skip
needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here")
HARNESS = """
<script>
"use strict";
const press = (key, on = document.body) => on.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
const said = () => document.getElementById("sentence").textContent;
const report = {};
try { (() => { %s })(); } catch (error) { report.error = String(error); }
const out = document.createElement("pre");
out.id = "report";
out.textContent = JSON.stringify(report);
document.body.append(out);
</script>
</body>"""


def browse(text, script="", *, width=1200, height=900, flags=()):
    """(report, console messages): what a script that runs at the end of a page has put into `report`."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_text(text.replace("</body>", HARNESS % script), encoding="utf-8")
        command = [
            CHROMIUM,
            *FLAGS,
            *flags,
            f"--user-data-dir={folder}/profile",
            f"--window-size={width},{height}",
            "--dump-dom",
            path.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8", timeout=120, check=False)
    found = re.search(r'<pre id="report">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr[-2000:]
    said = found[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    return json.loads(said), [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def loss_names(record):
    return [losses.get(each["name"]) for each in record.data["losses"]]
