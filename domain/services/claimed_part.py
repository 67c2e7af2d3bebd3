"""Whether a disk holds no more than the part of a selection that it says it holds.

A part excuses what is not on the disk, so it is believed only as long as nothing on the
disk contradicts it: a file outside of it, of an object that S3 has. So do the disks of
a series that were copied into one directory, where the last one's word is left over,
and a disk's copy that was completed later. Other files outside of it (a desktop's own,
say) say nothing.
"""

from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice

from s3export.domain.backup_layout import (
    BackupLayout,
    NotAPath,
    ObjectName,
    Substitution,
    TreePath,
    below,
    key_of,
    substituted,
)
from s3export.domain.errors import PermissionMissing
from s3export.domain.ports import FileTree, ObjectStore, Stop, TreeFile, Workers

_MOST_ASKED = 1000


class PartRefuted(Exception):
    """A file on the disk lies outside of the part, and S3 has its object."""

    def __init__(self, path: TreePath) -> None:
        super().__init__(path)
        self.path = path


class ClaimedPart:
    """Watches a walk for files outside of a part.

    Args:
        part: What the disk says.
        whole: What that was cut out of.

    """

    def __init__(self, part: BackupLayout, whole: BackupLayout) -> None:
        self._part = part
        self._whole = whole
        self._outside: list[tuple[TreePath, tuple[ObjectName, ...]]] = []
        self.unasked = 0

    def seen(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        """Let files pass, and remember those outside."""
        for file in files:
            self._look_at(file.path)
            yield file

    def look_elsewhere(self, tree: FileTree) -> None:
        """See what lies in directories that only the whole has."""
        own = self._part.directories()
        for directory in self._whole.directories():
            covered = any(
                directory == one or below(directory, one) is not None for one in own
            )
            if covered or not tree.has_directory(directory):
                continue
            entries = tree.entries(directory)
            files = (entry for entry in entries if isinstance(entry, TreeFile))
            for file in islice(files, _MOST_ASKED):
                self._look_at(file.path)

    def refuted_by(
        self, store: ObjectStore, workers: Workers, at_once: int
    ) -> TreePath | None:
        """Return a file outside of the part whose object S3 has, if there is one.

        Raises:
            AwsError: S3 cannot be asked.

        """

        def is_there(
            outside: tuple[TreePath, tuple[ObjectName, ...]], stop: Stop
        ) -> TreePath | None:
            path, names = outside
            for name in names:
                try:
                    if store.head(name.bucket, name.key) is not None:
                        return path
                except PermissionMissing:  # of what it does not have S3 says so
                    return path
            return None

        with closing(workers.map(is_there, self._outside, at_once=at_once)) as told:
            return next(filter(None, told), None)

    def _look_at(self, path: TreePath) -> None:
        if _names(self._part, path):
            return
        names = _names(self._whole, path)
        if names and len(self._outside) < _MOST_ASKED:
            self._outside.append((path, names))
        elif names:
            self.unasked += 1


def _names(layout: BackupLayout, path: TreePath) -> tuple[ObjectName, ...]:
    """Return which objects can have been written to a path, as far as it tells."""
    found = []
    for source in layout.sources:
        relative = below(path, source.directory)
        try:
            key = None if relative is None else key_of(relative)
        except NotAPath:
            continue
        if key is not None:
            back = [Substitution(s.instead, s.part) for s in source.substitutions]
            for each in (key, substituted(key, back)):
                if source.selects(each) and source.puts(each, path):
                    found.append(ObjectName(source.bucket, each))
    return tuple(dict.fromkeys(found))
