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
    {"ops", "errors", "elsewhere"},
    {"losses", "nn", "optim"},
    {
        "metrics",
        "data",
        "arguments",
        "checkpoint",
        "history",
        "samples",
        "preflight",
        "resuming",
        "training",
        "planned",
        "progress",
        "silence",
    },
    {"comparison", "journal", "study", "explain", "testing"},
    {"figures", "judging", "lesson", "scaffold"},
    {"authoring"},
    {"cli", "__main__"},
]
ONLY_HERE = {
    "pluggy": {"losses/registry.py"},
    "matplotlib": {"figures/", "lesson.py"},
    "rich": {*(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.glob("cli/*.py")), "progress.py"},
    "importlib": {"losses/registry.py", "__init__.py"},
}
PUBLIC = {"losses", "ops", "figures", "testing", "explain", "lesson", "nn", "optim", "data", "metrics"}


def layer(module):
    """The number of a module's layer, by its first part."""
    return next((i for i, names in enumerate(LAYERS) if module in names), None)


def statements(body):
    """What runs when a module is imported: also inside if, try, with and class, never inside a function."""
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from statements(node.orelse)
            continue
        yield node
        yield from statements(ast.iter_child_nodes(node))


def imports(tree, path=None, *, top_level=False):
    """The full names of the modules that a file imports; a relative name is completed by the file's place."""
    for node in statements(tree.body) if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            near = path.relative_to(PACKAGE.parent).parts[: -node.level] if node.level else ()
            module = ".".join([*near, *([node.module] if node.module else [])])
            yield from (f"minigrad.{alias.name}" for alias in node.names) if module == "minigrad" else [module]


def upward(path, source):
    """Imports at the top of a file that go up in the house."""
    own = layer(path.relative_to(PACKAGE).parts[0].removesuffix(".py"))
    found = []
    for name in imports(ast.parse(source), path, top_level=True):
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
        for name in imports(ast.parse(source), path)
        if (allowed := ONLY_HERE.get(name.split(".")[0])) is not None and not here.startswith(tuple(allowed))
    ]


def dangers(source):
    """Calls that run text, modules that read code or start programs, and arrays that may hold pickles."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    named = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
    pickles = {
        k.arg for node in calls for k in node.keywords if k.arg == "allow_pickle" and ast.unparse(k.value) != "False"
    }
    return (
        named & {"eval", "exec", "compile", "__import__"}
        | {name.split(".")[0] for name in imports(tree, PACKAGE / "x.py")}
        & {"pickle", "marshal", "shelve", "dill", "joblib", "yaml", "subprocess"}
        | pickles
    )


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
        assert dangers(path.read_text(encoding="utf-8")) == set()


def test_gradcheck_knows_the_engine_alone():
    path = PACKAGE / "testing" / "gradcheck.py"
    ours = {n for n in imports(ast.parse(path.read_text(encoding="utf-8")), path) if n.split(".")[0] == "minigrad"}
    assert all(name.startswith("minigrad.engine") for name in ours)


@pytest.mark.parametrize(
    ("place", "source", "found"),
    [
        ("engine/x.py", "from minigrad.losses import get", ["minigrad.losses"]),
        ("losses/x.py", "from minigrad import data", ["minigrad.data"]),
        ("losses/x.py", "import minigrad.cli", ["minigrad.cli"]),
        ("engine/rules/x.py", "from ...nn import Linear", ["minigrad.nn"]),
        ("engine/x.py", "from .. import figures", ["minigrad.figures"]),
        ("ops.py", "try:\n    import minigrad.nn\nexcept ImportError:\n    pass", ["minigrad.nn"]),
        ("training.py", "def plot():\n    from minigrad import figures", []),
        ("losses/x.py", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from minigrad.nn import MLP", []),
        ("losses/x.py", "from minigrad import Tensor, ops", []),
        ("losses/x.py", "from . import kinds", []),
    ],
)
def test_an_import_that_goes_up_would_be_found(place, source, found):
    assert upward(PACKAGE / place, source) == found


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("training.py", "def f():\n    import matplotlib.pyplot"),
        ("losses/calling.py", "from pluggy import HookimplMarker"),
        ("study.py", "from rich.table import Table"),
        ("nn.py", "import importlib"),
    ],
)
def test_a_stranger_would_be_found(place, source):
    assert len(strangers(PACKAGE / place, source)) == 1
    assert strangers(PACKAGE / "figures/x.py", "import matplotlib.pyplot") == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("eval('1')", {"eval"}),
        ("def f():\n    exec(x)", {"exec"}),
        ("compile(a, b, c)", {"compile"}),
        ("__import__('os')", {"__import__"}),
        ("from pickle import loads", {"pickle"}),
        ("import subprocess as s", {"subprocess"}),
        ("np.load(f, allow_pickle=flag)", {"allow_pickle"}),
        ("np.load(f, allow_pickle=False); re.compile('a'); model.eval()", set()),
    ],
)
def test_a_danger_would_be_found(source, found):
    assert dangers(source) == found


def private_names(source, public):
    """Names of minigrad that a pack or a lesson has no business with."""
    inside = [name.split(".") for name in imports(ast.parse(source), PACKAGE / "x.py")]
    return [".".join(p) for p in inside if p[0] == "minigrad" and len(p) > 1 and (len(p) > 2 or p[1] not in public)]


@pytest.mark.parametrize(
    "path",
    [*ROOT.glob("tutorials/*.py"), *(p for p in ROOT.glob("plugins/*/**/*.py") if "tests" not in p.parts)],
    ids=lambda p: p.name,
)
def test_packs_and_lessons_use_public_names_only(path):
    import minigrad

    assert private_names(path.read_text(encoding="utf-8"), PUBLIC | set(minigrad.__all__)) == []


def test_a_private_name_would_be_found():
    source = (
        "from minigrad import losses, study\nfrom minigrad.losses import pick\nfrom minigrad.losses.registry import get"
    )
    assert private_names(source, PUBLIC) == ["minigrad.study", "minigrad.losses.registry"]


def test_importing_minigrad_loads_numpy_and_nothing_else_of_others():
    code = "import sys, minigrad; print([m for m in ('pluggy', 'matplotlib', 'rich', 'minigrad.losses') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_whoever_catches_an_error_of_python_catches_its_kind_of_here():
    from minigrad import errors

    kinds = {
        "ShapeError": ValueError, "DTypeError": TypeError, "LabelError": ValueError, "DomainError": ValueError,
        "GradientError": RuntimeError, "PluginError": RuntimeError, "UnknownLossError": LookupError, "CheckpointError": RuntimeError,
    }  # fmt: skip
    for name, kind in kinds.items():
        assert issubclass(getattr(errors, name), kind), name


def test_every_public_name_is_there():
    import minigrad

    for name in minigrad.__all__:
        assert getattr(minigrad, name) is not None


def test_the_repository_speaks_of_itself_alone():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name] or [p for p in ROOT.rglob("*") if p.is_file()]
    needles = ["/" + "work/", "shared" + "/", "pypi" + ".org", "python" + "hosted", "/opt/" + "pypi", "index" + "-url"]
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
    assert others == {"data/SOURCES.md", *(f"tutorials/{path.name}" for path in ROOT.glob("tutorials/README.md"))}
    assert not [n for n in inside if "test" in n.split("/")[-1] and not n.startswith("testing/")]
