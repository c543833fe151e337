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
html_static_path = ["_static"]
html_css_files = ["site.css"]
napoleon_google_docstring = False
napoleon_use_ivar = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"


ELSEWHERE = {
    "index": "README.md",
    "contributing": "CONTRIBUTING.md",
    "changelog": "CHANGELOG.md",
    "notebooks": "notebooks/README.md",
}
"""Pages of the site whose text lies outside `docs/`, where a code host shows it."""


def for_the_site(text: str, *, page: str) -> str:
    """Return a page as it is on the site: links as seen from `docs/`, with titles; those to folders as names."""
    folder = ROOT / "docs"
    if page in ELSEWHERE:
        text, folder = (ROOT / ELSEWHERE[page]).read_text() + text, (ROOT / ELSEWHERE[page]).parent
    pages = {(ROOT / file).resolve(): f"{name}.md" for name, file in ELSEWHERE.items()}

    def seen(link: re.Match[str]) -> str:
        target = (folder / link[2]).resolve()
        if target.is_dir():
            return link[1]
        words = "" if target.suffix == ".md" and link[1].endswith(target.name) else link[1]  # its title
        return f"[{words}]({pages.get(target) or os.path.relpath(target, ROOT / 'docs')}{link[3]})"

    return re.sub(r"\[([^][]*)\]\((?![a-z]+:)([^)#]+)((?:#[^)]*)?)\)", seen, text)


def setup(app: Sphinx) -> None:
    """Let Sphinx read pages as `for_the_site` has them."""

    def read(_: Sphinx, page: str, source: list[str]) -> None:
        source[0] = for_the_site(source[0], page=page)

    app.connect("source-read", read)
