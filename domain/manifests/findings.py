"""Notes what is wrong with a manifest, each thing once, without giving secrets away."""

import re
from dataclasses import dataclass, field

from s3export.domain.errors import Problem, Severity
from s3export.domain.manifests.fields import NAMES, SECRETS
from s3export.domain.manifests.nodes import Fields, Items, Node, Scalar
from s3export.domain.manifests.rules import Rule

_OF_SECRETS = re.compile("password|pincode|truecrypt", re.IGNORECASE)
_LONGEST_QUOTE = 60  # characters of a value that a message repeats


@dataclass
class Findings:
    """Collects problems.

    Attributes:
        secrets: Values that no message repeats, wherever they stand.
        wrong: The paths of fields that there is an error about.

    """

    secrets: frozenset[str] = frozenset()
    problems: list[Problem] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)

    def note(
        self, rule: Rule, place: Node | None, path: str, message: str, advice: str = ""
    ) -> None:
        """Note one thing.

        Args:
            place: Where it stands; ``None`` if no line can be named.
            path: Of the field, such as ``operations[0].prefix``.

        """
        line, column = (place.line, place.column) if place else (0, 0)
        if rule.severity is Severity.ERROR:
            self.wrong.add(path)
        self.problems.append(
            Problem(line, column, path, message, advice, rule.name, rule.severity)
        )

    def quoted(self, value: str) -> str:
        """Return a value for a message, or what to call it if it may be secret.

        Where no password or PIN is where it belongs, any value may be one.
        """
        if not self.secrets or _OF_SECRETS.search(value):
            return "another value"
        if any(secret in value for secret in self.secrets):
            return "another value"
        if len(value) > _LONGEST_QUOTE:
            value = f"{value[:_LONGEST_QUOTE]}…"
        return repr(value)


def secrets_of(root: Node) -> frozenset[str]:
    """Return every text that may be a password or a PIN.

    What stands below such a field, and what follows one that is empty: whoever
    forgets to indent a value, or to quote one with a colon, makes a field of it.
    """
    found: set[str] = set()
    below: list[tuple[Node, bool]] = [(root, False)]
    while below:
        node, secret = below.pop()
        if isinstance(node, Scalar):
            found |= {node.text} if secret and node.text else set()
        elif isinstance(node, Items):
            below += [(item, secret) for item in node.items]
        else:
            follows = False
            for key, value in node.fields:
                if secret or (follows and key.text not in NAMES):
                    found.add(key.text)
                below.append((value, secret or key.text in SECRETS))
                empty = isinstance(value, Scalar) and not value.text
                follows = key.text in SECRETS and empty
    return frozenset(found)


@dataclass(frozen=True)
class Section:
    """One mapping of the manifest, while it is read.

    Attributes:
        path: Its own, such as ``operations[0]``; empty for the top level.

    """

    fields: Fields
    path: str
    findings: Findings

    def node(self, name: str) -> Node | None:
        """Return what stands in a field, or ``None`` if there is no such field."""
        for key, value in self.fields.fields:
            if key.text == name:
                return value
        return None

    def at(self, name: str) -> str:
        """Return a field's path."""
        return ".".join(part for part in (self.path, name) if part)

    def note(self, rule: Rule, name: str, message: str, advice: str = "") -> None:
        """Note something about a field; about the section where the field is absent."""
        place = self.node(name) or self.fields
        self.findings.note(rule, place, self.at(name), message, advice)

    def text(self, name: str) -> str:
        """Return a field's text; empty if it is absent or no text."""
        node = self.node(name)
        return node.text if isinstance(node, Scalar) else ""
