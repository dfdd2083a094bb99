"""How a loss is found: one hook for built-ins, this process, single files and installed packs. Only here is pluggy.

A plugin is loaded alone, when one of its losses is asked for, and leaves no trace when it fails: what went wrong is
remembered and said to whoever asks for that plugin, and nobody else notices. One that hangs while it is imported cannot
be stopped from here: `timeout -s ABRT 60 python -X faulthandler script.py` shows where it hangs.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pluggy

from minigrad.engine.errors import PluginError, UnknownLossError
from minigrad.losses.loss import Loss, Owner
from minigrad.losses.names import OWN, check_pack, shown, unknown
from minigrad.losses.offers import Problem, check_hooks, code_of, defined_by, hooks, owned, problem_of

GROUP = "minigrad"
hookspec = pluggy.HookspecMarker(GROUP)
hookimpl = pluggy.HookimplMarker(GROUP)


class Hooks:
    """What a plugin may implement."""

    @hookspec
    def minigrad_losses(self) -> Iterable[Loss]:  # type: ignore[empty-body]
        """Offer losses.

        ```python
        import numpy as np
        from minigrad import hookimpl, loss

        @loss
        def cubic(pred, target):
            return np.abs(pred - target) ** 3

        @hookimpl
        def minigrad_losses():
            return [cubic]
        ```
        """


class Offer:
    """A plugin around losses that are there already."""

    def __init__(self, losses: Iterable[Loss]) -> None:
        self.losses = list(losses)

    @hookimpl
    def minigrad_losses(self) -> list[Loss]:
        """These losses."""
        return self.losses


class Registry:
    """The plugins of this process: which losses each of them offers, and which of them failed."""

    def __init__(self) -> None:
        from minigrad.losses import classification, margins, ranking, regression

        self.manager = pluggy.PluginManager(GROUP)
        self.manager.add_hookspecs(Hooks)
        self.losses: dict[str, dict[str, Loss]] = {own: {} for own in OWN}  # pack → name → loss
        self.files: dict[str, Path] = {}
        self.problems: dict[str, Problem] = {}
        self.loading: set[str] = set()
        self.installed: dict[str, list[EntryPoint]] | None = None
        for module in (regression, classification, margins, ranking):
            self.losses["minigrad"] |= self.take(module, Owner("minigrad", "minigrad-lab"), module.__name__)

    # --- plugins ---------------------------------------------------------------------------------------------------
    def take(self, plugin: Any, owner: Owner, who: str) -> dict[str, Loss]:
        """The losses that a plugin offers, in the place of what went by its name before; or an error, and no trace."""
        before = self.manager.unregister(name=who)
        try:
            with code_of(who):
                marked, twin = hooks(self.manager, plugin), self.manager.get_name(plugin)
            check_hooks(marked, plugin, who)
            if twin is not None:
                raise PluginError(f"{who}: expected a module of its own, got that of {twin}; remove one entry point")
            self.manager.register(plugin, name=who)
            others = self.manager.get_plugins() - {plugin}
            with code_of(who):
                offers = self.manager.subset_hook_caller("minigrad_losses", others)()
            return owned(offers or [None], owner, who)  # pluggy drops a None
        except BaseException:
            self.manager.unregister(name=who)
            if before is not None:
                self.manager.register(before, name=who)
            raise

    def guarded(self, owner: Owner, add: Callable[[], None]) -> None:
        """Add a plugin or, if it fails, remember why. One that failed, or is just being loaded, is left alone."""
        if owner.pack not in self.problems | dict.fromkeys(self.loading):
            self.loading.add(owner.pack)
            try:
                add()
            except Exception as error:
                self.problems[owner.pack] = problem_of(owner, error)
            finally:
                self.loading.remove(owner.pack)

    # --- files -----------------------------------------------------------------------------------------------------
    def add_file(self, path: Path) -> None:
        """Run a file, and offer the losses that it defines under the name of the file."""
        path = path.expanduser().absolute()
        self._check_file(path)
        stem, who, name = path.stem, f"the file {path.name!r}", f"minigrad_file_{path.stem}"
        loader = _Source(name, str(path))
        spec = importlib.util.spec_from_file_location(name, path, loader=loader)
        module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # with a loader there is a spec
        before, sys.modules[name] = sys.modules.get(name), module
        try:
            with code_of(who):
                loader.exec_module(module)
            plugin = module if hasattr(module, "minigrad_losses") else Offer(defined_by(module, who))
            self.losses[stem] = self.take(plugin, Owner(stem, str(path)), who)
        except BaseException:
            sys.modules.pop(name, None)
            if before is not None:
                sys.modules[name] = before
            raise
        self.files[stem] = path
        self.problems.pop(stem, None)

    def _check_file(self, path: Path) -> None:
        if not path.is_file():
            got = "is a folder" if path.is_dir() else "does not exist"
            raise FileNotFoundError(f"plugin: expected a Python file, got {str(path)!r}, which {got}")
        check_pack(path.stem, f"the file {shown(path.name)}")
        points = self.packs().get(path.stem)
        other: Any = _whose(points[0]) if points else self.files.get(path.stem, path)
        if other != path:
            raise PluginError(f"the pack {path.stem!r} is offered twice: {other} and {path}; rename the file")

    def read_files(self, stem: str | None = None) -> None:
        """Add the files that MINIGRAD_PLUGIN_PATH names, or the one that is called so."""
        for path in map(Path, filter(None, os.environ.get("MINIGRAD_PLUGIN_PATH", "").split(os.pathsep))):
            if stem in (None, path.stem) and path.expanduser().absolute() not in self.files.values():
                self.guarded(Owner(path.stem, str(path)), lambda path=path: self.add_file(path))  # type: ignore[misc]

    # --- packs -----------------------------------------------------------------------------------------------------
    def packs(self, *, left_out: bool = False) -> dict[str, list[EntryPoint]]:
        """The installed packs that MINIGRAD_PLUGINS lets in, or those that it leaves out. Imports nothing."""
        if self.installed is None:
            self.installed = _installed()
        listed = os.environ.get("MINIGRAD_PLUGINS")
        names = self.installed if listed is None else {name.strip() for name in listed.split(",")}
        return {pack: points for pack, points in self.installed.items() if (pack not in names) is left_out}

    def load(self, pack: str, points: list[EntryPoint]) -> None:
        """Import one installed pack, unless it is there already."""
        if points and (pack not in self.losses or pack in OWN):
            owner = Owner(pack, *_distribution(points[0]))
            self.guarded(owner, lambda: self._load(points, owner))

    def _load(self, points: list[EntryPoint], owner: Owner) -> None:
        if len(points) > 1:
            both = " and ".join(sorted(map(_whose, points)))
            raise PluginError(f"the pack {shown(owner.pack)} is offered twice: {both}; remove one")
        who = f"the pack {shown(owner.pack)} ({owner})"
        check_pack(owner.pack, who)
        with code_of(who, f"entry point {shown(points[0].value)}"):
            plugin = points[0].load()
        self.losses[owner.pack] = self.take(plugin, owner, who)

    def load_all(self) -> None:
        """Everything that there is: files, then packs in sorted order."""
        self.read_files()
        for pack, points in self.packs().items():
            self.load(pack, points)

    # --- look-up ---------------------------------------------------------------------------------------------------
    def at_hand(self, name: str) -> Loss | None:
        """A loss that is there already and cannot be ambiguous: built in, of this process, or named with its pack."""
        pack, colon, bare = name.rpartition(":")
        for known in [pack] if colon else OWN:
            if bare in self.losses.get(known, {}):
                return self.losses[known][bare]
        return None

    def find(self, name: str) -> Loss:
        """The loss of this name, bare or pack:name, for which plugins may have to be loaded."""
        pack, colon, bare = name.rpartition(":")
        found = [loss for loss in self.of_pack(pack, name) if loss.name == bare] if colon else self._bare(bare)
        if len(found) > 1:
            both = " and ".join(f"{loss.full_name} ({loss.owner})" for loss in found)
            times = "twice" if len(found) == 2 else f"{len(found)} times"
            raise PluginError(f"the name {bare!r} is offered {times}: {both}; write the full name")
        if not found:
            raise self.unknown(name)
        return found[0]

    def of_pack(self, pack: str, asked: str) -> list[Loss]:
        """The losses of one pack, which is loaded if need be, and no other; `asked` is the name that needs it."""
        if pack not in self.losses:
            self.read_files(pack)
            self.load(pack, self.packs().get(pack, []))
        if pack not in self.losses:
            if problem := self.problems.get(pack):
                raise PluginError(problem.message) from problem.error.__cause__
            raise self.unknown(asked)
        return list(self.losses[pack].values())

    def _bare(self, name: str) -> list[Loss]:
        """Who offers a bare name: files, and only if none of them does, packs."""
        self.read_files()
        found = [self.losses[stem][name] for stem in sorted(self.files) if name in self.losses[stem]]
        if not found:
            self.load_all()
            found = [self.losses[pack][name] for pack in sorted(self.losses) if name in self.losses[pack]]
        return found

    def all(self) -> list[Loss]:
        """All losses that are here: the built-in ones, those of this process, then by pack."""
        packs = sorted(self.losses, key=lambda pack: (pack != "minigrad", pack != "here", pack))
        return [loss for pack in packs for loss in self.losses[pack].values()]

    def unknown(self, name: str) -> UnknownLossError:
        """What to say of a name that nobody offers, and of the pack that might be missing."""
        left_out = {pack: _whose(points[0]) for pack, points in self.packs(left_out=True).items()}
        text = unknown(name, self.all(), [*self.losses, *self.packs()], left_out, len(self.problems))
        self.installed = None  # whoever now installs what is missing will find it
        return UnknownLossError(text)


# --- where plugins are ------------------------------------------------------------------------------------------------
def _installed() -> dict[str, list[EntryPoint]]:
    """Every entry point of the group, by name. Reads metadata, but none that lies in the working directory."""
    here, found, seen = os.path.realpath(os.curdir), dict[str, list[EntryPoint]](), set[str]()
    for distribution in importlib.metadata.distributions(path=[p for p in sys.path if os.path.realpath(p) != here]):
        try:
            name, points = distribution.name, distribution.entry_points.select(group=GROUP)
        except Exception:  # metadata that cannot be read offer nothing
            continue
        if (key := re.sub("[-_.]+", "-", name or "").lower()) not in seen:  # the first on the path is the imported one
            seen.add(key)
            for point in points:
                found.setdefault(point.name, []).append(point)
    return dict(sorted(found.items()))


def _distribution(point: EntryPoint) -> tuple[str, str]:
    metadata = point.dist.metadata  # type: ignore[union-attr]  # it comes from a distribution
    name, version = (metadata[key] if key in metadata else "" for key in ("Name", "Version"))
    return name, version


def _whose(point: EntryPoint) -> str:
    return " ".join(_distribution(point))


class _Source(SourceFileLoader):
    """Runs a file as it is now, and writes nothing beside it."""

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self.get_data(self.path), self.path)
