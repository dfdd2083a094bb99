"""What the site shows and nobody writes: lessons as a gallery, a page for every loss, the guide, the page of explore.

Sphinx calls `make` before it reads its sources; everything lands in the folder `made`, which git ignores.
"""

import json
import re
import shutil
from inspect import cleandoc
from pathlib import Path

from minigrad import check_loss, cli, figures, lesson, losses

DOCS = Path(__file__).parent
ROOT, MADE = DOCS.parent, DOCS / "made"
CELL = re.compile(r"^# %% \[markdown\]\n((?:#.*\n)*)", re.MULTILINE)
CODE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
PROSE = re.compile(r"([|*]|(?<=\w)_(?!\w))")  # what reStructuredText would take for markup


def make() -> None:
    """Write all sources that are made from something else."""
    shutil.rmtree(MADE, ignore_errors=True)
    lessons(MADE / "lessons")
    loss_pages(MADE / "losses")
    guide(MADE)
    (MADE / "pages").mkdir()
    cli.main(["explore", "--out", str(MADE / "pages" / "explore.html")])


# --- lessons ----------------------------------------------------------------------------------------------------------
def lessons(folder: Path) -> None:
    """The lessons with their text cells in reStructuredText, as the gallery reads them."""
    folder.mkdir(parents=True)
    head = (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8").split("\n\n")[1]
    (folder / "GALLERY_HEADER.rst").write_text(f"The course\n==========\n\n{head}\n", encoding="utf-8")
    for path in sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py")):
        (folder / path.name).write_text(lesson_as_rst(path.read_text(encoding="utf-8")), encoding="utf-8")


def lesson_as_rst(script: str) -> str:
    """A lesson whose docstring and text cells are reStructuredText."""
    title, _, fields = re.match(r'"""(.*?)"""', script, re.DOTALL)[1].partition("\n")
    title = title.rstrip(".")
    fields = re.sub(r"^(\w[\w ]*): ", r":\1: ", as_rst(fields.strip()), flags=re.MULTILINE)
    head = f'"""\n{title}\n{"=" * len(title)}\n\n{fields}\n"""'
    cells = CELL.sub(lambda m: f"# %%\n{commented(as_rst(uncommented(m[1])))}", script)
    return head + cells[cells.index('"""', 3) + 3 :]


def uncommented(text: str) -> str:
    """Comment lines without their marks."""
    return re.sub(r"^# ?", "", text, flags=re.MULTILINE)


def commented(text: str) -> str:
    """Lines as comments."""
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())


def as_rst(text: str) -> str:
    """Markdown as the lessons use it: headings, `code`, and bars that are absolute values."""
    text = CODE.sub(lambda m: f"``{m[1]}``", text)
    parts = re.split(r"(``.*?``)", text)
    text = "".join(part if part.startswith("``") else part.replace("|", r"\|") for part in parts)
    return re.sub(r"^## (.*)$", lambda m: f"{m[1]}\n{'-' * len(m[1])}", text, flags=re.MULTILINE)


def start_lesson(gallery_conf: object, script: object) -> list[str]:
    """The arguments with which the gallery runs a lesson: its figures and numbers go to a folder of its own."""
    lesson._run.cache_clear()  # each lesson is a run of its own, in one process
    return ["--out", str(MADE / "out" / Path(str(script)).stem)]


def scrape(block: object, block_vars: dict, gallery_conf: dict) -> str:
    """What `lesson.show` has saved since the last cell: pictures with their alternative text, pages in a frame."""
    from sphinx_gallery.scrapers import figure_rst

    out = MADE / "out" / Path(block_vars["src_file"]).stem
    seen = block_vars["example_globals"].setdefault("__seen__", set())
    found = []
    for path in sorted(p for p in [*out.glob("*.png"), *out.glob("*.html")] if p not in seen):
        seen.add(path)
        if path.suffix == ".html":
            (MADE / "pages").mkdir(exist_ok=True)
            shutil.copy(path, MADE / "pages" / f"{out.name}_{path.name}")
            found.append(frame(f"../../{out.name}_{path.name}", path.stem))
            continue
        image = Path(block_vars["image_path_iterator"].next())
        shutil.copy(path, image)
        alt = json.loads((out / "alt.json").read_text(encoding="utf-8"))[path.stem]
        found.append(figure_rst([str(image)], gallery_conf["src_dir"], " ".join(alt.split())))
    return "\n".join(found)


def frame(address: str, title: str) -> str:
    """A page within a page."""
    return f'.. raw:: html\n\n   <iframe class="explore" src="{address}" title="{title}"></iframe>\n'


# --- losses -----------------------------------------------------------------------------------------------------------
def loss_pages(folder: Path) -> None:
    """A page for each loss that is offered here, and their list."""
    folder.mkdir(parents=True)
    names = losses.names()
    for name in names:
        (folder / f"{stem(name)}.rst").write_text(loss_page(name, folder), encoding="utf-8")
    packs = {name: name.partition(":")[0] if ":" in name else "built in" for name in names}
    parts = []
    for pack in dict.fromkeys(packs.values()):
        title = "Built in" if pack == "built in" else f"The pack {pack}"
        entries = "\n".join(f"   {stem(name)}" for name in names if packs[name] == pack)
        parts.append(f"{title}\n{'-' * len(title)}\n\n.. toctree::\n   :maxdepth: 1\n\n{entries}\n")
    head = (
        "Losses\n======\n\nEvery loss with its card: what it is, measured. ``minigrad check NAME`` prints the same.\n\n"
    )
    (folder / "index.rst").write_text(head + "\n".join(parts), encoding="utf-8")


def loss_page(name: str, folder: Path) -> str:
    """What a loss says of itself, and its card, drawn and printed."""
    loss, card = losses.get(name), check_loss(name)
    fig = figures.card(card)
    fig.savefig(folder / f"{stem(name)}.png", dpi=100)
    kinds, form = loss.describe().splitlines()[:2]
    image = [f".. image:: {stem(name)}.png", f"   :alt: {' '.join(figures.alt(fig).split())}"]
    call = ", ".join(["pred", "target", "*", *(f"{key}={p.default!r}" for key, p in loss.params.items())]).rstrip(", *")
    said = [f".. py:function:: {loss.name}({call})", "   :no-index:", "", *(f"   {line}" for line in docstring(loss))]
    printed = [
        "Its card",
        "--------",
        "",
        ".. code-block:: text",
        "",
        *(f"   {line}" for line in str(card).splitlines()),
    ]
    return "\n".join([name, "=" * len(name), "", f"``{kinds}``", "", form, "", *said, "", *image, "", *printed, ""])


def docstring(loss: losses.Loss) -> list[str]:
    """The lines of a loss's docstring in reStructuredText."""
    from sphinx.ext.napoleon import Config, GoogleDocstring

    lines = cleandoc(loss.__doc__ or loss.name).splitlines()
    return str(GoogleDocstring(escaped(lines), Config(napoleon_use_rtype=False))).splitlines()


def stem(name: str) -> str:
    """The name of a loss as that of a file."""
    return name.replace(":", "_")


def escaped(lines: list[str]) -> list[str]:
    """Docstring lines in which bars, stars and backticks mean what they mean in prose; code stays as it is."""
    done, fenced, example = [], False, False
    for line in lines:
        example = line.lstrip().startswith(">>>") or (example and bool(line.strip()))
        if line.startswith("```"):
            fenced = not fenced
            done += ["", ".. code-block:: python", ""] if fenced else [""]
        elif fenced or example:
            done.append(f"    {line}" if fenced and line else line)
        else:
            parts = re.split(r"(`+[^`]+`+)", line)
            done.append("".join(CODE.sub(r"``\1``", p) if "`" in p else PROSE.sub(r"\\\1", p) for p in parts))
    return done


# --- texts ------------------------------------------------------------------------------------------------------------
def guide(folder: Path) -> None:
    """The author's guide and the README of each pack, with links that hold on the site."""
    text = (ROOT / "plugins" / "README.md").read_text(encoding="utf-8")
    packs = sorted(path.parent.name for path in (ROOT / "plugins").glob("minigrad-*/README.md"))
    for pack in packs:
        text = text.replace(f"]({pack})", f"]({pack}.md)")
        own = (ROOT / "plugins" / pack / "README.md").read_text(encoding="utf-8")
        (folder / f"{pack}.md").write_text(
            own.replace("](../README.md", "](guide.md").replace("](../../README.md", "](../index.md"), encoding="utf-8"
        )
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *packs, "```"])
    (folder / "guide.md").write_text(f"{text}\n\n{toctree}\n", encoding="utf-8")
