"""Loads of disks that are too small, until the kernel says that they are full."""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fixtures.aws_s3 import AwsS3, Stored
from loading import MIB, Disk, Found, digests, held_below, remove

pytestmark = pytest.mark.loop

BUCKET = "many"
MANIFEST = """\
manifestVersion: 2.0
logBucket: logs
operations:
  - exportBucket: many
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where disks are; nothing of them stays mounted, attached or on the disk."""
    path = tmp_path_factory.mktemp("full")
    yield path
    assert held_below(path) == []
    remove(path)


@pytest.fixture
def s3() -> Iterator[AwsS3]:
    """A server with an empty bucket."""
    with AwsS3() as server:
        server.create_bucket(BUCKET)
        yield server


def fill(s3: AwsS3, sizes: list[int], *, flat: bool = False) -> None:
    """Put objects of these sizes, some in directories of their own."""
    chance = random.Random(1)
    for number, size in enumerate(sizes):
        deep = not flat and number % 3 == 0
        key = f"{number:05}/{'n' * 100}/x" if deep else f"{number:05}"
        s3.put(BUCKET, key, Stored(chance.randbytes(size)))


def content_of(s3: AwsS3) -> dict[str, bytes]:
    """Return the digests of the objects by their keys, in their order."""
    bucket = s3.bucket(BUCKET)
    bodies = {}
    for key in bucket.keys:
        stored = bucket.versions[key][0].stored
        assert stored is not None and isinstance(stored.body, bytes)
        bodies[BUCKET, key] = stored.body
    return {key: digest for (_, key), digest in digests(bodies).items()}


def loaded(
    s3: AwsS3, directory: Path, size: int, *more: str, kills: random.Random | None
) -> list[Found]:
    """Load disk after disk; return what is on them."""
    begin: tuple[int, str] = (0, "")
    disks: list[Found] = []
    for number in range(20):
        disk = Disk(directory, f"disk-{number}", size, *more)
        result = load(disk, s3, begin, kills)
        disk.fsck()
        disks.append(disk.found())
        disk.image.unlink()
        following = result["next_disk"]
        if following is None:
            return disks
        begin = (following["operation"], following["begin_marker"])
        assert begin[1] == disks[-1].log[-1].key
    raise AssertionError(f"still not everything: {begin}")


def load(
    disk: Disk, s3: AwsS3, begin: tuple[int, str], kills: random.Random | None
) -> Any:
    """Load a disk, killed some times if so."""
    want = content_of(s3)
    for _ in range(4 if kills else 0):
        assert kills is not None
        running = disk.start(MANIFEST, s3.endpoint_url, begin=begin)
        running.wait_until_open()
        running.kill_after(kills.uniform(0.1, 1.2))
        disk.release()
        for path, digest in disk.found().backup.items():
            assert want[path.decode().partition("/")[2]] == digest
    return disk.load(MANIFEST, s3.endpoint_url, begin=begin).result


def assert_complete(disks: list[Found], s3: AwsS3) -> None:
    """Everything is on one disk, in strict order, and each disk has its own log."""
    want = content_of(s3)
    assert [entry.key for disk in disks for entry in disk.log] == list(want)
    for disk in disks:
        assert {bytes(entry.file) for entry in disk.log} == set(disk.backup)
        for entry in disk.log:
            assert disk.backup[bytes(entry.file)] == want[entry.key]


@pytest.mark.parametrize("killed", [False, True])
def test_disks_that_are_full_hold_everything_together(
    s3: AwsS3, directory: Path, killed: bool
) -> None:
    """No half file is on any of them, killed near the end or not."""
    chance = random.Random(2)
    fill(s3, [chance.choice((0, 10, 5000, 300_000)) for _ in range(250)])

    kills = random.Random(3) if killed else None
    disks = loaded(s3, directory, 8 * MIB, "-m", "0", kills=kills)

    assert len(disks) > 2
    assert_complete(disks, s3)


@pytest.mark.parametrize("flat", [True, False])
def test_a_disk_is_full_too_when_it_has_no_room_for_more_files(
    s3: AwsS3, directory: Path, flat: bool
) -> None:
    """Small objects use up the inodes first; the log still finds its own."""
    fill(s3, [10] * 150, flat=flat)

    disks = loaded(s3, directory, 32 * MIB, "-N", "96", kills=None)

    assert len(disks) > 1
    assert_complete(disks, s3)


def test_one_large_object_after_small_ones_is_left_to_the_next_disk(
    s3: AwsS3, directory: Path
) -> None:
    """What no longer fits is not begun again and again, and leaves its room."""
    fill(s3, [1000] * 50 + [9 * MIB] + [1000] * 50)

    disks = loaded(s3, directory, 16 * MIB, "-m", "0", kills=None)

    assert len(disks) <= 2
    assert_complete(disks, s3)
