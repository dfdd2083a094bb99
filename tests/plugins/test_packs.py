"""Every pack of plugins/: its project file, its README, and how it is found once it is installed."""

import importlib
import os
import re
import shutil
import subprocess
import sys
import tomllib

import pytest

from minigrad import cli, losses
from tests.plugins.reading import ROOT, blocks, unpack

PACKS = sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))
TOPIC = {pack: pack.name.removeprefix("minigrad-") for pack in PACKS}


@pytest.fixture
def installed(reader):
    """A function that installs a pack where the test looks for packs."""

    def install(pack):
        files = unpack(pack, reader.folder / "site-packages")
        reader.monkeypatch.syspath_prepend(str(reader.folder / "site-packages"))
        importlib.invalidate_caches()
        return files

    yield install
    importlib.invalidate_caches()


def names_of(pack):
    """The losses that a pack offers, by its module."""
    return [loss.name for loss in importlib.import_module(f"minigrad_{TOPIC[pack]}").minigrad_losses()]


@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
class TestEveryPack:
    def test_says_in_its_project_file_what_it_is(self, pack):
        project = tomllib.loads((pack / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert project["name"] == pack.name
        assert project["entry-points"] == {"minigrad": {TOPIC[pack]: f"minigrad_{TOPIC[pack]}"}}
        assert {"version", "description", "readme", "license", "requires-python"} <= set(project)
        assert not [name for name in project["dependencies"] if name.startswith("minigrad")]

    def test_is_installed_with_the_other_packs_for_development(self, pack):
        assert f"-e plugins/{pack.name}" in (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()

    def test_is_found_by_name_after_it_was_installed(self, pack, installed):
        files = installed(pack)
        assert [name for name in files if ".dist-info/" not in name] == [f"minigrad_{TOPIC[pack]}.py"]
        with losses.isolated():
            assert losses.names(TOPIC[pack]) == [f"{TOPIC[pack]}:{name}" for name in names_of(pack)]
            for name in names_of(pack):
                assert losses.get(name) is losses.get(f"{TOPIC[pack]}:{name}")
                assert str(losses.get(name).owner).startswith(pack.name)
            assert losses.problems() == []

    def test_has_no_name_of_a_built_in(self, pack):
        with losses.isolated():
            assert not set(names_of(pack)) & {name.rpartition(":")[2] for name in losses.names("minigrad")}

    def test_has_a_readme_that_says_when_to_use_which_loss(self, pack):
        text = (pack / "README.md").read_text(encoding="utf-8")
        assert "Install minigrad first" in text
        assert f"python -m pip install ./plugins/{pack.name}" in text
        table = re.search(r"^\| when \| use \| because \|\n((?:\|.*\n)+)", text, re.MULTILINE)[1]
        assert [name for name in names_of(pack) if f"`{name}" not in table] == []

    def test_has_a_readme_whose_scripts_run(self, pack, installed):
        installed(pack)
        scripts = [b for b in blocks((pack / "README.md").read_text(encoding="utf-8")) if b.kind == "python"]
        assert scripts
        for script in scripts:
            with losses.isolated():
                exec(compile(script.text, "README.md", "exec"), {"__name__": "readme"})

    def test_has_a_readme_whose_comparison_runs(self, pack, installed):
        installed(pack)
        (command,) = re.findall(
            r"^minigrad compare (.*)$", (pack / "README.md").read_text(encoding="utf-8"), re.MULTILINE
        )
        words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', command)]
        with losses.isolated():
            assert cli.main(["compare", *words, "--seeds", "1", "--epochs", "1", "--lrs", "0.01", "--jobs", "1"]) == 0

    def test_documents_every_loss_with_an_example_and_a_source(self, pack):
        module = importlib.import_module(f"minigrad_{TOPIC[pack]}")
        for name in names_of(pack):
            text = getattr(module, name).__doc__
            assert ">>> " in text, name
            assert "Args:" in text, name
            assert "Returns:" in text, name
            assert re.search(r"[A-Z]\w+ (19|20)\d\d, ", text), name


@pytest.mark.slow
@pytest.mark.parametrize("pack", PACKS, ids=lambda pack: pack.name)
def test_pip_installs_it_and_its_own_tests_pass_there(pack, tmp_path):
    site, there = tmp_path / "site", tmp_path / pack.name
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--target", str(site), str(pack)], check=True)
    shutil.copytree(pack, there, ignore=shutil.ignore_patterns("minigrad_*.py", "__pycache__"))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(ROOT)])}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib", str(there)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=there, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    script = f"from minigrad import losses; print(len(losses.names('{TOPIC[pack]}')))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, cwd=tmp_path, check=True
    )
    assert int(done.stdout) == len(names_of(pack))
