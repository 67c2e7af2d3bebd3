"""Manifests as YAML text: nodes with positions, every scalar as it was written.

PyYAML composes a tree of nodes before it constructs Python values; the tree has the
text and the place of every scalar, so ``no`` stays ``no`` and ``0123`` stays ``0123``.
"""

import re
from pathlib import Path
from typing import NoReturn

import yaml

from s3export.domain.errors import FileRefused, ManifestRejected, Problem
from s3export.domain.manifests import Fields, Items, Manifest, Node, Scalar, parse
from s3export.domain.ports import ManifestReader

_QUOTED = re.compile(r"(?P<mark>['\"])(?!<).{2,}(?P=mark)")
"""PyYAML's messages quote the text, which may be the password; tokens such as
``'<block end>'`` are its own words."""

LARGEST_MANIFEST_BYTES = 1 << 20
"""No manifest comes near; a disk image given by mistake does not fill the memory."""


class YamlManifests(ManifestReader):
    """Reads manifests from files."""

    def read(self, path: str) -> Manifest:
        """Read and check the manifest at a path."""
        raw = self._load(path)
        if len(raw) > LARGEST_MANIFEST_BYTES:
            raise FileRefused(
                f"{path} is larger than {LARGEST_MANIFEST_BYTES:,} bytes: "
                "is it a manifest?"
            )
        try:
            text = raw.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            problem = Problem(line, 0, "", "the text is not UTF-8", "save it as UTF-8")
            raise ManifestRejected(path, (problem,)) from error
        return self.parse(text, path)

    def parse(self, text: str, name: str) -> Manifest:
        """Check a manifest given as text."""
        if not text.strip():
            problem = Problem(0, 0, "", "the manifest is empty")
            raise ManifestRejected(name, (problem,))
        return parse(name, text, nodes(name, text))

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
        except OSError as error:
            raise FileRefused(f"{path}: {error.strerror}") from error


def nodes(name: str, text: str) -> Node:
    """Compose YAML text into nodes.

    Raises:
        ManifestRejected: The text is not YAML, holds more than one document, an alias,
            or a key twice in one mapping.
    """
    try:
        return _NodeReader(name).convert(_compose(text))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        what = " ".join(part for part in (error.context, error.problem) if part)
        what = _QUOTED.sub("what stands there", what)
        problem = Problem(line, column, "", f"not YAML: {what}", _advice(text, line))
        raise ManifestRejected(name, (problem,)) from None  # its text quotes, too
    except (ValueError, OverflowError):  # PyYAML passes any number on to chr()
        problem = Problem(0, 0, "", "not YAML: an escape names no character")
        raise ManifestRejected(name, (problem,)) from None
    except yaml.YAMLError as error:  # the reader's: a character that YAML forbids
        problem = Problem(0, 0, "", f"not YAML: {error}".splitlines()[0])
        raise ManifestRejected(name, (problem,)) from error
    except RecursionError as error:
        problem = Problem(0, 0, "", "nested too deeply")
        raise ManifestRejected(name, (problem,)) from error


def _compose(text: str) -> yaml.Node:
    node = yaml.compose(text, Loader=yaml.BaseLoader)
    if node is None:
        raise yaml.MarkedYAMLError(problem="there is nothing but comments")
    return node


def _advice(text: str, line: int) -> str:
    """Say what is often meant; PyYAML may notice a mistake one line after it."""
    lines = text.splitlines()
    for written in lines[max(0, line - 2) : line]:
        if written.lstrip(" ").startswith("\t"):
            return "indent with blanks, not with a TAB"
        name, colon, value = written.partition(":")
        if colon and value and not value[0].isspace():
            return f"put a blank after {name.strip(' -')}:"
    return ""


class _NodeReader:
    def __init__(self, name: str) -> None:
        self._name = name
        self._seen: set[int] = set()

    def convert(self, node: yaml.Node) -> Node:
        line, column = node.start_mark.line + 1, node.start_mark.column + 1
        if id(node) in self._seen:
            self._refuse(line, column, "aliases (*name) are not used in manifests")
        self._seen.add(id(node))
        if isinstance(node, yaml.ScalarNode):
            return Scalar(node.value, line, column)
        if isinstance(node, yaml.SequenceNode):
            return Items(tuple(self.convert(item) for item in node.value), line, column)
        assert isinstance(node, yaml.MappingNode)  # YAML has three kinds of node
        fields: dict[str, tuple[Scalar, Node]] = {}
        for key_node, value_node in node.value:
            key = self.convert(key_node)
            if not isinstance(key, Scalar):
                self._refuse(key.line, key.column, "a field's name is not text")
            if key.text in fields:
                first = fields[key.text][0].line
                self._refuse(
                    key.line, key.column, f"{key.text} stands in line {first} already"
                )
            fields[key.text] = (key, self.convert(value_node))
        return Fields(tuple(fields.values()), line, column)

    def _refuse(self, line: int, column: int, message: str) -> NoReturn:
        raise ManifestRejected(self._name, (Problem(line, column, "", message),))
