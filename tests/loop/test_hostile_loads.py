"""Loads from hostile buckets, over bad connections, killed at any moment.

With TESTS_LONG set the buckets are ten times as large (`make test-loads`).
"""

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from fault_proxy import FAULTS, FaultProxy
from fixtures.aws_s3 import AwsS3, Stored
from hostile_bucket import (
    BUCKET,
    LONG_PARTS,
    MANIFEST,
    MANY_PARTS,
    ROOTED,
    Hostile,
    objects_of,
    small_key,
)
from loading import MIB, Disk, Found, digests, held_below, remove
from loads import FaultyStore, request

from s3export.adapters.clock import SystemClock
from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import SilentProgress
from s3export.adapters.workers import ThreadWorkers
from s3export.domain.errors import CredentialsRejected
from s3export.domain.ports import AskedAhead, ObjectBody
from s3export.domain.services.load_device import LoadDevice
from s3export.entrypoints.cli import main

LONG = "TESTS_LONG" in os.environ

pytestmark = [pytest.mark.loop, pytest.mark.timeout(7200 if LONG else 300)]

LARGE = Hostile(20_000, LONG_PARTS) if LONG else Hostile()
MEDIUM = Hostile(10_000, LONG_PARTS) if LONG else Hostile(400, ((5, 6, 1), MANY_PARTS))
KILLS = 200 if LONG else 30
ROOM = (2048 if LONG else 300) * MIB


@dataclass(frozen=True)
class Bucket:
    """A server, its buckets, and the disk that a calm load of them made."""

    s3: AwsS3
    empty: Disk
    calm: Found


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where disks are; nothing of them stays mounted, attached or on the disk."""
    path = tmp_path_factory.mktemp("loads")
    yield path
    assert held_below(path) == []
    remove(path)


@pytest.fixture(scope="module")
def medium(directory: Path) -> Iterator[Bucket]:
    """A bucket that is loaded again and again."""
    with AwsS3() as s3:
        MEDIUM.fill(s3)
        empty = Disk(directory, "empty", ROOM)
        calm = empty.copy("calm")
        assert calm.load(MANIFEST, s3.endpoint_url).status == 0
        found = calm.found()
        calm.image.unlink()
        yield Bucket(s3, empty, found)


def in_place(found: Found, s3: AwsS3) -> bool:
    """Say whether each object is where the log says, once, and nothing else is."""
    placed = {
        (entry.bucket, entry.key): found.backup.get(bytes(entry.file))
        for entry in found.log
        if entry.written
    }
    files = [bytes(entry.file) for entry in found.log if entry.written]
    return (
        placed == digests(objects_of(s3))
        and len(set(files)) == len(files)
        and set(files) == set(found.backup)
    )


def test_each_object_of_a_hostile_bucket_is_in_its_place(
    medium: Bucket,
) -> None:
    """Byte for byte, whatever its key is; the log maps every one of them."""
    assert in_place(medium.calm, medium.s3)
    codes = Counter(entry.code for entry in medium.calm.log)
    assert set(codes) == {"OK", "Recovered"}
    assert "none" not in {entry.evidence for entry in medium.calm.log}


def change(s3: AwsS3, numbers: range) -> Callable[[], None]:
    """Return what deletes and overwrites objects, of all numbers and kinds."""

    def it() -> None:
        while len(s3.requests) < LARGE.small // 4:
            time.sleep(0.005)
        now = datetime.now(UTC)
        for number in numbers:
            key = small_key(number)
            if number % 2:
                s3.delete(BUCKET, key, now)
            else:
                body = b"overwritten while it was read %d" % number
                s3.put(BUCKET, key, Stored(body, modified_at=now))
        s3.delete(ROOTED, "plain", now)

    return it


def test_what_changes_while_it_is_loaded_is_no_false_alarm(
    directory: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Deleted and overwritten, before it is read or after: the disk verifies.

    What was loaded before it was deleted or overwritten is on the disk as it was. What
    was overwritten between listing and reading is there as it is now, and called
    ``Changed``; what was deleted then is in the log with status 404.
    """
    with AwsS3() as s3:
        LARGE.fill(s3)
        listed = digests(objects_of(s3))
        numbers = range(2, LARGE.small, 25)
        changing = threading.Thread(target=change(s3, numbers))
        changing.start()
        disk = Disk(directory, "changing", ROOM)

        begun = time.monotonic()
        ended = disk.load(MANIFEST, s3.endpoint_url)
        seconds = time.monotonic() - begun
        changing.join()

        result = ended.result
        print(  # noqa: T201 - for who measures
            f"{result['written'] / seconds:.0f} objects/s, "
            f"{result['size_bytes'] / seconds / 1e6:.0f} MB/s"
        )
        found = disk.found()
        now = digests(objects_of(s3))
        for entry in found.log:
            name = (entry.bucket, entry.key)
            if entry.written:
                allowed = {listed.get(name), now.get(name)}
                assert found.backup[bytes(entry.file)] in allowed
            else:
                assert name not in now and entry.status == 404
        named = {(entry.bucket, entry.key) for entry in found.log}
        assert named >= set(now)
        codes = Counter(entry.code for entry in found.log)
        assert set(codes) <= {"OK", "Recovered", "Changed", "NoSuchKey"}
        disk.fsck()

        log, manifest = directory / "export-log", directory / "manifest.yml"
        log.write_bytes(found.log_bytes)
        manifest.write_text(MANIFEST)
        monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint_url)
        capfd.readouterr()
        status = main(
            ["verify-backup", str(disk.image), "--manifest", str(manifest),
             "--export-log", str(log), "--sample-size", "all", "--completeness"]
        )  # fmt: skip
        assert status == 0, capfd.readouterr()
        disk.image.unlink()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_bad_connection_leaves_no_trace(medium: Bucket, seed: int) -> None:
    """Resets, cuts, wrong bytes, refusals and stalls: disk and log are the same."""
    disk = medium.empty.copy(f"bad-{seed}")
    with FaultProxy(medium.s3.endpoint_url, seed, share=0.08) as proxy:
        runs = 1
        while (ended := disk.load(MANIFEST, proxy.endpoint_url, patience=0.7)).status:
            assert ended.said["error"] in ("Throttled", "Unreachable"), ended
            runs += 1
            assert runs < 10
    print(f"{runs} runs, {dict(proxy.faults)}")  # noqa: T201

    found = disk.found()
    disk.image.unlink()
    assert set(proxy.faults) == set(FAULTS)
    assert found.timeless == medium.calm.timeless
    assert runs == 1


def test_a_load_that_is_killed_again_and_again_ends_as_if_it_had_not_been(
    medium: Bucket,
) -> None:
    """Whatever has a name is right and complete at every moment."""
    chance = random.Random(7)
    kills, disks, kept = 0, 0, 0
    while kills < KILLS:
        disk = medium.empty.copy(f"killed-{disks}")
        ended = False
        while not ended:
            running = disk.start(MANIFEST, medium.s3.endpoint_url)
            if kills < KILLS:
                if chance.random() < 0.9:
                    running.wait_until_open()
                ended = not running.kill_after(chance.uniform(0, 1.3))
                kills += not ended
            else:
                ended = running.wait().status == 0
            disk.release()
            found = disk.found()
            for path, digest in found.backup.items():
                assert medium.calm.backup.get(path) == digest, path
            kept += len(found.backup)
        disks += 1
        found = disk.found()
        disk.fsck()
        disk.image.unlink()
        assert found.timeless == medium.calm.timeless
    assert kept > KILLS


class SilentStore(FaultyStore):
    """Says nothing of objects, until one of them is refused and long after.

    Args:
        small: All but the first are asked for ahead, by one thread.
    """

    def __init__(self, *, small: bool) -> None:
        super().__init__("b")
        for number in range(8):
            self.put("b", f"{number}", b"x" * (1 if small and number else 200_000))
        self._waiting = 1 if small else 7
        self.silent = threading.Semaphore(0)
        self.speaks = threading.Event()

    def ask_ahead(self, bucket: str, key: str) -> AskedAhead | None:
        """Ask; the answer does not come."""
        return _SilentAnswer(self)

    @contextmanager
    def open(self, bucket: str, key: str, **rest: object) -> Iterator[ObjectBody]:
        """Refuse the first when all others wait."""
        if key == "0":
            for _ in range(self._waiting):
                assert self.silent.acquire(timeout=10)
            raise CredentialsRejected("the token has expired")
        with super().open(bucket, key, **rest) as body:
            self.silent.release()
            self.speaks.wait(60)
            yield body


class _SilentAnswer(AskedAhead):
    def __init__(self, store: SilentStore) -> None:
        self._store = store

    @contextmanager
    def open(self) -> Iterator[ObjectBody | None]:
        self._store.silent.release()
        self._store.speaks.wait(60)
        yield None

    def close(self) -> None:
        pass


@pytest.mark.parametrize("small", [False, True])
def test_a_disk_is_released_while_s3_is_silent(directory: Path, small: bool) -> None:
    """Threads that wait for the network hold no file of it open."""
    disk, store = Disk(directory, f"silent-{small}", 16 * MIB), SilentStore(small=small)
    load = LoadDevice(
        store, InstalledHashes(), ThreadWorkers(), SystemClock(), SilentProgress()
    )
    facts = disk.devices.inspect(str(disk.image))

    started = time.monotonic()
    with pytest.raises(CredentialsRejected), disk.devices.open_for_writing(facts) as t:
        load(request(), t)
    assert time.monotonic() - started < 30

    store.speaks.set()
    disk.fsck()
