"""Open what lies below a directory, following no link, whatever a disk holds.

By openat2(2), which does so in one call (Linux 5.6; ``RESOLVE_BENEATH`` and
``RESOLVE_NO_SYMLINKS``), which Python does not offer. Otherwise name by name, which is
the same: on older kernels, where a sandbox forbids the call, for paths longer than the
system takes at once, and where something moves on the way.
"""

import ctypes
import errno
import os
from collections.abc import Sequence

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY

_OPENAT2 = 437  # on every architecture but Alpha, which has no such Python either
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08
_NOT_TO_BE_HAD = (errno.ENOSYS, errno.EPERM)
_ANOTHER_WAY = (
    *(errno.EAGAIN, errno.ENAMETOOLONG, errno.EXDEV, errno.E2BIG),
    errno.EINTR,  # Python's own calls begin anew after a signal (PEP 475)
)


class _How(ctypes.Structure):
    """``struct open_how`` of linux/openat2.h."""

    _fields_ = (
        ("flags", ctypes.c_uint64),
        ("mode", ctypes.c_uint64),
        ("resolve", ctypes.c_uint64),
    )


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.argtypes = (
    ctypes.c_long,
    ctypes.c_int,
    ctypes.c_char_p,
    ctypes.POINTER(_How),
    ctypes.c_size_t,
)
_syscall.restype = ctypes.c_long


class Beneath:
    """Opens paths below directories.

    Args:
        at_once: Whether to try openat2 at all.

    """

    def __init__(self, *, at_once: bool = True) -> None:
        self._at_once = at_once

    def open(self, root: int, path: bytes, flags: int) -> int:
        """Return a descriptor of a path below an open directory.

        Raises:
            OSError: As openat(2) raises it; ``ELOOP`` or ``ENOTDIR`` for a link on the
                way or at its end, ``ENOTDIR`` for a path with ``..``.

        """
        names = names_of(path)
        if self._at_once:
            how = _How(flags, 0, _RESOLVE_NO_SYMLINKS | _RESOLVE_BENEATH)
            fd: int = _syscall(_OPENAT2, root, path or b".", how, ctypes.sizeof(how))
            if fd >= 0:
                return fd
            code = ctypes.get_errno()
            if code in _NOT_TO_BE_HAD:
                self._at_once = code == errno.EPERM and not _is_forbidden(root)
            elif code not in _ANOTHER_WAY:
                raise OSError(code, os.strerror(code))
        return _name_by_name(root, names, flags)


def _is_forbidden(root: int) -> bool:
    """Say whether openat2 itself is: some sandboxes answer so what they do not know."""
    how = _How(DIRECTORY, 0, _RESOLVE_BENEATH)
    fd: int = _syscall(_OPENAT2, root, b".", how, ctypes.sizeof(how))
    if fd >= 0:
        os.close(fd)
    return fd < 0


def _name_by_name(root: int, names: Sequence[bytes], flags: int) -> int:
    above = os.open(".", DIRECTORY, dir_fd=root)
    try:
        for name in names[:-1]:
            deeper = os.open(name, DIRECTORY, dir_fd=above)
            os.close(above)
            above = deeper
        return os.open(names[-1] if names else b".", flags, dir_fd=above)
    finally:
        os.close(above)


def names_of(path: bytes) -> Sequence[bytes]:
    """Return the names of a path; what a disk says may not lead out of it.

    Raises:
        OSError: It has ``..`` in it, or what is no name.

    """
    names = path.split(b"/") if path else []
    if b".." in names:
        raise NotADirectoryError(errno.ENOTDIR, "a path of a disk has no ..")
    if b"" in names or b"\0" in path:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return names
