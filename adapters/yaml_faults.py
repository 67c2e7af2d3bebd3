"""What is wrong with a text that is no YAML, in the words of those who write manifests.

PyYAML's own messages name its tokens, often the place where it noticed and not the one
where the fault lies, and quote a character that may be one of a password. Here the
lines are looked at again: nothing that stands in them is repeated, but for the names of
fields that manifests have.
"""

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from s3export.domain.manifests.fields import NAMES

LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # YAML 1.1, "b-break"

_NAMED = re.compile(r"(?P<name>\s*(?:- +)?[\w-]+):(?P<blanks>\s+|$)")
_WORDS = re.compile(r"\s*(?:- +)?(?P<word>[\w-]+)(?:\s|$)")
_GLUED = re.compile(r"\s*(?:- +)?[\w-]+:\S")
_SIGN = re.compile(r"[&*!|>%@`\[\]{},]|[-?](?:\s|$)")
_ENDS = {"'": re.compile(r"(?:''|[^'])*'"), '"': re.compile(r'(?s)(?:\\.|[^"\\])*"')}


_BEGINS_WITH_SIGN = (
    "the line begins with a sign of YAML's",
    "write a value behind its field's name and colon, in quotes",
)


@dataclass(frozen=True)
class Fault:
    """One fault.

    Attributes:
        line: Counted from 1; 0 where none can be named. So is the column.

    """

    line: int
    column: int
    message: str
    advice: str = ""


def fault_in(text: str, error: yaml.MarkedYAMLError) -> Fault:
    """Find what is wrong with a text (without byte order mark) that PyYAML refuses."""
    mark = error.problem_mark or error.context_mark
    if mark is None:
        return Fault(0, 0, error.problem or "it cannot be read")  # one of our own
    return _Lines(LINE_END.split(text)).fault(error, mark.line, mark.column)


@dataclass(frozen=True)
class _Lines:
    """A text in lines; those, and columns, are counted from 0 in here."""

    lines: Sequence[str]

    def fault(self, error: yaml.MarkedYAMLError, line: int, column: int) -> Fault:
        problem = error.problem or ""
        context = error.context_mark
        found = (
            self._tab(line, column)
            or self._endless_quote(line, column)
            or self._after_quote(line, column)
        )
        if found:
            return found
        if "escape" in problem and "quoted scalar" in (error.context or ""):
            message = "a backslash in double quotes begins nothing that YAML knows"
            advice = "take single quotes, in which a backslash is a backslash"
            return _fault(line, column, message, advice)
        if "nested too deeply" in problem:
            return _fault(line, column, "brackets are nested too deeply")
        if "document" in problem or "directive" in (error.context or ""):
            return self._document(line, column)
        if "could not find expected ':'" in problem and context is not None:
            found = self._no_colon(context.line)
        elif "mapping values are not allowed" in problem:
            found = self._unexpected_colon(line, column)
        elif "expected <block end>" in problem and self._begins_at(line, column):
            found = self._indentation(line)
        found = found or self._sign(line)
        if not found and context is not None and "flow" in (error.context or ""):
            found = self._sign(context.line)
        if not found and self._begins_at(line, column):
            found = self._sign_of_line(line, column)
        advice = "compare it, and the line before, with what new-manifest writes"
        message = "it cannot be read from here on"
        return found or _fault(line, column, message, advice)

    # --- one kind of fault each; ``None`` where it is another

    def _tab(self, line: int, column: int) -> Fault | None:
        for number in (line, line - 1):
            if re.match(r" *\t", self._line(number)):
                at = self._line(number).index("\t")
                advice = "indent with blanks, not with a TAB"
                return _fault(number, at, "the line begins with a TAB", advice)
        if self._line(line)[column : column + 1] != "\t":
            return None
        if self._line(line)[:column].rstrip().endswith(":"):
            return _fault(line, column, "a TAB follows the colon", "put a blank there")
        advice = "put blanks there, or the value in quotes"
        return _fault(line, column, "there is a TAB outside of quotes", advice)

    def _endless_quote(self, line: int, column: int) -> Fault | None:
        """Find the quote that was closed, if at all, by one that opens another."""
        line = min(line, len(self.lines) - 1)
        text = "\n".join(self.lines)
        begins = [0, *itertools.accumulate(len(each) + 1 for each in self.lines)]
        for number, at in self._quotes_up_to(line):
            first = begins[number] + at
            end = _ENDS[text[first]].match(text, first + 1)
            closed = end.end() if end else len(text)
            in_its_line = end is not None and closed < begins[number + 1]
            ends_here = begins[line] < closed <= begins[line] + column
            if not in_its_line and (end is None or ends_here):
                message = "the quote that begins here has no end in its line"
                return _fault(number, at, message, "close it behind the value")
        return None

    def _quotes_up_to(self, line: int) -> Iterator[tuple[int, int]]:
        """Yield where values begin with a quote."""
        for number, written in enumerate(self.lines[: line + 1]):
            at = self._value_at(written)
            if at is not None and written[at : at + 1] in _ENDS:
                yield number, at

    def _after_quote(self, line: int, column: int) -> Fault | None:
        written = self._line(line)
        at = self._value_at(written)
        if at is None or at >= column or written[at] not in _ENDS:
            return None
        end = _ENDS[written[at]].match(written, at + 1)
        if end is None or end.end() > column or written[end.end() :].isspace():
            return None
        advice = "put the whole value in single quotes, and each ' in it twice"
        return _fault(line, end.end(), "something follows the closing quote", advice)

    def _document(self, line: int, column: int) -> Fault:
        for number in range(min(line, len(self.lines) - 1) + 1):
            if self.lines[number].startswith("%"):
                return _fault(number, 0, *_BEGINS_WITH_SIGN)
        message = "a second document begins here"
        return _fault(line, column, message, "a manifest has no line of --- or ...")

    def _no_colon(self, line: int) -> Fault | None:
        """Say that a line has no colon, or no blank behind it."""
        written = self._line(line)
        if _NAMED.match(written):
            return None
        indent = self._indent(line)
        if _GLUED.match(written):
            advice = "put a blank after the field's colon"
            column = written.index(":") + 1
            return _fault(line, column, "there is no blank after the colon", advice)
        words = _WORDS.match(written)
        if words is None:
            return None
        name = words["word"] if words["word"] in NAMES else "NAME"
        message = "there is no colon after the field's name"
        return _fault(line, indent, message, f"write {name}: and then the value")

    def _unexpected_colon(self, line: int, column: int) -> Fault | None:
        named = _NAMED.match(self._line(line))
        if named and column > named.end("name"):
            message = "the value holds a colon"
            advice = "put a value that holds a colon in quotes"
            return _fault(line, column, message, advice)
        before = self._before(line)
        if before is None:
            return None
        return self._no_colon(before) or self._indentation(line)

    def _indentation(self, line: int) -> Fault:
        """Say which line is indented unlike its neighbours."""
        message, advice = "the line is indented", "indent the fields of a section alike"
        own, before = self._indent(line), self._before(line)
        if before is not None and self._indent(before) < own:
            earlier = self._before(before)
            if earlier is not None and self._indent(earlier) == own:
                less = f"{message} less than the lines before and after it"
                return _fault(before, self._indent(before), less, advice)
            more = f"{message} more than the field before it"
            return _fault(line, own, more, advice)
        return _fault(line, own, f"{message} like no field before it", advice)

    def _sign(self, line: int) -> Fault | None:
        written = self._line(line)
        at = self._value_at(written)
        if at is None or not _SIGN.match(written, at):
            return None
        message = "the value begins with a sign of YAML's"
        return _fault(
            line, at, message, "put a value that begins with a sign in quotes"
        )

    def _sign_of_line(self, line: int, column: int) -> Fault | None:
        if not _SIGN.match(self._line(line), column):
            return None
        return _fault(line, column, *_BEGINS_WITH_SIGN)

    # --- lines

    def _line(self, number: int) -> str:
        return self.lines[number] if 0 <= number < len(self.lines) else ""

    def _value_at(self, written: str) -> int | None:
        named = _NAMED.match(written)
        if named is None or named.end() == len(written):
            return None
        return named.end()

    def _indent(self, number: int) -> int:
        """Return where a line's text begins, that of an item behind its dash."""
        found = re.match(r" *(?:- +)?", self._line(number))
        return found.end() if found else 0

    def _begins_at(self, line: int, column: int) -> bool:
        return not self._line(line)[:column].strip()

    def _before(self, line: int) -> int | None:
        """Return the number of the line before it that is not empty."""
        for number in range(min(line, len(self.lines)) - 1, -1, -1):
            if self.lines[number].strip() and self.lines[number].lstrip()[0] != "#":
                return number
        return None


def _fault(line: int, column: int, message: str, advice: str = "") -> Fault:
    return Fault(line + 1, column + 1, message, advice)
