"""Runs within user-mode Linux: a disk fails while it is prepared, the answers as JSON.

The disk is a loop device (with direct I/O, and so without buffers of its own below)
over a device-mapper device, whose table is replaced while s3export runs.
"""

import json
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from samples import MANIFEST

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.command_lines import CommandLine
from s3export.adapters.commands import Commands, Output
from s3export.adapters.memory import FixedClock, MemoryExportService, MemoryManifests
from s3export.domain.devices.preparation import DiskState
from s3export.domain.errors import S3ExportError
from s3export.domain.services.create_job import CreateJob, DiskWishes

MIB = 1 << 20
SIZE = 48 * MIB
SECTORS = SIZE // 512
NAME = "fault"
MAPPED = f"/dev/mapper/{NAME}"


def tool(*argv: str, stdin: str = "") -> str:
    """Run a system tool that must succeed."""
    done = subprocess.run(
        argv, input=stdin, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise AssertionError(f"{argv}: {done.returncode} {done.stdout}{done.stderr}")
    return done.stdout.strip()


def held() -> list[str]:
    """Return every loop device and mount."""
    loops = [path.parts[3] for path in Path("/sys/block").glob("loop*/loop")]
    mounts = [
        line.split()[1]
        for line in Path("/proc/mounts").read_text().splitlines()
        if line.startswith("/dev/") or "s3export" in line
    ]
    return [*loops, *mounts]


def whole(target: str, below: str, more: str = "") -> str:
    """Return a table of one segment."""
    return f"0 {SECTORS} {target} {below} 0{more}"


def failing_at(below: str, start: int, length: int) -> str:
    """Return a table that gives EIO for a range of bytes."""
    first, count = start // 512, length // 512
    end = first + count
    return (
        f"0 {first} linear {below} 0\n{first} {count} error\n"
        f"{end} {SECTORS - end} linear {below} {end}"
    )


def load(table: str) -> None:
    """Replace the table; what is under way is completed before."""
    tool("dmsetup", "suspend", "--nolockfs", NAME)
    tool("dmsetup", "load", NAME, stdin=table)
    tool("dmsetup", "resume", NAME)


class Turning(Commands):
    """Replaces the table right before a command line runs.

    Attributes:
        at: How it begins, and the how-many-eth of those it is.
    """

    def __init__(self, at: tuple[str, int], turn: Callable[[], None]) -> None:
        super().__init__()
        self.at, self.turn, self.seen = at, turn, 0

    def run(self, line: CommandLine, *, secret: bytes | None = None) -> Output:
        """Run it, and count."""
        if " ".join(line.argv).startswith(self.at[0]):
            self.seen += 1
            if self.seen == self.at[1]:
                self.turn()
        return super().run(line, secret=secret)


@contextmanager
def disk() -> Iterator[tuple[str, str]]:
    """Give the disk and the device below all of it, which never fails."""
    image = Path("/run/tmp/disk.img")
    with image.open("wb") as file:
        file.truncate(SIZE)
    below = tool("losetup", "--find", "--show", str(image))
    try:
        tool("dmsetup", "create", NAME, stdin=whole("linear", below))
        try:
            tool("dmsetup", "mknodes")
            top = tool("losetup", "--find", "--show", "--direct-io=on", MAPPED)
            try:
                yield top, below
            finally:
                tool("losetup", "--detach", top)
                for _ in range(50):
                    if top.rpartition("/")[2] not in held():
                        break
                    time.sleep(0.1)
        finally:
            tool("dmsetup", "remove", "--retry", NAME)
    finally:
        tool("losetup", "--detach", below)
        image.unlink()


def prepared(
    table: Callable[[str], str],
    *,
    at: tuple[str, int] = ("sfdisk --quiet", 1),
    wishes: DiskWishes | None = None,
) -> dict[str, object]:
    """Create a job for a disk that begins to fail; then resume it on a sound one."""
    wishes = wishes or DiskWishes()
    with disk() as (top, below):
        before = held()
        export = MemoryExportService()
        manifest = MemoryManifests({"m": MANIFEST}).read("m").accepted()
        commands = Turning(at, lambda: load(table(below)))

        def use_case(runs: Commands) -> CreateJob:
            devices = SystemBlockDevices(
                runs, run_directory="/run/s3export", backup_directory="/run/erased"
            )
            return CreateJob(export, devices, FixedClock())

        answer: dict[str, object] = {}
        create = use_case(commands)
        try:
            create.carry_out(create.plan(manifest, top, wishes))
            answer["error"] = ""
        except S3ExportError as error:
            answer |= {"error": type(error).__name__, "message": error.message}
            answer["next_step"] = error.next_step
            told = [s.name for s in DiskState if s.value in error.message]
            answer["told"] = told
        answer["turned"] = commands.seen >= at[1]
        answer["left"] = [one for one in held() if one not in before]
        # What is really there: below everything, after all buffers are forgotten.
        tool("blockdev", "--flushbufs", below)
        answer |= really(below)
        load(whole("linear", below))
        for device in (top, MAPPED):
            tool("blockdev", "--flushbufs", device)
        (job,) = export.jobs()
        answer["job"] = job.job_id
        sound = use_case(Commands())
        keep = "--skip-format" in str(answer.get("next_step", ""))
        again = DiskWishes(erase=not keep, whole_disk=wishes.whole_disk)
        done = sound.carry_out(sound.plan(manifest, top, again, resume=job.job_id))
        tool("blockdev", "--flushbufs", below)
        answer["ready"] = really(below)["signature"] == done.signature_file
        answer["jobs"] = len(list(export.jobs()))
        return answer


def really(below: str) -> dict[str, object]:
    """Say what is on a disk, by tools that are not s3export's."""
    table = subprocess.run(
        ("sfdisk", "--json", below), capture_output=True, text=True, check=False
    )
    offset = 0
    has_table = table.returncode == 0
    if has_table:
        parts = json.loads(table.stdout)["partitiontable"].get("partitions", [])
        offset = parts[0]["start"] * 512 if parts else 0
    where = f"{below}?offset={offset}"
    fsck = subprocess.run(
        ("e2fsck", "-f", "-n", where), capture_output=True, text=True, check=False
    )
    signature = ""
    if fsck.returncode == 0:
        signature = subprocess.run(
            ("debugfs", "-R", "cat SIGNATURE", where),
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    return {
        "has_table": has_table,
        "has_file_system": fsck.returncode == 0,
        "signature": signature,
    }


def dropping(below: str) -> str:
    """Return a table that says "done" to each write, and does not do it."""
    return whole("flakey", below, " 0 3600 1 drop_writes")


def failing_writes(below: str) -> str:
    """Return a table that gives EIO for each write, and reads well."""
    return whole("flakey", below, " 0 3600 1 error_writes")


def everything() -> dict[str, object]:
    """Run all the checks; one that fails has its trace as its answer."""
    full = DiskWishes(full_format=True)
    full_whole = DiskWishes(full_format=True, whole_disk=True)
    checks: dict[str, Callable[[], dict[str, object]]] = {
        "a sound disk": lambda: prepared(lambda below: whole("linear", below)),
        "eio in the table": lambda: prepared(lambda below: failing_at(below, 512, 512)),
        "eio in the backup table": lambda: prepared(
            lambda below: failing_at(below, SIZE - 16_384, 8192)
        ),
        "eio in each write": lambda: prepared(failing_writes),
        "eio in the middle of mkfs": lambda: prepared(
            lambda below: failing_at(below, 16 * MIB, 8 * MIB),
            at=("mkfs.ext4", 1),
            wishes=full,
        ),
        "eio in the middle of mkfs without a table": lambda: prepared(
            lambda below: failing_at(below, 16 * MIB, 8 * MIB),
            at=("mkfs.ext4", 1),
            wishes=full_whole,
        ),
        "eio in the writes of mkfs": lambda: prepared(
            failing_writes, at=("mkfs.ext4", 1)
        ),
        "eio when flushed": lambda: prepared(failing_writes, at=("blockdev", 1)),
        "eio when signed": lambda: prepared(failing_writes, at=("umount", 1)),
        "eio when mounted": lambda: prepared(failing_writes, at=("mount", 1)),
        "eio when read back": lambda: prepared(
            lambda below: failing_at(below, MIB, 8 * MIB), at=("mount", 2)
        ),
        "writes lost from the table on": lambda: prepared(dropping),
        "writes lost from mkfs on": lambda: prepared(dropping, at=("mkfs.ext4", 1)),
        "writes lost from the signature on": lambda: prepared(
            dropping, at=("mount", 1)
        ),
        "writes lost from the signature on without a table": lambda: prepared(
            dropping, at=("mount", 1), wishes=DiskWishes(whole_disk=True)
        ),
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
