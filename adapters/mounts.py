"""Mounts of this process's namespace: whether they are there, and how they go."""

import os
import time
from pathlib import Path

from s3export.adapters import command_lines
from s3export.adapters.commands import Commands
from s3export.adapters.device_facts import parse_mounts
from s3export.adapters.live_runs import run_below
from s3export.adapters.mount_users import let_go, users_of
from s3export.adapters.sessions import RUN_DIRECTORY
from s3export.domain.errors import DeviceFailed

_UNMOUNT_TRIES = 10
_UNMOUNT_PAUSE_SECONDS = 0.3
_MOUNTS = Path("/proc/self/mountinfo")


def is_mounted(mount_point: str) -> bool:
    """Say whether something is mounted there; also where it does not answer any more.

    A FUSE file system whose process is gone gives errors for everything but this list.
    """
    return bool(source_of(mount_point))


def source_of(mount_point: str) -> str:
    """Return what is mounted at a place, the last of several; empty for nothing."""
    place = os.path.realpath(mount_point)
    text = os.fsdecode(_MOUNTS.read_bytes())
    found = [mount.source for mount in parse_mounts(text) if mount.place == place]
    return found[-1] if found else ""


def unmount(commands: Commands, mount_point: str) -> None:
    """Unmount what is mounted there; nothing happens where nothing is.

    What this process itself has open there is let go when it alone keeps it busy: a
    signal can come between the opening of a file and the noting of its descriptor.

    Raises:
        DeviceFailed: It is in use, by whom the message says.
    """
    for tries in range(_UNMOUNT_TRIES):
        try:
            commands.run(command_lines.unmount(mount_point))
        except DeviceFailed as error:
            if not is_mounted(mount_point):
                return  # it failed when that was done
            if tries + 1 == _UNMOUNT_TRIES:
                users = users_of(mount_point)
                used = f"; it is used by {users}" if users else ""
                run = run_below(mount_point, RUN_DIRECTORY)
                first = (
                    f"{run} uses it: {run.way_out}"
                    if run
                    else f"end what uses it (fuser -vm {mount_point})"
                )
                raise DeviceFailed(
                    f"{mount_point} cannot be unmounted: {error.message}{used}",
                    next_step=f"{first}, then: umount {mount_point}",
                ) from error
            time.sleep(_UNMOUNT_PAUSE_SECONDS)
            if tries >= _UNMOUNT_TRIES // 2:
                let_go(mount_point)
        else:
            return
