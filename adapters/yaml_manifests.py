"""Manifests as YAML text: nodes with positions, every scalar as it was written.

PyYAML composes a tree of nodes before it constructs Python values; the tree has the
text and the place of every scalar, so ``no`` stays ``no`` and ``0123`` stays ``0123``.
What AWS's own template and those who fill it in write, and YAML forbids, is read, too,
so that all problems are found at once: ``key:value`` without a blank, placeholders such
as ``***name***``, ``@NAME@`` and ``[one|other`` without an end.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from s3export.adapters.yaml_faults import LINE_END, fault_in
from s3export.domain.errors import FileRefused, ManifestRejected, Problem
from s3export.domain.jobs import ManifestText
from s3export.domain.manifests import rules
from s3export.domain.manifests.checked import CheckedManifest
from s3export.domain.manifests.checking import check
from s3export.domain.manifests.fields import IMPORT_ONLY, NAMES
from s3export.domain.manifests.nodes import Fields, Items, Node, Scalar
from s3export.domain.ports import ManifestReader

_DEEPEST = 20  # brackets in brackets; manifests need three

_IN_QUOTES = "put a value that begins with a sign in quotes"
_SIGNS = (
    "anchors, aliases and tags (&name, *name, !name) have no place in manifests",
    _IN_QUOTES,  # which of them it is may be a character of a password
)

LARGEST_MANIFEST_BYTES = 1 << 18
"""No manifest comes near; a disk image given by mistake does not fill the memory."""

_STANDARD_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "map", "seq"))


class YamlManifests(ManifestReader):
    """Reads manifests from files."""

    def read(self, path: str) -> CheckedManifest:
        """Read and check the manifest at a path."""
        raw = self._load(path)
        if len(raw) > LARGEST_MANIFEST_BYTES:
            raise FileRefused(
                f"{path} is larger than {LARGEST_MANIFEST_BYTES:,} bytes: "
                "is it a manifest?",
                next_step="name a YAML file; s3export new-manifest writes one",
            )
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            return _unreadable(path, line, 0, "the text is not UTF-8", "save it so")
        return self.parse(text, path)

    def parse(self, text: str, name: str) -> CheckedManifest:
        """Check a manifest given as text."""
        if not text.removeprefix("\ufeff").strip():
            return _unreadable(name, 0, 0, "the manifest is empty")
        if text.removeprefix("\ufeff").lstrip().startswith("{"):
            advice = "AWS takes YAML, a line for each field"
            return _unreadable(name, 1, 1, "the manifest is JSON", advice)
        try:
            root, found = nodes(name, text)
        except ManifestRejected as rejected:
            return CheckedManifest(name, None, None, rejected.problems)
        return check(name, ManifestText(text), root, found)

    def _load(self, path: str) -> bytes:
        try:
            with Path(path).open("rb") as file:
                return file.read(LARGEST_MANIFEST_BYTES + 1)
        except FileNotFoundError:
            raise FileRefused(
                f"{path}: there is no such file",
                next_step="give the path of a manifest (YAML)",
            ) from None
        except IsADirectoryError:
            raise FileRefused(f"{path} is a directory, not a manifest") from None
        except (OSError, ValueError) as error:  # ValueError: a NUL in the path
            reason = getattr(error, "strerror", None) or error
            raise FileRefused(f"{path}: {reason}") from error


def _unreadable(
    name: str, line: int, column: int, message: str, advice: str = ""
) -> CheckedManifest:
    return CheckedManifest(
        name, None, None, (_malformed(line, column, message, advice),)
    )


def _malformed(line: int, column: int, message: str, advice: str = "") -> Problem:
    return Problem(line, column, "", message, advice, rules.MALFORMED.name)


def nodes(name: str, text: str) -> tuple[Node, list[Problem]]:
    """Compose YAML text into nodes.

    Returns:
        The root, and what is wrong with the text but can be read all the same.

    Raises:
        ManifestRejected: The text is not YAML, or holds more than one document, an
            anchor or an alias.
    """
    try:
        return _compose(text.removeprefix("\ufeff"))
    except _Anchor as error:
        line, column = error.mark.line + 1, error.mark.column + 1
        problem = Problem(line, column, "", *_SIGNS, rules.SIGN.name)
    except yaml.MarkedYAMLError as error:
        fault = fault_in(text.removeprefix("\ufeff"), error)
        problem = _malformed(
            fault.line, fault.column, f"not YAML: {fault.message}", fault.advice
        )
    except (ValueError, OverflowError):  # PyYAML passes any number on to chr()
        problem = _malformed(0, 0, "not YAML: an escape names no character")
    except yaml.YAMLError as error:  # the reader's: a character that YAML forbids
        position = getattr(error, "position", 0)
        lines = LINE_END.split(text.removeprefix("\ufeff")[: position + 1])
        message = "not YAML: a character that no text has, such as a control character"
        problem = _malformed(len(lines), len(lines[-1]), message, "remove it")
    except RecursionError:
        problem = _malformed(0, 0, "nested too deeply")
    raise ManifestRejected(name, (problem,))  # not chained: PyYAML's texts quote


class _Loader(yaml.BaseLoader):
    """Composes text in the forms that manifests come in.

    Attributes:
        glued: Where keys stand that no blank follows after the colon.
    """

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.glued: list[yaml.Mark] = []
        self._end_of_glued = -1

    # --- ``key:value``, for fields that manifests have

    def scan_plain(self) -> yaml.ScalarToken:
        """End a known key at its colon, whatever follows that."""
        found = _GLUED.match(self.prefix(_LONGEST_NAME + 2))
        key = self.possible_simple_keys.get(self.flow_level)
        if not found or self.flow_level or not key or key.index != self.index:
            return super().scan_plain()
        start = self.get_mark()
        self.forward(len(found[1]))
        self._end_of_glued = self.index
        self.glued.append(start)
        return yaml.ScalarToken(found[1], True, start, self.get_mark())

    def check_value(self) -> bool:
        """Let the colon after such a key be one."""
        return self.index == self._end_of_glued or bool(super().check_value())

    # --- placeholders

    def check_plain(self) -> bool:
        """Let ``@NAME@`` be text."""
        return (self.peek() == "@" and self._at_value()) or bool(super().check_plain())

    def fetch_alias(self) -> None:
        """Let ``***name***`` be text."""
        if self.peek(1) == "*" and self._at_value():
            self.fetch_plain()
        else:
            super().fetch_alias()

    def fetch_flow_sequence_start(self) -> None:
        """Let a bracket be text whose line neither ends nor goes on as a list."""
        if self._at_value() and _UNENDED.fullmatch(self._rest_of_line()):
            self.fetch_plain()
        else:
            super().fetch_flow_sequence_start()

    def _at_value(self) -> bool:
        """Say whether what comes is a field's value, on the line of its name."""
        return not self.flow_level and not self.allow_simple_key

    def _rest_of_line(self) -> str:
        length = 0
        while self.peek(length) not in "\0\r\n\x85\u2028\u2029":
            length += 1
        rest: str = self.prefix(length)
        return re.split(r"\s#", rest)[0].strip()

    # --- what manifests do not have

    def fetch_flow_collection_start(self, token: Any) -> None:
        """Refuse brackets in brackets in brackets, which take PyYAML a long time."""
        if self.flow_level >= _DEEPEST:
            raise yaml.MarkedYAMLError(
                problem="brackets are nested too deeply", problem_mark=self.get_mark()
            )
        super().fetch_flow_collection_start(token)

    def get_event(self) -> Any:
        """Refuse anchors and aliases: text would vanish, or multiply."""
        event = super().get_event()  # type: ignore[no-untyped-call]
        if getattr(event, "anchor", None) is not None:
            raise _Anchor(event.start_mark)
        return event


class _Anchor(Exception):
    """An anchor or an alias, and where it stands."""

    def __init__(self, mark: yaml.Mark) -> None:
        super().__init__(mark.line)
        self.mark = mark


_KNOWN = sorted(NAMES | IMPORT_ONLY.keys())
_LONGEST_NAME = max(map(len, _KNOWN))
_GLUED = re.compile(rf"({'|'.join(_KNOWN)}):[^\s\0]")
_UNENDED = re.compile(r"\[[^\]{},]*[^\]{},\[]|\[.*\][^\]{},]*[^\]{},\s]")


def _compose(text: str) -> tuple[Node, list[Problem]]:
    loader = _Loader(text)
    try:
        composed = loader.get_single_node()
    finally:
        loader.dispose()
    if composed is None:
        raise yaml.MarkedYAMLError(problem="there is nothing but comments")
    reader = _NodeReader()
    root = reader.convert(composed)
    if loader.glued:
        first, many = loader.glued[0], len(loader.glued)
        reader.note(
            rules.NO_BLANK,
            (first.line + 1, first.column + 1),
            "there is no blank after the colon"
            + (f", nor in {many - 1} more lines" if many > 1 else ""),
            "AWS's template is written so; other programs may not read it",
        )
    return root, reader.found


class _NodeReader:
    """Turns PyYAML's nodes into those of the domain."""

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def note(
        self, rule: rules.Rule, place: tuple[int, int], message: str, advice: str
    ) -> None:
        self.found.append(
            Problem(*place, "", message, advice, rule.name, rule.severity)
        )

    def convert(self, node: yaml.Node) -> Node:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if node.tag not in _STANDARD_TAGS:
            self.note(rules.SIGN, (line, column), *_SIGNS)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, line, column)
        if isinstance(node, yaml.SequenceNode):
            items = tuple(self.convert(item) for item in node.value)
            return Items(items, line, column, bracketed=bool(node.flow_style))
        assert isinstance(node, yaml.MappingNode)  # YAML has three kinds of node
        fields: dict[str, tuple[Scalar, Node]] = {}
        for key_node, value_node in node.value:
            key, value = self.convert(key_node), self.convert(value_node)
            if not isinstance(key, Scalar):
                place = (key.line, key.column)
                self.note(rules.MALFORMED, place, "a field's name is not text", "")
            elif key.text in fields:
                first = fields[key.text][0].line
                message = f"the field stands in line {first} already"
                place = (key.line, key.column)
                self.note(rules.REPEATED, place, message, "keep one of them")
            else:
                fields[key.text] = (key, value)
        bracketed = bool(node.flow_style)
        return Fields(tuple(fields.values()), line, column, bracketed)

    def _scalar(self, node: yaml.ScalarNode, line: int, column: int) -> Scalar:
        plain = node.style is None
        if plain and node.value.startswith("@") and node.value.count("@") < 2:
            self.note(rules.MALFORMED, (line, column), "not YAML", _IN_QUOTES)
        return Scalar(node.value, line, column, plain, _guessed(node) if plain else "")


def _guessed(node: yaml.ScalarNode) -> str:
    """Return what a parser that guesses types makes of a text, if not the same."""
    guesser = yaml.SafeLoader("")
    tag = guesser.resolve(  # type: ignore[no-untyped-call]
        yaml.ScalarNode, node.value, (True, False)
    )
    if tag == "tag:yaml.org,2002:str":
        return ""
    try:
        value = guesser.construct_object(yaml.ScalarNode(tag, node.value))
    except (ValueError, OverflowError, yaml.YAMLError):
        return "no value at all"
    return "" if str(value) == node.value else str(value)
