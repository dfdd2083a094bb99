"""The pictures of the README, made anew: `python docs/pictures.py`. The page is photographed by a headless Chromium."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from minigrad import cli

DOCS = Path(__file__).parent
SIZE = (1200, 680)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)


def explore_picture(out: Path = DOCS / "explore.png") -> None:
    """The first state of `minigrad explore`, down to its controls."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("pictures: expected Chromium on the path, got none; install the package chromium")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "explore.html"
        cli.main(["explore", "--out", str(page)])
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        shot = [f"--screenshot={out}", size, "--force-device-scale-factor=1.5", f"--user-data-dir={folder}/profile"]
        subprocess.run([chromium, *FLAGS, *shot, page.as_uri()], check=True, capture_output=True)
    picture = Image.open(out).convert("RGB")
    picture.crop((0, 0, picture.width, int(1.5 * 620))).save(out, optimize=True)


if __name__ == "__main__":
    explore_picture()
    cli.main(["compare", "--out", str(DOCS / "compare.png")])
