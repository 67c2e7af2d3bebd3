"""A mounted file system that is walked on its device, and read through its mount.

The kernel reads a directory, and each inode, when it is asked for it; a walk of the
device reads them as they lie. It is for looking only: what it names is opened, and
read, through the mount. Where the two may disagree, the mount is right.
"""

import stat
from collections.abc import Iterator

from s3export.adapters.byte_sources import ByteSource
from s3export.adapters.file_trees.mounted import MountedTree, described
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import DeviceUnreadable
from s3export.domain.ports import Damaged, TreeEntry


class DeviceWalkedTree(MountedTree):
    """The files of a file system that is mounted read-only, and nothing else below it.

    Args:
        device: The bytes of the file system; the caller's to close, after the last walk
            has ended.

    Attributes:
        warnings: Why it is walked through its mount after all, if it is: a feature that
            is not known here, or a journal that waits to be replayed.
    """

    def __init__(self, root: str, device: ByteSource) -> None:
        super().__init__(root)
        self._device: UserspaceTree | None = None
        reason = "its journal was not replayed"
        try:
            tree = UserspaceTree(device)
            if not tree.warnings:
                self._device = tree
                return
        except DeviceUnreadable as error:
            reason = error.message
        self.warnings = (f"listed through its mount, which is slower: {reason}",)

    def entries(self, below: TreePath) -> Iterator[TreeEntry]:
        """Yield what lies below a directory, as it lies on the device."""
        if self._device:
            return self._device.entries_or(below, self._as_mounted)
        return super().entries(below)

    def _as_mounted(self, path: TreePath, _: str) -> Iterator[TreeEntry]:
        """Yield what the kernel has where the device makes no sense to us."""
        try:
            found = self._stat(path)
        except OSError as error:
            yield Damaged(path, error.strerror or str(error))
            return
        if stat.S_ISDIR(found.st_mode):
            yield from super().entries(path)
        else:
            yield described(path, found)
