"""A manifest's text as fields: YAML in which every scalar is a text.

Source: AWS Import/Export Developer Guide, "Working with Export Manifest Files". Ours is
that a field which occurs twice and an alias make a manifest malformed, and that a text
which no reply can carry is refused. A refusal names a line or a field and repeats no
value: in a manifest that is wrong, a password may stand anywhere.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from s3export.entrypoints.sandbox.importexport.exceptions import (
    ImportExportError,
    refused,
)
from s3export.entrypoints.sandbox.importexport.missing_blanks import with_blanks

NOT_IN_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no reply can carry (XML 1.0, "Char"); YAML can write it as an escape."""


def read(text: str) -> dict[str, Any]:
    """Read a manifest; its values are texts, lists and dictionaries of the like.

    Raises:
        ServiceException: MalformedManifest.
    """
    text = with_blanks(text.removeprefix("\ufeff"))
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _malformed(f": line {mark.line + 1}" if mark else "") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _malformed(f": line {line}") from error
    except (RecursionError, ValueError, OverflowError) as error:
        # nested too deeply, or with an escape beyond Unicode
        raise _malformed() from error
    if not isinstance(node, yaml.MappingNode):
        raise _malformed()
    value = _plain(node, set())
    assert isinstance(value, dict)  # a mapping node becomes a dictionary
    return value


def check_texts(
    fields: Mapping[str, Any], names: Sequence[str], code: str, where: str = ""
) -> None:
    """Refuse with the code a field that is there and is no single text.

    Args:
        where: The container's name and a dot.
    """
    for name in names:
        value = fields.get(name, "")
        if not isinstance(value, str):
            raise refused(code, f"{where}{name} is not a single text")
        if NOT_IN_XML.search(value):
            raise refused(code, f"{where}{name} has a character that XML cannot carry")


def check_given(
    fields: Mapping[str, Any], names: Sequence[str], code: str, where: str = ""
) -> None:
    """Refuse with the code a field that is not there, or empty."""
    for name in names:
        if not fields.get(name):
            raise refused(code, f"{where}{name} is missing")


def _malformed(detail: str = "") -> ImportExportError:
    return refused("MalformedManifest", f"Your manifest is not well-formed{detail}")


def _plain(node: yaml.Node, seen: set[int]) -> Any:
    if id(node) in seen:
        raise refused("MalformedManifest", "Your manifest uses an alias")
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        fields: dict[str, Any] = {}
        for key, value in node.value:
            name = str(key.value)
            if name in fields:
                line = key.start_mark.line + 1
                raise refused(
                    "MalformedManifest", f"the field in line {line} occurs twice"
                )
            fields[name] = _plain(value, seen)
        return fields
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item, seen) for item in node.value]
    return node.value
