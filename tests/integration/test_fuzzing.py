"""The fuzzer notices what it is there for, and some cases of each target pass."""

import ctypes
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from fuzz import trees
from fuzz.__main__ import TARGETS
from fuzz.isolation import Limits, run_isolated
from fuzz.mutations import Edit, edited
from fuzz.running import Case, case_from, keep, made, signature, smallest
from fuzz.sources import MARGIN_BYTES, Fenced
from fuzz.targets import Target, corpora, holds

from s3export.domain.errors import InputRefused


def forever() -> None:
    while True:
        pass


def without_end() -> None:
    held = []
    while True:
        held.append(bytes(1 << 20))


def beside() -> None:
    source = Fenced(b"inside")
    source.read(MARGIN_BYTES + 5, 2)
    source.check()


@pytest.mark.parametrize(
    ("case", "says"),
    [
        (forever, "SIGXCPU"),
        (without_end, "MemoryError"),
        (beside, "beside the source"),
        (lambda: ctypes.string_at(0), "SIGSEGV"),
        (lambda: {"yes": 1}["no"], "KeyError"),
        (lambda: os._exit(3), "exits with 3"),
    ],
)
def test_what_is_wrong_is_noticed(case: Callable[[], None], says: str) -> None:
    """In a process of its own."""
    assert says in run_isolated(case, Limits(cpu_seconds=1))


class Picky(Target):
    """Refuses one byte as it should, and breaks over another."""

    name = "picky"

    def corpus(self, scratch: Path) -> dict[str, bytes]:
        return {"base": b"...."}

    def edits(self, base: str, data: bytes, chance: object) -> list[Edit]:
        return [Edit(0, 1, b"x"), Edit(2, 1, b"!"), Edit(3, 1, b"yz")]

    def read(self, data: bytes) -> None:
        if b"!" in data:
            raise ZeroDivisionError
        raise InputRefused("no")


def test_a_found_case_is_kept_with_what_it_needs(tmp_path: Path) -> None:
    """It is run again from its file; own errors are no finding."""
    target = Picky()
    found = corpora([target])
    targets: dict[str, Target] = {target.name: target}
    holds(target, b"....")

    case = made(target, found, 1)
    small = smallest(case, targets, found)
    keep(small, small.run(targets, found), tmp_path / "new" / "case.json")
    again = case_from(json.loads((tmp_path / "new" / "case.json").read_text()))

    assert again == Case("picky", "base", (Edit(2, 1, b"!"),))
    assert "ZeroDivisionError" in signature(again.run(targets, found))
    assert case == made(target, found, 1)


def test_edits_are_of_the_bytes_before_them() -> None:
    """Those that overlap a later one are left out."""
    edits = [Edit(0, 1, b"AAA"), Edit(4, 2, b""), Edit(3, 2, b"no"), Edit(6, 0, b"!")]

    assert edited(b"abcdef", edits) == b"AAAbcd!"


@pytest.mark.skipif(bool(trees.lacking()), reason=f"needs {trees.lacking()}")
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_some_cases_find_nothing(target: Target) -> None:
    """All of the corpus, and a few changes of it."""
    found = corpora([target])
    bases = [Case(target.name, base, ()) for base in found[target.name]]
    for case in (*bases, *(made(target, found, seed) for seed in range(20))):
        assert case.run({target.name: target}, found) == "", case
