"""Check the fields of any section by their rows in the table."""

import difflib
import re
from collections.abc import Collection, Iterator, Sequence

from s3export.domain.manifests import rules
from s3export.domain.manifests.fields import IMPORT_ONLY, SECTIONS, TOP, Field, Kind
from s3export.domain.manifests.findings import Section
from s3export.domain.manifests.nodes import Fields, Items, Node, Scalar, is_empty

_MOST_GUESSES = 200
"""After so many problems nobody is helped by guesses, which take time."""

_MISSING = {"customs": rules.CUSTOMS_MISSING}
_WRONG = {"returnAddress": rules.ADDRESS, "customs": rules.CUSTOMS}

_PLACEHOLDER = re.compile(
    r"\[.*\]?|\*\*.*|.*\*\*\*|.*@[A-Z][A-Z0-9_]*@.*|<[^<>]*>", re.DOTALL
)
_NUMBER = re.compile(r"\d+(\.\d+)?")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}")
_NOT_IN_XML = re.compile(r"[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no answer of AWS could repeat (XML 1.0, "Char")."""


def check_fields(section: Section, table: Sequence[Field]) -> None:
    """Check every field of a section by its row in the table, and every name."""
    flat = _flattened(section) if table is TOP else frozenset()
    meant = {
        name
        for key, value in section.fields.fields
        if key.text not in flat
        for name in _check_name(section, key, value, table)
    }
    kind = section.path.partition("[")[0]
    missing = _MISSING.get(kind, rules.MISSING)
    wrong = _WRONG.get(kind, rules.INVALID)
    for row in table:
        node = section.node(row.name)
        if node is None:
            if row.required and row.name not in meant:
                section.note(missing, row.name, "is missing", _to_write(row))
        elif row.kind in (Kind.LIST, Kind.SECTION):
            _check_structure(section, row, node, flat)
        elif not isinstance(node, Scalar):
            _report_no_text(section, row, node, wrong)
        elif not node.text:
            if row.required:
                section.note(missing, row.name, "is empty", _to_write(row))
        else:
            _check_text(section, row, node, wrong)


def _check_text(section: Section, row: Field, node: Scalar, wrong: rules.Rule) -> None:
    meant = row.kind is Kind.SECRET and not node.plain  # in quotes, it is the secret
    if not meant and _PLACEHOLDER.fullmatch(node.text):
        section.note(
            rules.PLACEHOLDER, row.name, "is still the template's", _to_write(row)
        )
        return
    if _NOT_IN_XML.search(node.text):
        section.note(wrong, row.name, "has a character that cannot be sent to AWS")
    quoted = section.findings.quoted(node.text)
    if row.kind is Kind.YES_NO and node.text.lower() not in ("yes", "no"):
        section.note(wrong, row.name, f"is {quoted}", "write yes or no")
    elif row.name == "deviceValue" and not _NUMBER.fullmatch(node.text):
        section.note(wrong, row.name, f"is {quoted}", "write dollars, such as 250.00")
    elif row.values and node.text not in row.values:
        rule = rules.FILE_SYSTEM if row.name == "fileSystem" else wrong
        section.note(rule, row.name, f"is {quoted}", _nearest(node.text, row.values))


def _check_structure(
    section: Section, row: Field, node: Node, flat: Collection[str]
) -> None:
    if row.kind is Kind.SECTION and isinstance(node, Fields) and node.fields:
        return
    if row.kind is Kind.LIST and isinstance(node, Items) and node.items:
        return
    empty = is_empty(node)
    if empty and not row.required:
        return
    rule = rules.MISSING if empty else _WRONG.get(row.name, rules.INVALID)
    if empty:
        advice = _to_write(row)
        if flat and row.name != "operations":
            advice = f"indent its fields: {', '.join(sorted(flat))}"
        section.note(rule, row.name, "is empty", advice)
    elif not isinstance(node, Scalar) and node.bracketed:
        section.note(rules.PLACEHOLDER, row.name, "is still the template's")
    elif row.kind is Kind.LIST:
        section.note(
            rule, row.name, "is not a list", "begin each operation with a dash"
        )
    else:
        section.note(rule, row.name, "is not a section of fields", _to_write(row))


def _report_no_text(
    section: Section, row: Field, node: Node, wrong: rules.Rule
) -> None:
    if not isinstance(node, Scalar) and node.bracketed:
        advice = _to_write(row)
        if row.kind is Kind.SECRET:
            advice = (
                "write the password in its place, in quotes if it begins with [ or {"
            )
        section.note(rules.PLACEHOLDER, row.name, "is still the template's", advice)
        return
    what = "a list" if isinstance(node, Items) else "a section"
    if row.name == "fileSystem":
        wrong = rules.FILE_SYSTEM
    section.note(wrong, row.name, f"is {what}, where one value belongs")


def _check_name(
    section: Section, key: Scalar, value: Node, table: Sequence[Field]
) -> Iterator[str]:
    """Report a name that does not belong here; yield the one that was meant."""
    names = [row.name for row in table]
    if key.text in names:
        return
    note = section.findings.note
    if not _NAME.fullmatch(key.text) or key.text in section.findings.secrets:
        note(rules.UNKNOWN, key, section.at("…"), "is no field of an export manifest")
        return
    path = section.at(key.text)
    homes = [
        home
        for home, rows in SECTIONS.items()
        if any(row.name == key.text for row in rows)
    ]
    near = ""
    if len(section.findings.problems) < _MOST_GUESSES:
        absent = [row for row in table if section.node(row.name) is None]
        near = _near(key.text, [row.name for row in absent if row.required])
        near = near or _near(key.text, [row.name for row in absent])
        near = near or _near(key.text, names)
    if homes:
        where = " or ".join(home or "the top level" for home in homes)
        note(rules.MISPLACED, key, path, "does not belong here", f"it goes to {where}")
    elif key.text in IMPORT_ONLY:
        message = "is a field of import manifests"
        note(rules.IMPORT_ONLY, key, path, message, IMPORT_ONLY[key.text])
    elif near:
        message = "is not a field of an export manifest"
        note(rules.MISSPELT, key, path, message, rules.nearly(near))
        yield near
    else:
        message = "is a field that AWS's documentation does not name"
        note(rules.UNKNOWN, key, path, message, "AWS may refuse or ignore it")


def _near(name: str, names: Sequence[str]) -> str:
    lower = {known.lower(): known for known in names}
    found = difflib.get_close_matches(name.lower(), lower, n=1, cutoff=0.75)
    return lower[found[0]] if found else ""


def _nearest(text: str, values: Sequence[str]) -> str:
    near = _near(text, values)
    if near:
        return f"did you mean {near}?"
    return f"write {', '.join(values[:-1])} or {values[-1]}"


def _to_write(row: Field) -> str:
    if row.values:
        return f"write {', '.join(row.values[:-1])} or {row.values[-1]}"
    if row.kind is Kind.SECTION:
        names = [field.name for field in SECTIONS.get(row.name, ()) if field.required]
        return f"its fields are {', '.join(names)}" if names else ""
    return f"such as {row.example}" if row.example else ""


def _flattened(top: Section) -> frozenset[str]:
    """Return fields of sections that stand beside their empty section, unindented."""
    found: set[str] = set()
    own = {row.name for row in TOP}
    for name in ("returnAddress", "customs"):
        node = top.node(name)
        if isinstance(node, Scalar) and not node.text:
            found |= {row.name for row in SECTIONS[name]} - own
    return frozenset(key.text for key, _ in top.fields.fields if key.text in found)


def section_of(top: Section, name: str) -> Iterator[Section]:
    """Yield the section of a name, if it is one that has fields."""
    node = top.node(name)
    if isinstance(node, Fields) and node.fields:
        yield Section(node, name, top.findings)


def items_of(top: Section, name: str) -> Iterator[Section]:
    """Yield the items of a list that are sections; report the others."""
    node = top.node(name)
    for number, item in enumerate(node.items if isinstance(node, Items) else ()):
        path = f"{name}[{number}]"
        if isinstance(item, Fields):
            yield Section(item, path, top.findings)
        elif not (isinstance(node, Items) and node.bracketed):
            message, advice = "is not an operation", "write - exportBucket: NAME"
            top.findings.note(rules.MISSING, item, path, message, advice)
