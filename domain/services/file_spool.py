"""All files of a tree, taken down one after the other, to be gone through once more."""

import struct
from collections.abc import Iterator

from s3export.domain.backup_layout import TreePath
from s3export.domain.ports import ScratchFile, TreeFile

_HEAD = struct.Struct(">QQ12s12sI")
"""Size, inode, modified, changed, bytes of the path.

Times take 12 bytes: some file systems know years that 64 bits of nanoseconds do not.
"""

_READ_BYTES = 1 << 20


class FileSpool:
    """Keeps files in a scratch file: 44 bytes each, and the path."""

    def __init__(self, scratch: ScratchFile) -> None:
        self._scratch = scratch

    def add(self, file: TreeFile) -> None:
        """Take a file down."""
        head = _HEAD.pack(
            file.size_bytes,
            file.inode,
            file.modified_ns.to_bytes(12, signed=True),
            file.changed_ns.to_bytes(12, signed=True),
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
                size, inode, *times, length = _HEAD.unpack_from(data, place)
                end = place + _HEAD.size + length
                if end > len(data):
                    break
                path = TreePath(data[place + _HEAD.size : end])
                modified, changed = (int.from_bytes(t, signed=True) for t in times)
                yield TreeFile(path, size, modified, inode, changed)
                place = end
            data = data[place:]
