"""Runs within user-mode Linux: a disk fails while it is loaded, the answers as JSON.

S3 is in memory; the disk is stacked as in ``inside_faulty_disks``. Batches are small,
so that there are many of them.
"""

import hashlib
import json
import os
import random
import shutil
import struct
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path

from uml.inside_faulty_disks import (
    MAPPED,
    MIB,
    SIZE,
    disk,
    failing_at,
    failing_writes,
    held,
    tool,
    whole,
)
from uml.inside_faulty_disks import load as use_table

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.clock import SystemClock
from s3export.adapters.commands import Commands
from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.memory import MemoryObjectStore, SilentProgress
from s3export.adapters.workers import ThreadWorkers
from s3export.domain.backup_layout import ROOT, BackupLayout, Source, TreePath
from s3export.domain.errors import FileUnreadable, S3ExportError
from s3export.domain.export_log import parse_export_log
from s3export.domain.ports import FileTree, ObjectBody, TreeFile
from s3export.domain.services import load_device
from s3export.domain.services.load_device import LoadDevice, LoadRequest, log_path

OBJECTS = 120
BATCH = 10
CUTS = 60 if "TESTS_LONG" in os.environ else 5
DATA = (15 * MIB // 2, 16 * MIB)
"""Start and length; behind what describes the file system, and its journal."""

LAYOUT = BackupLayout((Source("b", TreePath(b"b")),), TreePath(b"EXPORT-RECOVERY"))
REQUEST = LoadRequest(LAYOUT, "JOB1", at_once=4)

Answer = dict[str, object]
Content = dict[bytes, bytes]


class Store(MemoryObjectStore):
    """Calls something when so many objects were asked for."""

    def __init__(self) -> None:
        super().__init__("b")
        chance = random.Random(1)
        for number in range(OBJECTS):
            key = f"{number:03}" if number % 9 else f"{number:03}//d"
            self.put("b", key, chance.randbytes(chance.choice((0, 10, 5000, 200_000))))
        self.calls: dict[int, Callable[[], object]] = {}
        self.opened = 0

    @contextmanager
    def open(self, bucket: str, key: str, **rest: object) -> Iterator[ObjectBody]:
        """Open an object."""
        self.opened += 1
        self.calls.get(self.opened, lambda: None)()
        with super().open(bucket, key, **rest) as body:  # type: ignore[arg-type]
            yield body


def devices() -> SystemBlockDevices:
    """Return the adapter."""
    return SystemBlockDevices(Commands(), run_directory="/run/s3export")


def load(device: str, store: Store) -> Answer:
    """Load a disk; return how that ended."""
    service = LoadDevice(
        store, InstalledHashes(), ThreadWorkers(), SystemClock(), SilentProgress()
    )
    system = devices()
    try:
        with system.open_for_writing(system.inspect(device)) as tree:
            result = service(REQUEST, tree)
    except S3ExportError as error:
        return {"error": type(error).__name__, "message": error.message}
    return {"error": "", "written": result.written, "errors": result.errors}


def really(device: str) -> tuple[Content, list[object]]:
    """Return what is on a disk, the journal of its file system replayed."""
    system = devices()
    with system.open_for_writing(system.inspect(device)) as tree:
        content = {
            bytes(entry.path): _digest(tree, entry.path)
            for entry in tree.entries(ROOT)
            if isinstance(entry, TreeFile) and not entry.path.startswith(b"S3EXPORT/")
        }
        try:
            with tree.open(log_path("JOB1")) as file:
                buffer = bytearray(MIB)
                text = bytes(buffer[: file.readinto(buffer)])
        except FileUnreadable:
            return content, []
    entries = parse_export_log(text, "log").entries
    return content, [replace(entry, at=None) for entry in entries]


def _digest(tree: FileTree, path: TreePath) -> bytes:
    hasher, buffer = hashlib.sha256(), bytearray(MIB)
    try:
        with tree.open(path) as file:
            while got := file.readinto(buffer):
                hasher.update(memoryview(buffer)[:got])
    except FileUnreadable as error:
        return str(error).encode()
    return hasher.digest()


def fsck(device: str) -> bool:
    """Say whether a file system is without fault."""
    argv = ("e2fsck", "-f", "-n", device)
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def make(device: str) -> None:
    """Make the file system."""
    tool("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", device)


def mount_point() -> str:
    """Return where the disk is mounted."""
    mounts = Path("/proc/mounts").read_text().splitlines()
    (found,) = (line.split()[1] for line in mounts if "/run/s3export" in line)
    return found


@cache
def calm() -> tuple[Content, list[object]]:
    """Return what a load makes of a sound disk."""
    with disk() as (top, _):
        make(top)
        load(top, Store())
        return really(top)


def faulty(calls: Callable[[str], dict[int, Callable[[], object]]]) -> Answer:
    """Load a disk that fails in between; look at it; load it to its end."""
    content, log = calm()
    with disk() as (top, below):
        make(top)
        before = held()
        store = Store()
        store.calls = calls(below)
        answer = load(top, store)
        answer["called"] = store.opened >= max(store.calls)
        answer["left"] = [one for one in held() if one not in before]
        use_table(whole("linear", below))
        for device in (top, MAPPED, below):
            tool("blockdev", "--flushbufs", device)
        found, _ = really(top)
        answer["named"] = len(found)
        answer["wrong"] = [
            path.decode() for path in found if found[path] != content.get(path)
        ]
        answer["again"] = load(top, Store())
        tool("blockdev", "--flushbufs", top)
        answer["same"] = really(top) == (content, log)
        tool("blockdev", "--flushbufs", top)
        answer["sound"] = fsck(top)
        return answer


def for_a_while(below: str) -> dict[int, Callable[[], object]]:
    """Lose data, let another program hear of it first, and be well again."""

    def lose_data() -> None:
        use_table(failing_at(below, *DATA))
        tool("sync")
        subprocess.run(("sync", "-f", mount_point()), check=False, capture_output=True)
        use_table(whole("linear", below))

    sizes = [facts.size_bytes for facts in Store().list_objects("b")]
    most = max(range(BATCH, OBJECTS, BATCH), key=lambda n: sum(sizes[n : n + BATCH]))
    return {most + BATCH - 1: lose_data}


def power_cuts() -> Answer:
    """Write down each write of a load; cut the power after some, and load again."""
    content, log = calm()
    image, log_file = Path("/run/tmp/disk.img"), Path("/run/tmp/writes.img")
    base, cut = Path("/run/tmp/base.img"), Path("/run/tmp/cut.img")
    with log_file.open("wb") as file:
        file.truncate(120 * MIB)
    writes = tool("losetup", "--find", "--show", str(log_file))
    try:
        with disk() as (top, below):
            make(top)
            tool("blockdev", "--flushbufs", top)
            tool("blockdev", "--flushbufs", below)
            shutil.copyfile(image, base)
            use_table(f"0 {SIZE // 512} log-writes {below} {writes}")
            answer = load(top, Store())
            tool("blockdev", "--flushbufs", top)
            use_table(whole("linear", below))
        tool("blockdev", "--flushbufs", writes)
        entries = list(_entries(log_file))
        points = sorted(random.Random(5).sample(range(len(entries)), CUTS))
        faults: list[str] = []
        for point in points:
            shutil.copyfile(base, cut)
            _replay(log_file, entries[:point], cut)
            faults += _after(cut, point, content, log)
        return answer | {"writes": len(entries), "faults": faults}
    finally:
        tool("losetup", "--detach", writes)
        for path in (log_file, base, cut):
            path.unlink(missing_ok=True)


def _after(cut: Path, point: int, content: Content, log: list[object]) -> list[str]:
    """Return what is wrong with a disk after a power cut, and after another load."""
    found, _ = really(str(cut))
    faults = [
        f"{point}: {path.decode()} is wrong"
        for path in found
        if found[path] != content.get(path)
    ]
    if not fsck(str(cut)):
        faults.append(f"{point}: the file system has faults")
    again = load(str(cut), Store())
    if again["error"]:
        faults.append(f"{point}: {again}")
    if really(str(cut)) != (content, log):
        faults.append(f"{point}: the disk is another one in the end")
    return faults


_SUPER = struct.Struct("<QQQI")
_ENTRY = struct.Struct("<QQQQ")
_DISCARD, _MARK = 4, 8

Entry = tuple[int, int, int, int]
"""Sector of the disk, sectors, flags, and where the data is in the log."""


def _entries(log: Path) -> Iterator[Entry]:
    """Read what dm-log-writes wrote (Linux, drivers/md/dm-log-writes.c)."""
    with log.open("rb") as file:
        magic, _, count, size = _SUPER.unpack(file.read(_SUPER.size))
        assert (magic, size) == (0x6A736677736872, 512)
        place = size
        for _ in range(count):
            file.seek(place)
            sector, sectors, flags, _ = _ENTRY.unpack(file.read(_ENTRY.size))
            place += size
            yield sector, sectors, flags, place
            if not flags & (_DISCARD | _MARK):
                place += sectors * size


def _replay(log: Path, entries: list[Entry], image: Path) -> None:
    with log.open("rb") as source, image.open("r+b") as target:
        for sector, sectors, flags, place in entries:
            if flags & (_DISCARD | _MARK):
                continue
            source.seek(place)
            target.seek(sector * 512)
            target.write(source.read(sectors * 512))


def everything() -> dict[str, object]:
    """Run all the checks; one that fails has its trace as its answer."""
    load_device._BATCH_FILES = BATCH
    checks: dict[str, Callable[[], Answer]] = {
        "a sound disk": lambda: faulty(lambda below: {1: lambda: None}),
        "eio in each write": lambda: faulty(
            lambda below: {70: lambda: use_table(failing_writes(below))}
        ),
        "eio in each write near the end": lambda: faulty(
            lambda below: {OBJECTS: lambda: use_table(failing_writes(below))}
        ),
        "eio in a part of the disk": lambda: faulty(
            lambda below: {50: lambda: use_table(failing_at(below, *DATA))}
        ),
        "eio for a while that another program hears of": lambda: faulty(for_a_while),
        "power cuts": power_cuts,
    }
    answers: dict[str, object] = {}
    for name, check in checks.items():
        if len(sys.argv) > 1 and name not in sys.argv[1:]:
            continue
        started = time.monotonic()
        try:
            answers[name] = check()
        except Exception:  # every check has its answer
            answers[name] = {"trace": traceback.format_exc()}
        print(f"{name}: {time.monotonic() - started:.2f} s", file=sys.stderr)  # noqa: T201
    return answers


if __name__ == "__main__":
    print(json.dumps(everything()))  # noqa: T201
