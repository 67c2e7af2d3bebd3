"""A manifest that was read, and all that is to be said about it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from s3export.domain.errors import ManifestRejected, Problem, Severity
from s3export.domain.manifests import rules
from s3export.domain.manifests.model import Manifest
from s3export.domain.manifests.nodes import Fields, Items, Node

SELECTION = ("operations", "targetDirectory", "recoveryDirectory", "substitutions")
"""What says which objects are exported, and where they go."""


@dataclass(frozen=True)
class CheckedManifest:
    """A manifest that was read, and all that is to be said about it.

    Attributes:
        name: What the operator calls it (a path); for messages.
        root: Its nodes; ``None`` if it is not YAML.
        manifest: What it says, as far as it can be read; ``None`` if it names no
            operation that can be carried out.
        problems: In the order of the text.

    """

    name: str
    root: Node | None = field(repr=False)
    manifest: Manifest | None
    problems: tuple[Problem, ...]

    @property
    def valid(self) -> bool:
        """Whether there is no error."""
        return not any(p.severity is Severity.ERROR for p in self.problems)

    @property
    def remarks(self) -> tuple[Problem, ...]:
        """Warnings and hints."""
        return tuple(p for p in self.problems if p.severity is not Severity.ERROR)

    def accepted(self) -> Manifest:
        """Return the manifest, to create a job from.

        Raises:
            ManifestRejected: There is an error; with every problem.

        """
        if self.manifest is None or not self.valid:
            raise ManifestRejected(self.name, self.problems)
        return self.manifest

    def selection(self) -> Manifest:
        """Return the manifest, for what it selects and where that goes.

        What only creating a job needs (an address, customs) may be wrong or missing.

        Raises:
            ManifestRejected: With the problems that are in the way.

        """
        in_the_way = tuple(
            problem
            for problem in self.problems
            if re.split(r"[.\[]", problem.field)[0] in ("", *SELECTION)
        )
        wrong = any(p.severity is Severity.ERROR for p in in_the_way)
        if self.manifest is None or wrong:
            raise ManifestRejected(self.name, in_the_way or self.problems)
        return self.manifest

    def without(self, ignored: Collection[str]) -> "CheckedManifest":
        """Return the same without the warnings and hints of some rules.

        Raises:
            InputRefused: A rule is unknown, or one that costs the job.

        """
        ignored = rules.checked_names(ignored)
        kept = tuple(
            problem
            for problem in self.problems
            if problem.severity is Severity.ERROR or problem.rule not in ignored
        )
        return replace(self, problems=kept)

    def with_problems(self, more: Iterable[Problem]) -> "CheckedManifest":
        """Return the same with more problems."""
        return replace(self, problems=tuple(sorted((*self.problems, *more))))

    def problem(
        self, rule: rules.Rule, path: str, message: str, advice: str = ""
    ) -> Problem:
        """Return a problem with a field, at its place in the text."""
        line, column = self._place(path)
        return Problem(line, column, path, message, advice, rule.name, rule.severity)

    def _place(self, path: str) -> tuple[int, int]:
        node = self.root
        for step in re.findall(r"[^.\[\]]+", path):
            if isinstance(node, Items) and step.isdecimal():
                node = node.items[int(step)]
            elif isinstance(node, Fields):
                node = dict((k.text, v) for k, v in node.fields).get(step)
        return (node.line, node.column) if node else (0, 0)
