"""Laws of walking a directory, whatever it holds."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plain_walk import Seen, plain_walk
from trees_of_files import Node, build, trees

from s3export.adapters.file_trees.elevator import Elevator
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import ScratchFull
from s3export.domain.ports import Damaged, FileTree, NotAFile, TreeFile

SETTINGS = settings(max_examples=60, deadline=None)
ROOT = TreePath(b"")


def seen(tree: FileTree, below: TreePath = ROOT) -> Iterator[Seen]:
    """Yield what a tree has, in the order of the walk."""
    for entry in tree.entries(below):
        if isinstance(entry, TreeFile):
            times = entry.modified_ns, entry.changed_ns
            yield entry.path, (entry.size_bytes, *times, entry.inode)
        else:
            assert isinstance(entry, NotAFile)
            yield entry.path, entry.kind


@given(trees, st.integers(1, 6))
@SETTINGS
def test_a_walk_sees_what_the_plainest_walk_sees(
    nodes: dict[bytes, Node], most: int
) -> None:
    """Everything once, however few directories may wait in memory."""
    with tempfile.TemporaryDirectory() as root:
        build(os.fsencode(root), nodes)

        found = list(seen(MountedTree(root, most_waiting=most)))

        assert sorted(found) == plain_walk(os.fsencode(root))


steps = st.lists(
    st.none() | st.tuples(st.integers(0, (1 << 64) - 1), st.binary(max_size=40)),
    max_size=60,
)
"""Paths that are put, and moments at which one is taken."""


@given(steps, st.integers(1, 9), st.integers(1, 99))
@SETTINGS
def test_what_waits_is_taken_once(
    steps: list[tuple[int, bytes] | None], most: int, most_bytes: int
) -> None:
    """With its place; no more than allowed wait in memory, the others elsewhere."""
    elevator = Elevator(most, most_bytes)
    put: list[tuple[int, bytes]] = []
    taken: list[tuple[int, bytes]] = []
    for step in steps:
        if step is None:
            taken += [one for one in [elevator.take()] if one]
        else:
            elevator.put(*step)
            put.append(step)
            assert elevator.waiting_in_memory() <= most
    while (one := elevator.take()) is not None:
        taken.append(one)
    elevator.close()

    assert sorted(taken) == sorted(put)


@given(steps)
@SETTINGS
def test_the_arm_turns_round_only_at_the_end(
    steps: list[tuple[int, bytes] | None],
) -> None:
    """A place behind the last one is taken only if none that waits is ahead."""
    elevator = Elevator()
    waiting: list[int] = []
    arm = 0
    for step in [*steps, *[None] * len(steps)]:
        if step is not None:
            elevator.put(*step)
            waiting.append(step[0])
        elif (one := elevator.take()) is not None:
            ahead = [place for place in waiting if place >= arm]
            assert one[0] == min(ahead or waiting)
            arm = one[0]
            waiting.remove(arm)
    elevator.close()
    assert waiting == []


def test_a_directory_that_cannot_be_read_is_damaged(tmp_path: Path) -> None:
    """It is told where it stands, and the walk goes on."""
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()

    walk = MountedTree(str(tmp_path)).entries(ROOT)
    first = next(walk)
    last = next(n for n in "cb" if not first.path.startswith(n.encode()))
    (tmp_path / last / "file").unlink()
    (tmp_path / last).rmdir()
    found = [first, *walk]

    assert sum(isinstance(entry, TreeFile) for entry in found) == 2
    assert Damaged(TreePath(last.encode()), "No such file or directory") in found


def test_a_full_directory_for_temporary_files_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is too much for memory is not forgotten in silence."""
    monkeypatch.setattr(tempfile, "tempdir", "/proc/nowhere")
    elevator = Elevator(1)
    elevator.put(1, b"a")

    with pytest.raises(ScratchFull, match="cannot grow"):
        elevator.put(2, b"b")
