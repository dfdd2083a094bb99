"""The site: `python -m sphinx -W docs docs/_build`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import making
from sphinx_gallery.sorting import FileNameSortKey

project, html_title, copyright = "minigrad", "minigrad", "the minigrad authors"
extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_gallery.gen_gallery",
    "myst_parser",  # the guide, the packs and the changelog are Markdown, on the site as in the repository
]
exclude_patterns = ["_build", "made/lessons", "made/out", "lessons"]
suppress_warnings = ["config.cache"]  # the functions below cannot be cached
html_theme = "furo"  # reads well on a phone
html_static_path = ["static"]
html_css_files = ["site.css"]
html_extra_path = ["made/pages"]
html_show_sphinx = False
myst_heading_anchors = 3
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say what an argument is
napoleon_use_rtype = False
sphinx_gallery_conf = {
    "examples_dirs": "made/lessons",
    "gallery_dirs": "made/course",
    "filename_pattern": r"\d\d_",
    "within_subsection_order": FileNameSortKey,
    "image_scrapers": (making.scrape,),
    "reset_argv": making.start_lesson,
    "abort_on_example_error": True,
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": 1e9,
    "plot_gallery": "True",
}
making.make()


def _escape(app, what, name, obj, options, lines):
    lines[:] = making.escaped(lines)


def setup(app):
    """Docstrings are prose with formulas: what they mean by a bar is an absolute value."""
    app.connect("autodoc-process-docstring", _escape, priority=400)  # before napoleon
