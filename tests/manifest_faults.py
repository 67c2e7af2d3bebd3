"""Ways to spoil a manifest that is written by us, a line for each field."""

import re
from collections.abc import Sequence

from s3export.domain.manifests.fields import SECTIONS

KINDS = (
    "missing",
    "empty",
    "misspelt",
    "placeholder",
    "template",
    "list",
    "twice",
    "import",
)


def lines_of(text: str) -> list[str]:
    """Return a manifest's lines, comments left out."""
    return [
        line
        for line in text.splitlines()
        if line.strip() and not line.lstrip().startswith("#")
    ]


def one_line_fields(lines: Sequence[str]) -> list[tuple[int, str, str]]:
    """Return number, section and name of every field of a single value."""
    section, found = "", []
    for number, line in enumerate(lines):
        match = re.fullmatch(r"( *(?:- )?)(\w+):(.*)", line)
        if match is None:
            continue
        if not match[1]:
            section = "" if match[3] else match[2]
        if match[3] and section in SECTIONS:
            found.append((number, section, match[2]))
    return found


def spoilt(lines: list[str], number: int, name: str, kind: str) -> list[str] | None:
    """Return the lines with one fault; ``None`` where this kind cannot be."""
    line = lines[number]
    before, after = lines[:number], lines[number + 1 :]
    start, _, value = line.partition(":")
    indent = start[: len(start) - len(name)]
    deeper = " " * len(indent)
    match kind:
        case "missing":
            return None if "-" in indent else [*before, *after]
        case "empty":
            return [*before, f"{start}:", *after]
        case "misspelt":
            return [*before, f"{indent}{name[:-1]}:{value}", *after]
        case "placeholder":
            return [*before, f"{start}: [fill in]", *after]
        case "template":
            return [*before, f"{start}: ***{name}***", *after]
        case "list":
            return [*before, f"{start}:", f"{deeper}  - a", f"{deeper}  - b", *after]
        case "twice":
            return [*before, line, f"{deeper}{line[len(indent) :]}", *after]
        case "import":
            return [*before, line, f"{deeper}eraseDevice: yes", *after]
        case _:
            raise AssertionError(kind)
