"""Fabricated packs: a folder with modules and the metadata that an installer would leave there."""

import sys
import textwrap

GOOD = """
    import numpy as np
    from minigrad import hookimpl, loss

    @loss
    def {name}(pred, target):
        return np.abs(pred - target) ** 3

    @hookimpl
    def minigrad_losses():
        return [{name}]
"""

LATE = (
    "from minigrad import loss, losses\n@loss\ndef late(pred, target, *, by=5.0):\n    return by * abs(pred - target)\n"
)


def good(name):
    """The source of a pack with one loss."""
    return GOOD.format(name=name)


def install(site, pack, source, *, distribution=None, version="1.0", module=None, value=None):
    """Put a pack into a folder. `source` is a text, or {file: text} for a package; None leaves the module out."""
    module = module or f"pack_{pack}"
    files = {f"{module}.py": source} if isinstance(source, str) else source or {}
    for name, text in files.items():
        path = site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")
    distribution = distribution or f"minigrad-{pack}"
    info = site / f"{distribution.replace('-', '_')}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[minigrad]\n{pack} = {value or module}\n")
    return info


def forget(folder):
    """Take the modules that came from a folder out of sys.modules."""
    for name, module in list(sys.modules.items()):
        if (getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
