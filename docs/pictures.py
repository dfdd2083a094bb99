"""The pictures of the README, made anew: `python docs/pictures.py`. The page is photographed by a headless Chromium."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from minigrad import cli
from minigrad.explain.page import data_of, sentence

DOCS = Path(__file__).parent
SIZE, SCALE, HEIGHT = (1200, 680), 1.5, 613  # of the window, and how much of its height is kept
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--hide-scrollbars",
)


def explore_picture(out: Path = DOCS / "explore.png") -> None:
    """The first state of `minigrad explore`, down to its controls; its sentence is kept in the file, for a test."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("pictures: expected Chromium on the path, got none; install the package chromium")
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "explore.html"
        cli.main(["explore", "--out", str(page)])
        size = f"--window-size={SIZE[0]},{SIZE[1]}"
        shot = [
            f"--screenshot={out}",
            size,
            f"--force-device-scale-factor={SCALE}",
            f"--user-data-dir={folder}/profile",
        ]
        subprocess.run([chromium, *FLAGS, *shot, page.as_uri()], check=True, capture_output=True)
        data = data_of(page.read_text(encoding="utf-8"))
    said = PngInfo()
    said.add_itxt("Description", sentence(data, data["first"]["snapshot"], data["first"]["point"]))
    picture = Image.open(out).convert("RGB")
    picture.crop((0, 0, picture.width, int(SCALE * HEIGHT))).save(out, optimize=True, pnginfo=said)


if __name__ == "__main__":
    explore_picture()
    cli.main(["compare", "--out", str(DOCS / "compare.png")])
