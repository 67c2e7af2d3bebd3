"""Values on the command line: text to what is meant, or an error that says what is."""

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

A = TypeVar("A")


def _saying(what: str) -> Callable[[Callable[[str], A]], Callable[[str], A]]:
    """Have argparse say what is expected, not the name of a function."""

    def decorate(function: Callable[[str], A]) -> Callable[[str], A]:
        def converted(text: str) -> A:
            try:
                return function(text)
            except ValueError:
                raise argparse.ArgumentTypeError(f"{text!r} is not {what}") from None

        return converted

    return decorate


@_saying("a number from 1 to 1024")
def count(text: str) -> int:
    """Return a number of things done at once."""
    number = int(text)
    if not 1 <= number <= 1024:
        raise argparse.ArgumentTypeError("a number from 1 to 1024")
    return number


@_saying("a number of seconds from 1 to 86400")
def seconds(text: str) -> int:
    """Return a pause in seconds."""
    number = int(text)
    if not 1 <= number <= 86_400:
        raise argparse.ArgumentTypeError("a number of seconds from 1 to 86400")
    return number


@_saying("a number from 0 to 65535")
def port(text: str) -> int:
    """Return a port of a server."""
    number = int(text)
    if not 0 <= number <= 65_535:
        raise argparse.ArgumentTypeError("a number from 0 to 65535")
    return number


@_saying("a number between 0 and 1, such as 0.95")
def fraction(text: str) -> float:
    """Return a number between 0 and 1."""
    number = float(text)
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError("a number between 0 and 1, such as 0.95")
    return number


def share(text: str) -> float:
    """Return a share: ``0.1%`` or ``0.001``."""
    percent = text.endswith("%")
    try:
        share = float(Decimal(text.removesuffix("%")) / (100 if percent else 1))
    except InvalidOperation:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError("a share such as 0.1% or 0.001, below 100%")
    return share


@_saying("a number from 0 to 2147468")
def pim(text: str) -> int:
    """Return VeraCrypt's personal iterations multiplier."""
    number = int(text)
    if not 0 <= number <= 2_147_468:  # VeraCrypt's own limit
        raise argparse.ArgumentTypeError("a number from 0 to 2147468")
    return number


@_saying("a number of files")
def population(text: str) -> int:
    """Return a number of files, with or without separators."""
    number = int(text.replace(",", "").replace("_", ""))
    if number < 0:
        raise argparse.ArgumentTypeError("a number of files")
    return number


@_saying("a day or a time, such as 2026-01-31 or 2026-01-31T12:00:00Z")
def moment(text: str) -> datetime:
    """Return a time; a day begins at midnight, and without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    try:
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except OverflowError as error:  # before the year 1, or after 9999
        raise ValueError(text) from error


def size_in_bytes(text: str) -> int:
    """Return a size in bytes: ``500MB``, ``2GiB``."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([kKMGT])(i?))?B?", text)
    if not found:
        raise argparse.ArgumentTypeError("a size such as 500MB or 2GiB")
    number, unit, binary = found.groups()
    power = "kMGT".index(unit.replace("K", "k")) + 1 if unit else 0
    return int(Decimal(number) * (1024 if binary else 1000) ** power)


def sample_size(text: str) -> int | str:
    """Return how many files to draw, or ``all``."""
    if text == "all":
        return text
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError("a number from 1, or all")
    return int(text)
