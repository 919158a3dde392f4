"""How the documentation is built: `make docs`, or `python -m sphinx -W docs build/docs`."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import reference_pages  # noqa: E402

import l2sim  # noqa: E402

project = "l2sim"
author = "the l2sim authors"
copyright = "the l2sim authors, MIT licence"
version = release = l2sim.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["build"]
myst_heading_anchors = 3
autodoc_typehints = "signature"
autodoc_member_order = "bysource"
html_theme = "furo"
html_title = "l2sim"
html_copy_source = False


def _fill(app, docname, source):
    """Put what the code says of itself where a page asks for it."""
    del app
    source[0] = reference_pages.fill(docname, source[0])


def _made_from_the_code(app, env, added, changed, removed):
    """Pages that may have changed although their files have not."""
    del app, added, changed, removed
    return [page for page in env.found_docs if page.startswith("reference/")]


def setup(app):
    """Connect the pages that are made from the code."""
    app.connect("env-get-outdated", _made_from_the_code)
    app.connect("source-read", _fill)
    return {"parallel_read_safe": True}
