"""The site of the docs: it builds without a warning, and the pages name what exists."""

import importlib
import re
import subprocess
import sys
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest
from ruamel.yaml import YAML

from tests.conftest import ROOT


class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.anchors.add(given.get("id") or "")
        if tag == "a" and given.get("href"):
            self.links.append(given["href"] or "")
        elif tag in ("script", "img", "link"):
            self.loads.append(given.get("src") or given.get("href") or "")


@pytest.mark.slow
def test_the_site_builds_and_every_link_leads_somewhere(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", ROOT / "docs", tmp_path]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    pages = {path: Page(path.read_text()) for path in tmp_path.glob("*.html")}
    reached, ahead = set(), [tmp_path / "index.html"]
    while ahead:
        path = ahead.pop()
        if path in reached or path not in pages:
            continue
        reached.add(path)
        assert not [each for each in pages[path].loads if urlparse(each).netloc], path.name
        for link in map(urlparse, pages[path].links):
            if link.scheme or link.netloc:
                continue
            target = path.parent / unquote(link.path) if link.path else path
            assert target.exists(), f"{path.name}: {link.geturl()}"
            if link.fragment and target in pages:
                assert unquote(link.fragment) in pages[target].anchors, f"{path.name}: {link.geturl()}"
            ahead.append(target)
    assert {path.stem for path in reached} >= {path.stem for path in (ROOT / "docs").glob("*.md")}


def test_every_row_of_the_page_of_verification_has_its_figures_and_its_test() -> None:
    heads: list[str] = []
    rows = 0
    for line in (ROOT / "docs" / "verification.md").read_text().splitlines():
        cells = line.strip("| ").split(" | ") if line.startswith("| ") else []
        heads = cells if cells[:1] == ["what"] else heads
        if not cells or cells == heads:
            continue
        assert len(cells) == len(heads), line
        told = dict(zip(heads, cells, strict=True))
        for head in ("measured", "tolerance"):
            assert re.search(r"\d|the same bits", told[head]), f"{head}: {line}"
        found = re.fullmatch(r"`(tests/\w+\.py)::(\w+)`", told["test"])
        assert found, line
        assert f"\ndef {found[2]}(" in (ROOT / found[1]).read_text(), line
        rows += 1
    assert rows > 30


def test_the_names_of_code_on_the_page_of_physics_exist() -> None:
    """Files by their path, `module.function` of kernels and study, `module.Class.method` too."""
    page = (ROOT / "docs" / "physics.md").read_text()
    for path in re.findall(r"`((?:kernels|study|tests)/[\w/]+(?:\.py|/))`", page):
        assert (ROOT / path).exists(), path
    named = re.findall(r"`((?:kernels|study)\.\w+(?:\.\w+)*)`", page)
    assert len(named) > 30
    for name in named:
        package, module, *parts = name.split(".")
        thing = importlib.import_module(f"{package}.{module}")
        for part in parts:
            assert hasattr(thing, part), name
            thing = getattr(thing, part)


def test_every_equation_of_the_page_of_physics_names_what_computes_it() -> None:
    page = (ROOT / "docs" / "physics.md").read_text()
    equations = re.findall(r"\n\n((?:    .*[=≈≤≥←].*\n)+)\n?(.*)", page)
    assert len(equations) >= 8
    for equation, after in equations:
        assert re.search(r"`(?:kernels|study)\.\w+\.\w+", after), equation


def test_the_citation_follows_the_format() -> None:
    """Citation File Format 1.2.0 (Druskat et al. 2021, doi:10.5281/zenodo.5171937): keys needed, allowed, and types."""
    yaml = YAML(typ="safe", pure=True)
    citation = yaml.load((ROOT / "CITATION.cff").read_text())
    texts = {"abstract", "commit", "doi", "message", "title", "version", "url", "repository", "repository-code"}
    texts |= {"license", "license-url", "repository-artifact", "date-released", "cff-version", "type"}
    assert citation.keys() >= {"cff-version", "message", "title", "authors"}
    assert citation.keys() <= texts | {
        "authors",
        "contact",
        "identifiers",
        "keywords",
        "preferred-citation",
        "references",
    }
    assert all(isinstance(citation[key], str) and citation[key] for key in texts & citation.keys())
    assert citation["cff-version"] == "1.2.0"
    assert citation.get("type", "software") in ("software", "dataset")
    person = {"given-names", "family-names", "name-particle", "name-suffix", "alias", "affiliation"}
    entity = {"name", "date-start", "date-end", "location"}
    both = {"address", "city", "country", "email", "fax", "orcid", "post-code", "region", "tel", "website"}
    assert citation["authors"]
    for author in citation["authors"]:
        assert author
        assert author.keys() <= (entity if "name" in author else person) | both
        assert all(isinstance(value, str) and value for value in author.values())
    keywords = citation.get("keywords", ["one"])
    assert keywords
    assert len(set(keywords)) == len(keywords)
    assert all(isinstance(keyword, str) and keyword for keyword in keywords)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
