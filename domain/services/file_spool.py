"""All files of a tree, taken down one after the other, to be gone through once more."""

import struct
from collections.abc import Iterator

from s3export.domain.backup_layout import TreePath
from s3export.domain.ports import ScratchFile, TreeFile

_HEAD = struct.Struct(">QqQqI")
"""Size, modified, inode, changed, bytes of the path."""

_READ_BYTES = 1 << 20


class FileSpool:
    """Keeps files in a scratch file: 36 bytes each, and the path."""

    def __init__(self, scratch: ScratchFile) -> None:
        self._scratch = scratch

    def add(self, file: TreeFile) -> None:
        """Take a file down."""
        head = _HEAD.pack(
            file.size_bytes,
            file.modified_ns,
            file.inode,
            file.changed_ns,
            len(file.path),
        )
        self._scratch.append(head + file.path)

    def files(self) -> Iterator[TreeFile]:
        """Yield the files in the order in which they came."""
        start, data = 0, b""
        while more := self._scratch.read(start, _READ_BYTES):
            start += len(more)
            data += more
            place = 0
            while len(data) - place >= _HEAD.size:
                size, modified, inode, changed, length = _HEAD.unpack_from(data, place)
                end = place + _HEAD.size + length
                if end > len(data):
                    break
                path = TreePath(data[place + _HEAD.size : end])
                yield TreeFile(path, size, modified, inode, changed)
                place = end
            data = data[place:]
