"""What is wrong with a setting's value, in words that say what to write."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_SHOWN = ("endpoint_url", "forks", "sample_size", "request_payer")
"""Settings of which the value is repeated: nobody takes them for a secret."""

_LONGEST = 80

_KINDS: Mapping[str, str] = {
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large a number",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "string_type": "must be a text (in a file: in quotes)",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list of names",
}


def fault(name: str, problem: "ErrorDetails", value: object) -> str:
    """Return the end of a sentence on what was given.

    Args:
        problem: As pydantic tells it.
        value: What was given.
    """
    kind, limits = problem["type"], problem.get("ctx", {})
    given = _given(name, value)
    if kind == "string_pattern_mismatch" and name == "endpoint_url":
        return f"{given}{_address(str(value))}"
    if kind == "greater_than_equal":
        return f"{given}must be {limits['ge']} or more"
    if kind == "less_than_equal":
        return f"{given}must be {limits['le']} or less"
    if kind in _KINDS:
        return f"{given}{_KINDS[kind]}"
    return problem["msg"].removeprefix("Value error, ")


def _given(name: str, value: object) -> str:
    text = str(value)
    if name in _SHOWN and text and len(text) <= _LONGEST and "@" not in text:
        return f"{value!r} "
    return ""


def _address(text: str) -> str:
    if "://" in text or not re.fullmatch(r"[\w.\[\]:-]+(/.*)?", text):
        return "must be an address that begins with http:// or https://"
    if re.match(r"localhost\b|127\.|\[::1\]", text):
        return f"says no scheme: write http://{text}"
    return f"says no scheme: write https://{text}, or http:// where that is meant"
