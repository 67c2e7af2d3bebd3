"""Presents a decrypted volume as one file, through FUSE: a program, not a library.

    python -m s3export.adapters.containers.fuse_volume MOUNT_POINT

What is needed to decrypt comes from the standard input (`Instructions`), never from an
argument or a variable. ``ready`` goes to the standard output once the file is there,
and at the end `Ended` as JSON; the exit status is 0 if every write reached the disk.

It lives until its mount is unmounted, whatever happens to the process that started it:
what is mounted on its file loses nothing. Signals that ask for an end are held back.
"""

import contextlib
import ctypes
import errno
import json
import os
import resource
import signal
import stat
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from s3export.adapters.containers.sector_ciphers import SectorCipher, wipe
from s3export.adapters.containers.tcrypt_header import Region
from s3export.adapters.containers.writable_volume import WritableVolume
from s3export.domain.errors import S3ExportError, ToolMissing

FILE_NAME: Final = "volume"
SOURCE: Final = "s3export-volume"
"""What the list of mounts says that is mounted."""

READY: Final = b"ready\n"

_LIBRARIES: Final = ("libfuse3.so.4", "libfuse3.so.3")
_LASTS_SECONDS: Final = 3600.0  # nothing about the file ever changes

_PR_SET_DUMPABLE, _PR_SET_IO_FLUSHER = 4, 57  # linux/prctl.h
_MCL_CURRENT, _MCL_FUTURE, _MCL_ONFAULT = 1, 2, 4  # mlockall(2)
_LEAST_LIKELY_TO_BE_KILLED = "-1000"  # proc(5), oom_score_adj


@dataclass(frozen=True)
class Instructions:
    """What is given to the program: a line of JSON, then the keys as they are.

    Attributes:
        file: The number of an inherited descriptor, for reading and writing.
        base: Where the container begins in it, in bytes.
        start, size: Where the data is in the container, in bytes.
        cascade: The ciphers, as `sector_ciphers.Cascade`.
    """

    file: int
    base: int
    start: int
    size: int
    cascade: tuple[str, ...]

    def with_keys(self, keys: bytes | bytearray) -> bytes:
        """Return what goes to the program's standard input."""
        return json.dumps(asdict(self)).encode() + b"\n" + keys


@dataclass(frozen=True)
class Ended:
    """What is told at the end.

    Attributes:
        failure: The first error of writing; empty for none.
    """

    failure: str = ""


def library() -> str:
    """Return the name of the FUSE library that is installed.

    Raises:
        ToolMissing: There is none.
    """
    for name in _LIBRARIES:
        with contextlib.suppress(OSError):
            ctypes.CDLL(name)
            return name
    raise ToolMissing(
        "the system library libfuse3 is not installed",
        next_step="install it with: apt-get install fuse3",
    )


def main() -> int:
    """Run the program."""
    mount_point = sys.argv[1]
    signal.pthread_sigmask(
        signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    )
    _settle_in()
    given = _standard_input()
    head, _, _ = bytes(given).partition(b"\n")
    asked = json.loads(head)
    keys = given[len(head) + 1 :]
    cipher = SectorCipher(tuple(asked["cascade"]), keys)
    wipe(keys)
    wipe(given)
    volume = WritableVolume(
        asked["file"],
        Region(asked["start"], asked["size"]),
        cipher,
        base=asked["base"],
    )
    try:
        _serve(volume, mount_point)
        with contextlib.suppress(OSError):  # it is noted
            volume.sync()
    finally:
        volume.close()
    _say(json.dumps(asdict(Ended(volume.failure))).encode() + b"\n")
    return 1 if volume.failure else 0


def _settle_in() -> None:
    """Keep keys out of core dumps and swap, and stay alive where memory is short.

    As an I/O flusher the process never waits for memory that is freed only by writing
    to what is mounted on its own file. All of it is as good as the system allows.
    """
    libc = ctypes.CDLL(None)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    libc.prctl(_PR_SET_IO_FLUSHER, 1, 0, 0, 0)
    libc.mlockall(_MCL_CURRENT | _MCL_FUTURE | _MCL_ONFAULT)
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(_LEAST_LIKELY_TO_BE_KILLED)


def _standard_input() -> bytearray:
    """Return all of it; no copy of it is left in Python's buffers."""
    given, piece = bytearray(), bytearray(4096)
    while count := os.readv(0, [piece]):
        given += piece[:count]
    wipe(piece)
    return given


def _say(words: bytes) -> bool:
    """Say whether somebody still listens."""
    try:
        os.write(1, words)
    except OSError:
        return False
    return True


def _serve(volume: WritableVolume, mount_point: str) -> None:
    """Return when the mount is unmounted."""
    os.environ["FUSE_LIBRARY_PATH"] = library()
    import mfusepy  # it loads the library that the variable names

    class OneFile(mfusepy.Operations):  # type: ignore[misc]
        """A directory with the volume in it."""

        use_ns = True

        def init(self, path: str) -> None:
            # Whoever started us may be gone before anything was noted or attached.
            if not _say(READY):
                mfusepy.fuse_exit()

        def getattr(self, path: str, fh: int | None = None) -> dict[str, Any]:
            if path == "/":
                return {"st_mode": stat.S_IFDIR | 0o700, "st_nlink": 2}
            _only(path)
            mode = stat.S_IFREG | 0o600
            return {"st_mode": mode, "st_nlink": 1, "st_size": volume.size_bytes}

        def readdir(self, path: str, fh: int) -> list[str]:
            return [".", "..", FILE_NAME]

        def open(self, path: str, flags: int) -> int:
            _only(path)
            return 0

        def read(self, path: str, size: int, offset: int, fh: int) -> bytes:
            return volume.read(offset, size)

        def write(self, path: str, data: bytes, offset: int, fh: int) -> int:
            return volume.write(offset, data)

        def fsync(self, path: str, datasync: int, fh: int) -> int:
            volume.sync()
            return 0

    # One thread: with several, Python's lock passed around costs half the speed.
    mfusepy.FUSE(
        OneFile(),
        mount_point,
        foreground=True,
        nothreads=True,
        fsname=SOURCE,
        subtype="s3export",
        attr_timeout=_LASTS_SECONDS,
        entry_timeout=_LASTS_SECONDS,
        nosuid=True,
        nodev=True,
        noexec=True,
    )


def _only(path: str) -> None:
    if path != f"/{FILE_NAME}":
        raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (S3ExportError, OSError) as error:
        _say(json.dumps(asdict(Ended(str(error)))).encode() + b"\n")
        sys.exit(2)
    except RuntimeError as error:  # all that mfusepy tells is a number
        words = f"libfuse could not mount it (status {error})"
        _say(json.dumps(asdict(Ended(words))).encode() + b"\n")
        sys.exit(2)
