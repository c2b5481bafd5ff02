"""Sphinx builds the documentation: ``python -m sphinx -W --keep-going docs site``."""

from importlib.metadata import version as _version

project = "pynq-anywhere"
author = "the pynq-anywhere maintainers"
copyright = author
release = _version("pynq-anywhere")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True}
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
toc_object_entries_show_parents = "hide"
suppress_warnings = ["ref.python", "myst.xref_missing"]

html_theme = "furo"
html_title = "pynq-anywhere"
html_show_sphinx = False
html_theme_options = {"navigation_with_keys": True}


def _keep_colons(app, what, name, obj, options, lines):  # type: ignore[no-untyped-def]
    """Keep napoleon from taking "Why it failed; None: it has not" for a type and its meaning."""
    if what in ("attribute", "data", "property") and lines:
        lines[0] = lines[0].replace(": ", " \N{EN DASH} ")


def setup(app):  # type: ignore[no-untyped-def]
    """Called by Sphinx."""
    app.connect("autodoc-process-docstring", _keep_colons, priority=100)  # before napoleon's 500
