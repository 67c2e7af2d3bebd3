"""The benchmark of cold disks works; its figures are no matter of tests."""

from pathlib import Path

import pytest

from benchmarks import disks
from benchmarks.arm import Moves

pytestmark = pytest.mark.loop


def test_every_case_makes_a_table(tmp_path: Path) -> None:
    """With a line for each contender; what is walked is counted."""
    size = disks.Size(walked=500, read=100, large_bytes=16 << 20, runs=1)

    for case, contenders in (
        (disks.walking, 4),
        (disks.reading, 2),
        (disks.hashing, 4),
    ):
        directory = tmp_path / case.__name__
        directory.mkdir()
        lines = case(directory, size)
        assert lines[0].startswith("### ")
        assert sum(line.startswith("| ") for line in lines) == contenders + 1


def test_an_arm_moves_where_the_next_bytes_lie_elsewhere() -> None:
    """Not for those that come next, or soon; going back is far, too."""
    moves, disk = Moves(), 1 << 40
    for start in (0, 4096, 8192 + 100_000):
        moves.read(start, 4096, disk)
    near = moves.seconds
    assert (moves.requests, moves.seeks) == (3, 0)

    for start in (1 << 39, 0, 1 << 30):
        moves.read(start, 4096, disk)
    assert (moves.requests, moves.seeks) == (6, 3)
    assert moves.seconds > near + 3 * 0.005
