"""What a person sees: lines, warnings, questions, tables; and JSON for scripts."""

import json
import shlex
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TextIO

from s3export.domain.errors import (
    ConfirmationMissing,
    FileRefused,
    ManifestRejected,
    Problem,
    S3ExportError,
    SettingsRejected,
    Severity,
)
from s3export.domain.secret import Secret

if TYPE_CHECKING:
    from s3export.domain.ports import Progress

_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")  # control, format, surrogate, separators


def harmless(text: str) -> str:
    """Return text from a disk or a server with nothing in it that moves the cursor."""
    return "".join(
        character.encode("unicode_escape").decode()
        if unicodedata.category(character) in _INVISIBLE
        else character
        for character in text
    )


@dataclass(frozen=True)
class Terminal:
    """Where output goes, and how much of it is wanted.

    Attributes:
        as_json: One document on standard output, everything else on standard error.
    """

    out: TextIO
    err: TextIO
    source: TextIO
    quiet: bool = False
    quiet_warnings: bool = False
    non_interactive: bool = False
    as_json: bool = False

    def result(self, lines: Iterable[str], document: Any) -> None:
        """Show a command's result: the lines, or the document."""
        if self.as_json:
            self._write(self.out, json.dumps(document, indent=2))
            return
        for line in lines:
            self._write(self.out, line)

    def tell(self, line: str) -> None:
        """Show an informational line."""
        if not self.quiet:
            self._write(self.err if self.as_json else self.out, line)

    def advise(self, line: str) -> None:
        """Show what a result leads to, apart from it."""
        if line and not self.quiet:
            self._write(self.err, f"  {harmless(line)}")

    def warn(self, text: str) -> None:
        """Show a warning."""
        if text and not self.quiet_warnings:
            self._write(self.err, f"warning: {harmless(text)}")

    def fail(self, error: S3ExportError) -> None:
        """Show an error: what, where, and the next step."""
        several = error.problems if isinstance(error, SettingsRejected) else ()
        for line in several or (error.message,):
            self._write(self.err, f"s3export: {harmless(line)}")
        if isinstance(error, ManifestRejected):
            for problem in error.problems:
                self._fail_with(problem)
        if error.next_step:
            self._write(self.err, f"  next: {harmless(error.next_step)}")

    def _fail_with(self, problem: Problem) -> None:
        if problem.severity is Severity.ERROR:
            self._write(self.err, f"  {harmless(str(problem))}")
        elif not self.quiet_warnings:
            told = f"{problem.severity}: {problem} [{problem.rule}]"
            self._write(self.err, f"  {harmless(told)}")

    def confirm(self, question: str, expected: str, given: str | None) -> None:
        """Have a destructive step confirmed by typing a name.

        Raises:
            ConfirmationMissing: It was not, or nobody can be asked.
        """
        if given is not None:
            answer = given
        elif self.can_ask:
            answer = self._ask(f"{question}\nType {harmless(expected)} to go on: ")
        else:
            raise ConfirmationMissing(
                "nobody can be asked to confirm that the disk may be written to",
                next_step=f"confirm it with --confirm-device {expected}",
            )
        if answer != expected:
            raise ConfirmationMissing(
                f"not confirmed: {answer!r} is not {expected!r}; nothing was changed",
                next_step="if this disk is meant, type the latter, or say "
                f"--confirm-device {shlex.quote(expected)}",
            )

    def agrees(self, question: str) -> bool:
        """Ask a yes-or-no question; no, where nobody can be asked."""
        return self.can_ask and self._ask(f"{question} [y/N] ").lower() in ("y", "yes")

    def ask(self, question: str) -> str:
        """Ask for a text; empty for no answer. Only where somebody can be asked."""
        return self._ask(question)

    def say(self, line: str) -> None:
        """Show a line that belongs to a question."""
        self._write(self.err, line)

    def password(self, what: str) -> Secret | None:
        """Ask for a container's password; ``None`` where nobody can be asked."""
        if not self.can_ask:
            return None
        import getpass

        prompt = f"Password of {harmless(what)}: "
        return Secret(getpass.getpass(prompt, stream=self.err))

    @property
    def can_ask(self) -> bool:
        """Whether somebody is there to answer."""
        return not self.non_interactive and self.source.isatty()

    def progress(self) -> "Progress":
        """Return progress bars on a terminal, events beside JSON, else nothing."""
        if self.as_json and not self.quiet and not self.err.isatty():
            from s3export.adapters.event_progress import EventProgress

            return EventProgress(self.err)
        if self.quiet or not self.err.isatty():
            from s3export.adapters.memory.surroundings import SilentProgress

            return SilentProgress()
        from rich.console import Console

        from s3export.adapters.progress import TerminalProgress

        return TerminalProgress(Console(file=self.err))

    def _ask(self, prompt: str) -> str:
        self.err.write(prompt)
        self.err.flush()
        return self.source.readline().strip()

    @staticmethod
    def _write(stream: TextIO, line: str) -> None:
        encoding = stream.encoding or "utf-8"
        line = line.encode(encoding, "backslashreplace").decode(encoding)
        try:
            stream.write(f"{line}\n")
            stream.flush()
        except BrokenPipeError:
            raise  # the reader has seen enough
        except OSError as error:
            raise FileRefused(f"writing the output failed: {error.strerror}") from error


def standard_terminal(**wishes: bool) -> Terminal:
    """Return the terminal of this process."""
    return Terminal(sys.stdout, sys.stderr, sys.stdin, **wishes)


def columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with aligned columns."""
    if not rows:
        return []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) for cell, width in zip(row, widths, strict=True)
        ).rstrip()
        for row in rows
    ]
