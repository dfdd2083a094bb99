"""The house rules that a program can hold: who imports whom, what is never called, what is shipped."""

import ast
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "minigrad"
FILES = sorted(path for path in PACKAGE.rglob("*.py") if "tutorials" not in path.parts)

# A module imports its own layer and those below it. The first name that fits counts.
LAYERS = [
    {"engine"},
    {"ops"},
    {"losses", "nn", "optim"},
    {"metrics", "data", "checkpoint", "training", "progress"},
    {"study", "explain", "testing"},
    {"figures", "lesson"},
    {"cli", "__main__"},
]
ONLY_HERE = {
    "pluggy": {"losses/registry.py"},
    "matplotlib": {"figures.py", "lesson.py"},
    "rich": {"cli.py", "progress.py"},
    "importlib": {"losses/registry.py", "__init__.py"},
}
PUBLIC = {"losses", "ops", "figures", "testing", "explain", "lesson", "nn", "optim", "data", "metrics"}


def layer(module):
    """The number of a module's layer, by its first part."""
    return next((i for i, names in enumerate(LAYERS) if module in names), None)


def imports(tree, *, top_level):
    """The full names of the modules that a file imports."""
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "minigrad":
                yield from (f"minigrad.{alias.name}" for alias in node.names)
            else:
                yield node.module


def upward(path, source):
    """Imports at the top of a file that go up in the house."""
    own = layer(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    found = []
    for name in imports(ast.parse(source), top_level=True):
        parts = name.split(".")
        if parts[0] == "minigrad" and len(parts) > 1 and (other := layer(parts[1])) is not None:
            if own is not None and other > own:
                found.append(name)
    return found


def strangers(path, source):
    """Third-party modules, or importlib, in a file that has no business with them."""
    here = path.relative_to(PACKAGE).as_posix()
    return [
        name
        for name in imports(ast.parse(source), top_level=False)
        if (allowed := ONLY_HERE.get(name.split(".")[0])) is not None and here not in allowed
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
class TestEveryFile:
    def test_imports_only_downwards(self, path):
        assert upward(path, path.read_text(encoding="utf-8")) == []

    def test_leaves_pluggy_matplotlib_rich_and_importlib_to_the_files_that_know_them(self, path):
        assert strangers(path, path.read_text(encoding="utf-8")) == []

    def test_belongs_to_a_layer(self, path):
        first = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        assert first == "__init__" or layer(first) is not None

    def test_runs_no_text_and_reads_no_pickle(self, path):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        calls = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert calls.isdisjoint({"eval", "exec", "compile"})
        banned = {"pickle", "marshal", "shelve", "dill", "joblib", "yaml", "subprocess"}
        assert {name.split(".")[0] for name in imports(tree, top_level=False)}.isdisjoint(banned)
        keywords = {
            (k.arg, ast.unparse(k.value)) for n in ast.walk(tree) if isinstance(n, ast.Call) for k in n.keywords
        }
        assert ("allow_pickle", "True") not in keywords


def test_gradcheck_knows_the_engine_alone():
    tree = ast.parse((PACKAGE / "testing" / "gradcheck.py").read_text(encoding="utf-8"))
    ours = {name for name in imports(tree, top_level=False) if name.startswith("minigrad.")}
    assert all(name.startswith("minigrad.engine") for name in ours)


def test_a_wrong_import_would_be_found():
    assert upward(PACKAGE / "engine" / "x.py", "from minigrad.losses import get") == ["minigrad.losses"]
    assert upward(PACKAGE / "losses" / "x.py", "from minigrad import data") == ["minigrad.data"]
    assert strangers(PACKAGE / "training.py", "def f():\n    import matplotlib.pyplot") == ["matplotlib.pyplot"]


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("tutorials/*.py"), *(p for p in ROOT.glob("plugins/*/**/*.py") if "tests" not in p.parts)],
    ids=lambda p: p.name,
)
def test_packs_and_lessons_use_public_names_only(path):
    import minigrad

    for name in imports(ast.parse(path.read_text(encoding="utf-8")), top_level=False):
        parts = name.split(".")
        if parts[0] == "minigrad" and len(parts) > 1:
            assert len(parts) == 2, name
            assert parts[1] in PUBLIC or parts[1] in minigrad.__all__, name


def test_importing_minigrad_loads_numpy_and_nothing_else_of_others():
    code = "import sys, minigrad; print([m for m in ('pluggy', 'matplotlib', 'rich', 'minigrad.losses') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_every_public_name_is_there():
    import minigrad

    for name in minigrad.__all__:
        assert getattr(minigrad, name) is not None


def test_the_repository_speaks_of_itself_alone():
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=False, cwd=ROOT).stdout
    paths = [ROOT / name for name in listed.split("\0") if name] or [p for p in ROOT.rglob("*") if p.is_file()]
    needles = ["/" + "work/", ".." + "/shared", "pypi" + ".org", "files.python" + "hosted", "simple" + "/numpy"]
    for path in paths:
        if (
            path.suffix in {".py", ".md", ".toml", ".txt", ".yml", ".yaml", ".html", ""}
            and path.is_file()
            and ".venv" not in path.parts
        ):
            text = path.read_text(encoding="utf-8", errors="ignore")
            assert not [needle for needle in needles if needle in text], path


def test_the_wheel_holds_the_package_the_data_and_the_lessons_and_nothing_else(tmp_path):
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    wheel = next(iter(builder.build(directory=str(tmp_path), versions=["standard"])))
    names = zipfile.ZipFile(wheel).namelist()
    inside = {name.removeprefix("minigrad/") for name in names if ".dist-info/" not in name}
    assert all(name.startswith("minigrad/") for name in names if ".dist-info/" not in name)
    assert {path.relative_to(PACKAGE).as_posix() for path in FILES} <= inside
    assert {
        "py.typed",
        "data/digits.csv.gz",
        "data/diabetes.csv.gz",
        "data/breast_cancer.csv.gz",
        "data/SOURCES.md",
    } <= inside
    assert {f"tutorials/{path.name}" for path in ROOT.glob("tutorials/[0-9]*.py")} <= inside
    others = {n for n in inside if not n.endswith((".py", ".csv.gz", ".html")) and n != "py.typed"}
    assert others == {"data/SOURCES.md", "tutorials/README.md"}
    assert not [n for n in inside if "test" in n.split("/")[-1] and not n.startswith("testing/")]
