"""The table of keys in `docs/study-file.md`, from the schema: `python docs/keys.py` writes it there."""

from collections.abc import Iterator
from pathlib import Path

from study.config import Study
from study.distributions import Input
from study.quantity import Quantity
from study.reading import Section, annotations, section_of

PAGE = Path(__file__).with_name("study-file.md")
MARK = "<!-- written by docs/keys.py -->\n"


def rows(model: type[Section], prefix: str = "") -> Iterator[str]:
    """One line of the table for each number that a study can give."""
    for name, field in model.model_fields.items():
        parts = annotations(field)
        section = section_of(parts)
        quantity = next((part for part in parts if isinstance(part, Quantity)), None)
        if name == "correlations":
            continue  # not a number of its own
        if section:
            many = ".N" if name in ("layers", "sections") else ""
            yield from rows(section, f"{prefix}{name}{many}.")
        elif quantity:
            default = "" if field.is_required() or field.default is None else field.default
            kind = "yes" if Input in parts else ""
            cells = (f"`{prefix}{name}`", quantity.unit, quantity.range, default, kind, quantity.description)
            yield f"| {' | '.join(map(str, cells))} |"


def page() -> str:
    """The whole page, with the table renewed."""
    head = PAGE.read_text().split(MARK)[0]
    title = "| key | unit | range | default | may be a distribution | meaning |\n|---|---|---|---|---|---|\n"
    return head + MARK + title + "\n".join(rows(Study)) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
