"""Reads the documentation: its blocks of code, its links and its anchors."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

PAGES = tuple(
    sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda p: p.parts)
)
"""Every page."""

_FENCE = re.compile(r"^(`{3,})(\w*)\n(.*?)^\1\n", re.MULTILINE | re.DOTALL)
_INDENTED = re.compile(r"(?:^ {4}.*\n|^\n)+", re.MULTILINE)
_LINK = re.compile(r"(?<!!)\[[^]\n]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#{1,6} (.+?)\s*$", re.MULTILINE)
_SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block of code; ``language`` is empty for none."""

    page: Path
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.name}: {self.text.splitlines()[0]}"


def name_of(page: Path) -> str:
    """Return a page's name for people."""
    return str(page.relative_to(ROOT))


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    for _, language, text in _FENCE.findall(page.read_text()):
        yield Block(page, language, text)


def prose(page: Path) -> str:
    """Return a page without its fenced blocks."""
    return _FENCE.sub("\n", page.read_text())


def links(page: Path) -> Iterator[str]:
    """Yield where a page links to."""
    yield from _LINK.findall(_SPAN.sub("", prose(page)))


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    made: set[str] = set()
    for heading in _HEADING.findall(prose(page)):
        text = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number, anchor = 0, text
        while anchor in made:
            number += 1
            anchor = f"{text}-{number}"
        made.add(anchor)
    return made


def command_lines(page: Path) -> Iterator[str]:
    """Yield what a page writes as calls of the program, in spans and in blocks."""
    for span in _SPAN.findall(prose(page)):
        if span.startswith("s3export "):
            yield span
    texts = [block.text for block in blocks(page) if block.language != "python"]
    texts += _INDENTED.findall(prose(page))
    for line in "\n".join(texts).splitlines():
        found = re.match(r"\s*(?:[$#] )?(s3export .*)", line)
        if found:
            yield found[1]
