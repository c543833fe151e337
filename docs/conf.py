"""How Sphinx builds the site: `make docs`. Nothing is fetched: no inventories, fonts or scripts of others."""

import os
import re
import sys
from pathlib import Path

from sphinx.application import Sphinx

os.environ["NUMBA_DISABLE_JIT"] = "1"  # kernels as plain functions, with their signatures and docstrings

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

project = "hotland"
author = "hotland contributors"
copyright = author
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
myst_heading_anchors = 3  # as a code host names them
suppress_warnings = ["myst.header"]
html_theme = "furo"
html_title = "hotland"
html_copy_source = False
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"


def for_the_site(text: str, *, page: str) -> str:
    """Return a page whose links to folders of the repository are names; the README's links as seen from `docs/`."""
    if page == "index":
        text = (ROOT / "README.md").read_text() + text
        text = re.sub(r"\]\((?![a-z]+:)(?!docs/)(?=[\w.])", "](../", text).replace("](docs/", "](")
    return re.sub(
        r"\[([^][]+)\]\(([^)#]+)\)",
        lambda link: link[1] if (ROOT / "docs" / link[2]).is_dir() else link[0],
        text,
    )


def setup(app: Sphinx) -> None:
    """Let Sphinx read pages as `for_the_site` has them."""

    def read(_: Sphinx, page: str, source: list[str]) -> None:
        source[0] = for_the_site(source[0], page=page)

    app.connect("source-read", read)
