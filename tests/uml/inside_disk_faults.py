"""Run within user-mode Linux: disks that fail while they are prepared.

Each is a loop device over a device-mapper device, whose table decides which sectors can
be written to: ``linear`` all, ``flakey`` with ``error_writes`` none, with
``drop_writes`` all, but nothing gets there.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from samples import MANIFEST, checked

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.commands import Commands
from s3export.adapters.memory import FixedClock, MemoryExportService
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import S3ExportError
from s3export.domain.ports import WritableTree
from s3export.domain.services.create_job import CreateJob, DiskWishes

SECTORS = 128 * 2048  # 128 MiB
_NAME = "faulty"


def tool(*argv: str, given: str = "") -> str:
    """Run a system tool that must succeed."""
    without_udev = {**os.environ, "DM_DISABLE_UDEV": "1"}  # none runs inside
    done = subprocess.run(
        argv, capture_output=True, text=True, input=given, env=without_udev
    )
    if done.returncode:
        raise AssertionError(f"{argv}: {done.stderr}")
    return done.stdout.strip()


def linear(start: int, end: int, below: str) -> str:
    """Return a segment that does what it should."""
    return f"{start} {end - start} linear {below} {start}"


def flakey(start: int, end: int, below: str, how: str) -> str:
    """Return a segment that reads well, and errs or forgets whatever is written."""
    return f"{start} {end - start} flakey {below} {start} 0 3600 1 {how}"


def table(case: str, below: str) -> str:
    """Return the device-mapper table that a disk begins with."""
    match case:
        case "no write succeeds":
            return flakey(0, SECTORS, below, "error_writes")
        case "the middle is broken":
            middle, end = SECTORS // 4, SECTORS // 2
            return "\n".join(
                [
                    linear(0, middle, below),
                    f"{middle} {end - middle} error",
                    linear(end, SECTORS, below),
                ]
            )
        case "all writes are forgotten":
            return flakey(0, SECTORS, below, "drop_writes")
        case "the start cannot be read":
            return f"0 64 error\n{linear(64, SECTORS, below)}"
        case _:
            return linear(0, SECTORS, below)


class Devices(SystemBlockDevices):
    """The system's, with a disk that goes bad once it is formatted."""

    later = ""

    @contextmanager
    def open_for_writing(self, facts: DeviceFacts) -> Iterator[WritableTree]:
        """Reload the table first."""
        if self.later:
            tool("dmsetup", "suspend", _NAME)
            tool("dmsetup", "load", _NAME, given=self.later)
            tool("dmsetup", "resume", _NAME)
            self.later = ""
        with super().open_for_writing(facts) as tree:
            yield tree


@contextmanager
def disk(case: str, folder: Path) -> Iterator[tuple[str, str]]:
    """Make a disk of a kind; give its path, and that of the device below."""
    image = folder / "disk.img"
    with image.open("wb") as file:
        file.truncate(SECTORS * 512)
    with ExitStack() as stack:
        below = tool("losetup", "--find", "--show", str(image))
        stack.callback(tool, "losetup", "--detach", below)
        tool("dmsetup", "create", _NAME, given=table(case, below))
        stack.callback(tool, "dmsetup", "remove", "--retry", _NAME)
        above = tool(
            "losetup", "--find", "--show", "--direct-io=on", f"/dev/mapper/{_NAME}"
        )
        stack.callback(tool, "losetup", "--detach", above)
        yield above, below
    image.unlink()


def tried(case: str, folder: Path) -> dict[str, object]:
    """Have a job created for a disk of a kind; return what came of it."""
    export = MemoryExportService()
    devices = Devices(
        Commands(), run_directory="/run/s3export", backup_directory="/run/erased"
    )
    create = CreateJob(export, devices, FixedClock())
    manifest = checked(MANIFEST).accepted()
    message = next_step = ""
    with disk(case, folder) as (path, below):
        if case == "writing fails once it is formatted":
            devices.later = flakey(0, SECTORS, below, "error_writes")
        elif case == "writes are forgotten once it is formatted":
            devices.later = flakey(0, SECTORS, below, "drop_writes")
        try:
            wishes = DiskWishes(full_format=True)
            create.carry_out(create.plan(manifest, path, wishes))
        except S3ExportError as error:
            message, next_step = error.message, error.next_step
        listed = tool("sfdisk", "--json", below) if _has_table(below) else ""
    mounts = Path("/proc/mounts").read_text()
    return {
        "message": message,
        "next_step": next_step,
        "jobs": [job.job_id for job in export.jobs()],
        "table": bool(listed),
        "mounted": "/s3export/" in mounts,
        "loops": tool("losetup", "--list", "--noheadings"),
    }


def _has_table(device: str) -> bool:
    return not subprocess.run(
        ["sfdisk", "--json", device], capture_output=True, check=False
    ).returncode


if __name__ == "__main__":
    folder = Path("/run/tmp")
    told = {case: tried(case, folder) for case in sys.argv[1:]}
    sys.stdout.write(f"{json.dumps(told)}\n")
