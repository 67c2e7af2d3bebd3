"""Decrypted volumes as files: the processes that present them, and how those end.

What TrueCrypt itself did on Linux: a process of its own decrypts, FUSE makes a file of
that, a loop device stands on the file, and the file system is mounted on that.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from s3export.adapters import command_lines, mounts
from s3export.adapters.commands import Commands, Server
from s3export.adapters.containers import fuse_volume
from s3export.adapters.containers.fuse_volume import Instructions
from s3export.adapters.containers.opening import FoundVolume
from s3export.adapters.loop_devices import Shield
from s3export.adapters.sessions import Session
from s3export.domain.errors import DeviceFailed, ToolMissing

_START_SECONDS = 60.0
_END_SECONDS = 600.0  # the disk below may have much to write before it is synced
_PAUSE_SECONDS = 0.05
_DEVICE = Path("/dev/fuse")
_PROCESSES = Path("/proc")


class FuseMounts:
    """Presents volumes; needs root, a kernel with FUSE, and libfuse3.

    Args:
        shield: Entered around each step that acquires or releases something.
        run_directory: Where mount points and notes are kept.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        shield: Shield = contextlib.nullcontext,
        run_directory: str,
    ) -> None:
        self._commands = commands
        self._shield = shield
        self._session = Session.of_this_process(run_directory)

    def available(self) -> str:
        """Say what is lacking; empty where nothing is. Changes nothing."""
        if not _DEVICE.exists():
            return f"the kernel has no FUSE (module fuse; there is no {_DEVICE})"
        try:
            fuse_volume.library()
        except ToolMissing as error:
            return error.message
        return ""

    @contextmanager
    def presented(
        self, file: int, volume: FoundVolume, *, base: int = 0
    ) -> Iterator[str]:
        """Give the path of a file that is the decrypted volume, to be written to.

        On leaving it is unmounted, and the process that decrypts has ended.

        Args:
            file: A descriptor of what holds the container, for reading and writing.
            base: Where the container begins in it, in bytes.

        Raises:
            DeviceFailed: It could not be presented; or, on leaving, something that was
                written did not reach the disk.
        """
        instructions = Instructions(
            file, base, volume.region.start, volume.region.size, volume.cascade
        )
        with ExitStack() as stack:
            with self._shield():
                mount_point = str(self._session.mount_point())
                stack.callback(self._session.close)
                stack.callback(_remove, mount_point)
                server = self._commands.serve(
                    command_lines.serve_volume(mount_point),
                    instructions.with_keys(volume.keys),
                    file=file,
                )
                stack.callback(server.let_go)
                said = server.line(_START_SECONDS)
                if said != fuse_volume.READY:
                    self._give_up(server, mount_point, said)
                stack.callback(self._end, server, mount_point)
            yield str(Path(mount_point, fuse_volume.FILE_NAME))

    def _give_up(self, server: Server, mount_point: str, said: bytes) -> None:
        server.kill()
        if mounts.is_mounted(mount_point):
            mounts.unmount(self._commands, mount_point)
        reason = _reason(said) or "the process that presents the volume did not begin"
        raise DeviceFailed(
            f"the container cannot be decrypted in userspace: {reason}",
            next_step="see whether FUSE works here: the module fuse, /dev/fuse, and "
            "the package fuse3",
        )

    def _end(self, server: Server, mount_point: str) -> None:
        with self._shield():
            if mounts.is_mounted(mount_point):
                mounts.unmount(self._commands, mount_point)
            said = server.line(_END_SECONDS)
            status = server.wait(_END_SECONDS)
        if status == 0:
            return
        raise DeviceFailed(
            f"not all that was written to the container is on the disk: "
            f"{_reason(said) or _how_it_ended(status)}",
            next_step="look at the disk below, and at what the kernel says: dmesg",
        )


def _reason(said: bytes) -> str:
    """Read the last words; empty where they are none, or give no reason."""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(said)["failure"])
    return ""


def _how_it_ended(status: int | None) -> str:
    if status is None:
        return "the process that encrypts does not end"
    return f"the process that encrypts was ended (status {status})"


def await_end_of_server(mount_point: str) -> None:
    """Wait until no process presents a volume there: it may have something to write.

    Raises:
        DeviceFailed: One does not end.
    """
    deadline = time.monotonic() + _END_SECONDS
    while found := _servers(mount_point):
        if time.monotonic() > deadline:
            raise DeviceFailed(
                f"process {found[0]}, which presented a volume at {mount_point}, does "
                "not end"
            )
        time.sleep(_PAUSE_SECONDS)


def _servers(mount_point: str) -> list[str]:
    arguments = command_lines.serve_volume(mount_point).argv[-2:]
    sought = b"\0".join(os.fsencode(argument) for argument in arguments) + b"\0"
    found = []
    for process in _PROCESSES.glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it ended meanwhile
            if (process / "cmdline").read_bytes().endswith(b"\0" + sought):
                found.append(process.name)
    return found


def _remove(mount_point: str) -> None:
    """Keep it where unmounting failed: that error names it."""
    if not mounts.is_mounted(mount_point):
        Path(mount_point).rmdir()
