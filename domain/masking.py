"""Hide passwords and PINs in manifests, which need not be YAML at all.

Nothing is parsed: whatever stands behind the name of a secret is hidden up to the end
of its line, and so are the lines that could go on with it. Hiding too much is
harmless, hiding too little is not, so doubts are settled that way. Lines are neither
added nor removed.
"""

import difflib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from s3export.domain.secret import Secret

MASK = Secret.MASK

SHORTEST_VALUE = 4
"""Shorter secrets are hidden in their own place only: elsewhere they are chance."""

_CONTEXT_LINES = 2
_MOST_CUTS = 32  # of one text: more commas than that are no part of a password
_MOST_NAMES = 32  # in one line that are looked at; more are no manifest
_GAP = r"[\s_-]*"


def _spelled(word: str) -> str:
    return _GAP.join(word)


_NAME = re.compile(
    rf"(?:{'|'.join(map(_spelled, ('password', 'passwd', 'pincode')))})[^:=]*[:=]"
    rf"|(?<![^\W_]){_spelled('pin')}{_GAP}[\"']?\s*[:=]",
    re.IGNORECASE,
)
"""The name of a secret, anywhere in a line, with the colon behind it."""

_NAME_ALONE = re.compile(
    rf"(?:{'|'.join(map(_spelled, ('password', 'passwd', 'pincode')))}"
    rf"|(?<![^\W_]){_spelled('pin')})[^:=]*$",
    re.IGNORECASE,
)
"""The same at the end of a line, as in ``? trueCryptPassword``: the colon follows."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|$)")
_BREAK = re.compile(r"\r\n|\r|\n")
_BLANKS = " \t"
_BLANKS_AND_BREAKS = " \t\r\n"
_PREFIX = re.compile(r"[\ufeff\s#]*(?:[-?]\s+)*")
_PROPERTIES = re.compile(r"[ \t]*(?:[!&]\S*[ \t]+)*")
_ALIAS = re.compile(r"\*([^\s,\[\]{}]+)")
_OTHER_NAME = re.compile(r"""[ \t]*(?:[-?]\s+|[\[{,]\s*)*(["']?)\w[\w .-]*\1\s*:""")
_LATER_QUOTED = re.compile(r"""[:=][ \t]*(?=["'])""")
_NOTHING = re.compile(r"\s*(?:#.*)?$")
_CLOSING = re.compile(r"[ \t\]},]+$|---|\.\.\.\s*$")
_BRACKET = re.compile(r"(?:(?:^|[:,\[{-])\s*(?=[\[{]))|[\]}]", re.MULTILINE)
_ENDS_OF_PLAIN = re.compile(r"\s#|[,\]}]")
_DOUBLE_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SINGLE_QUOTED = re.compile(r"'(?:[^']|'')*'")
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_SHORT_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "0": "\0", "e": "\x1b", "\n": ""}


def masked(text: str) -> str:
    """Return a manifest with its passwords and PINs hidden.

    Hidden are the values of ``trueCryptPassword``, ``pinCode`` and of whatever else
    has a name like a password's or a PIN's, in use or in a comment; and each such
    value of at least `SHORTEST_VALUE` characters wherever else it stands.
    """
    scanned = _scan(text)
    return "".join(_hidden(scanned, scanned.values))


def masked_difference(old: str, new: str) -> tuple[str, ...]:
    """Return how two manifests differ: lines of a unified diff, secrets hidden.

    Empty where they are equal but for their line ends and a byte order mark. A secret
    that changed is a line that changed, though both look the same.
    """
    before, after = _scan(_plain_ends(old)), _scan(_plain_ends(new))
    values = before.values | after.values
    shown_before = [line.rstrip("\n") for line in _hidden(before, values)]
    shown_after = [line.rstrip("\n") for line in _hidden(after, values)]
    match = difflib.SequenceMatcher(
        None,
        [line.rstrip("\n") for line in before.lines],
        [line.rstrip("\n") for line in after.lines],
        autojunk=False,
    )
    lines: list[str] = []
    for group in match.get_grouped_opcodes(_CONTEXT_LINES):
        (_, from_old, _, from_new, _), (_, _, to_old, _, to_new) = group[0], group[-1]
        lines.append(f"@@ -{_range(from_old, to_old)} +{_range(from_new, to_new)} @@")
        for kind, start, end, new_start, new_end in group:
            if kind == "equal":
                lines += [f" {line}" for line in shown_before[start:end]]
                continue
            lines += [f"-{line}" for line in shown_before[start:end]]
            lines += [f"+{line}" for line in shown_after[new_start:new_end]]
    return tuple(lines)


def _range(start: int, end: int) -> str:
    """Write a range of lines as unified diffs do: its first line and its length."""
    length = end - start
    first = start + 1 if length else start
    return str(first) if length == 1 else f"{first},{length}"


def _plain_ends(text: str) -> str:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


# --- where secrets stand ---------------------------------------------------------


@dataclass
class _Scanned:
    """A text's lines, and what is to be hidden in them.

    Attributes:
        lines: With their ends; joined they are the text.
        cuts: Line to column: from there on it is hidden.
        values: What the secrets may be, as written and as meant.
    """

    lines: list[str]
    cuts: dict[int, int]
    values: set[str]

    def hide(self, line: int, column: int) -> None:
        self.cuts[line] = min(column, self.cuts.get(line, column))


def _scan(text: str) -> _Scanned:
    lines = [found for found in _LINE.findall(text) if found]
    scanned = _Scanned(lines, {}, set())
    depths = _depths(lines)
    aliases: set[str] = set()
    for number, depth, begin in _names(lines):
        in_flow = _depth_behind(depths[number], lines[number][:begin]) > 0
        aliases |= _hide_value(scanned, number, depth, begin, in_flow=in_flow)
    for alias in aliases:
        anchor = re.compile(rf"&{re.escape(alias)}(?=\s|$)")
        for number, line in enumerate(lines):
            for found in anchor.finditer(line):
                _hide_value(
                    scanned,
                    number,
                    _depth(line),
                    found.end(),
                    in_flow=_depth_behind(depths[number], line[: found.end()]) > 0,
                )
    return scanned


def _names(lines: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield line, how deep the line begins, and the column where a value begins."""
    for number, line in enumerate(lines):
        ends = [found.end() for found in _NAME.finditer(line)]
        if len(ends) > _MOST_NAMES:  # all hidden by the first; the last may go on
            ends = ends[: _MOST_NAMES // 2] + ends[-_MOST_NAMES // 2 :]
        for end in ends:
            yield number, _depth(line), end
        if _NAME_ALONE.search(line.rstrip("\r\n")):
            follower = _next_not_blank(lines, number + 1)
            if follower is not None:
                rest = _without_hash(lines[follower])
                if rest.lstrip(_BLANKS).startswith((":", "=")):
                    yield follower, _depth(line), _indentation(rest) + 1


def _hide_value(
    scanned: _Scanned, number: int, depth: int, begin: int, *, in_flow: bool
) -> set[str]:
    """Hide a value and note what it may be; return the aliases it may stand for.

    Args:
        depth: Of the field: lines that are indented more belong to the value.
        begin: The column where the value begins.
        in_flow: A bracket is open: only a comma or a bracket ends the value.
    """
    lines = scanned.lines
    value = lines[number][begin:].rstrip("\r\n")
    start = begin
    if value.strip(_BLANKS):
        scanned.hide(number, begin + _indentation(value))
        properties = _PROPERTIES.match(lines[number], begin)
        start = properties.end() if properties else begin
    in_comment = _is_comment(lines[number])
    limit = _last_comment(lines, number) if in_comment else len(lines) - 1
    last = _last_line_of_quoted(lines, number, start)
    for quoted in _LATER_QUOTED.finditer(value):
        last = max(last, _last_line_of_quoted(lines, number, begin + quoted.end()))
    if in_flow:
        last = max(last, _last_line_in_flow(lines, number, start))
    last = _last_deeper_line(lines, min(last, limit), limit, depth, value, in_comment)
    following = lines[number + 1 : last + 1]
    for line, text in enumerate(following, number + 1):
        if text.strip(_BLANKS_AND_BREAKS):
            scanned.hide(line, _indentation(text))
    if in_comment:
        following = [_without_hash(text) for text in following]
    parts = [value, *(text.rstrip("\r\n") for text in following)]
    scanned.values |= set(_values(parts))
    return set(_ALIAS.findall("\n".join(parts)))


def _last_line_of_quoted(lines: Sequence[str], number: int, start: int) -> int:
    """Return the line with the closing quote; the text's last where none closes."""
    first = number
    if not lines[number][start:].strip(_BLANKS_AND_BREAKS):
        first = _next_not_blank(lines, number + 1) or number
        start = _indentation(lines[first])
    quote = lines[first][start : start + 1]
    if quote not in ("'", '"'):
        return number
    pattern = _DOUBLE_QUOTED if quote == '"' else _SINGLE_QUOTED
    closed = pattern.match("".join(lines[first:]), start)
    if closed is None:
        return len(lines) - 1
    return first + len(_BREAK.findall(closed.group()))


def _last_line_in_flow(lines: Sequence[str], number: int, start: int) -> int:
    """Return the line with the comma or bracket that ends an unquoted value."""
    if re.search(r"[,\]}]", lines[number][start:]):
        return number
    for line in range(number + 1, len(lines)):
        if re.search(r"[,\]}]", lines[line]):
            return line
    return len(lines) - 1


def _last_deeper_line(
    lines: Sequence[str],
    last: int,
    limit: int,
    depth: int,
    value: str,
    in_comment: bool,
) -> int:
    """Return the last of the lines that may still belong to a value.

    Lines that are indented more than the field do, and lines that begin no other one.
    """
    missing = bool(_NOTHING.match(value))
    for line in range(last + 1, limit + 1):
        text = _without_hash(lines[line]) if in_comment else lines[line]
        text = text.rstrip("\r\n")
        content = text.strip(_BLANKS)
        if not content:
            continue
        item = missing and content.startswith("-")
        if _indentation(text) <= depth and not item:
            if content.startswith("#"):
                continue  # part of it only if another part follows
            if _CLOSING.match(content) or _OTHER_NAME.match(content):
                break
        last = line
    return last


def _is_comment(line: str) -> bool:
    return line.lstrip(_BLANKS).startswith("#")


def _last_comment(lines: Sequence[str], number: int) -> int:
    while number + 1 < len(lines) and _is_comment(lines[number + 1]):
        number += 1
    return number


def _depth(line: str) -> int:
    """Return the column of a line's first field, list items and comments included."""
    prefix = _PREFIX.match(line)
    return prefix.end() if prefix else 0


def _without_hash(text: str) -> str:
    """Return a comment with blanks in place of what makes it one."""
    content = text.lstrip(_BLANKS + "#")
    return " " * (len(text) - len(content)) + content


def _next_not_blank(lines: Sequence[str], number: int) -> int | None:
    for line in range(number, len(lines)):
        if lines[line].strip(_BLANKS_AND_BREAKS):
            return line
    return None


def _indentation(line: str) -> int:
    return len(line) - len(line.lstrip(_BLANKS))


def _depths(lines: Sequence[str]) -> list[int]:
    """Return for each line how many brackets are open at its beginning, about."""
    depth, depths = 0, []
    for line in lines:
        depths.append(depth)
        depth = _depth_behind(depth, line)
    return depths


def _depth_behind(depth: int, text: str) -> int:
    for found in _BRACKET.finditer(text):
        closing = found.group().endswith(("]", "}"))
        depth = max(0, depth - 1) if closing else depth + 1
    return depth


# --- what they are ---------------------------------------------------------------


def _values(parts: Sequence[str]) -> Iterator[str]:
    """Yield what a value may be: as written, without quotes, folded, decoded."""
    lines = [part.strip(_BLANKS) for part in parts if part.strip(_BLANKS)]
    texts = [
        "\n".join(parts).strip(_BLANKS_AND_BREAKS),
        *lines,
        *(glue.join(lines) for glue in (" ", "", "\n")),
        *(glue.join(lines[1:]) for glue in (" ", "", "\n")),
        "".join(line.removesuffix("\\") for line in lines),
    ]
    for text in texts:
        for written in (text, _PROPERTIES.sub("", text, count=1), text.rstrip(",]} ")):
            yield written
            yield from _unquoted(written)
            for cut in itertools.islice(_ENDS_OF_PLAIN.finditer(written), _MOST_CUTS):
                yield written[: cut.start()].strip(_BLANKS)


def _unquoted(text: str) -> Iterator[str]:
    for pattern in (_DOUBLE_QUOTED, _SINGLE_QUOTED):
        found = pattern.match(text)
        if found:
            inside = found.group()[1:-1]
            yield inside
            yield inside.replace("''", "'")
            yield _ESCAPE.sub(_decoded, inside)
    if len(text) > 1 and text[0] in "'\"" and text[0] == text[-1]:
        yield text[1:-1]
    elif text[:1] in ("'", '"'):
        yield text[1:]


def _decoded(escape: re.Match[str]) -> str:
    for digits in escape.groups()[:3]:
        if digits:
            code = int(digits, 16)
            return chr(code) if code <= 0x10FFFF else escape.group()
    character = escape.group(4)
    return _SHORT_ESCAPES.get(character, character)


# --- hiding ----------------------------------------------------------------------


def _hidden(scanned: _Scanned, values: Iterable[str]) -> list[str]:
    """Return the lines with the secrets hidden, as many as there were."""
    shown = [
        line
        if number not in scanned.cuts
        else line[: scanned.cuts[number]] + MASK + _end(line)
        for number, line in enumerate(scanned.lines)
    ]
    text = "".join(shown)
    for value in sorted(set(values), key=lambda value: (-len(value), value)):
        if len(value) >= SHORTEST_VALUE and value.strip("* \t\r\n"):
            text = text.replace(value, MASK + "".join(_BREAK.findall(value)))
    return [found for found in _LINE.findall(text) if found]


def _end(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
