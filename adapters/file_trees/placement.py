"""Where the bytes of a file lie on its disk, as the file system tells it.

Layouts: the Linux kernel's ``Documentation/filesystems/fiemap.rst``.
"""

import errno
import fcntl
import struct

_FIEMAP = 0xC020660B  # _IOWR('f', 11, struct fiemap)
_HEAD = struct.Struct("=QQIIII")  # start, length, flags, mapped, room, reserved
_EXTENT = struct.Struct("=QQQ16xI12x")  # logical, physical, length, flags
_UNKNOWN = 0x2  # not yet on the disk
_TELLS_NOTHING = (errno.EOPNOTSUPP, errno.ENOTTY)


class TellsNoPlaces(Exception):
    """The file system has no answer, for this file or for any."""


def first_place(fd: int) -> int | None:
    """Return the byte of the device at which an open file begins.

    ``None`` for a file without content, or whose content has no place yet. What the
    device is, and how its bytes are spread over disks, is the file system's affair.

    Raises:
        TellsNoPlaces: It is not told on this file system.
        OSError: The disk gives an error.
    """
    question = bytearray(_HEAD.size + _EXTENT.size)
    _HEAD.pack_into(question, 0, 0, (1 << 64) - 1, 0, 0, 1, 0)
    try:
        fcntl.ioctl(fd, _FIEMAP, question)
    except OSError as error:
        if error.errno in _TELLS_NOTHING:
            raise TellsNoPlaces from error
        raise
    mapped = _HEAD.unpack_from(question)[3]
    _, physical, _, flags = _EXTENT.unpack_from(question, _HEAD.size)
    return None if not mapped or flags & _UNKNOWN else physical
