"""The files of a backup, as they are found on a disk; and what else is there."""

from collections.abc import Callable, Generator, Iterable, Mapping
from datetime import datetime
from typing import NoReturn

from s3export.domain.backup_layout import (
    ROOT,
    BackupLayout,
    TreePath,
    below,
    is_furniture,
    join,
    lies_in,
    outermost,
    shown,
)
from s3export.domain.counting import counted
from s3export.domain.errors import DeviceUnreadable, RootAbsent
from s3export.domain.export_log import LogEntry
from s3export.domain.ports import Damaged, FileTree, TreeFile
from s3export.domain.services.knowledge import from_ns
from s3export.domain.verification import Profile

_NAMED = 5  # of the links and special files
_REMEMBERED = 100_000
_FIRST = b"0000"  # of the files in each directory of what was recovered


class BackupFiles:
    """Walks a tree once, and keeps what is seen on the way.

    Args:
        by_path: What the export log says was written, by its path.

    Attributes:
        count: Files found so far.
        damaged: What could not be looked at.
        unwalked: What the log says was written and was not found (yet).

    """

    def __init__(
        self,
        layout: BackupLayout,
        tree: FileTree,
        by_path: Mapping[TreePath, LogEntry],
    ) -> None:
        self._layout = layout
        self._tree = tree
        self._by_path = by_path
        self._newest_ns = 0
        self._not_files = 0
        self._odd: dict[TreePath, None] = {}
        self._unmapped = 0
        self._saw_recovery = False
        self.count = 0
        self.profile = Profile()
        self.damaged: list[Damaged] = []
        self.unwalked = dict(by_path)

    def directories(
        self, logged: Iterable[TreePath] = ()
    ) -> tuple[tuple[TreePath, ...], list[str]]:
        """Return where the files are, and which directories are not there.

        Args:
            logged: The files that the export log names.

        Raises:
            RootAbsent: None of them is, and what was recovered is not all that the log
                knows of; the message says what is in their place.

        """
        wanted = self._layout.directories()
        found = tuple(path for path in wanted if self._tree.has_directory(path))
        absent = [f"/{shown(path)}" for path in wanted if path not in found]
        recovery = self._layout.recovery_directory
        with_data = any(lies_in(path, recovery) for path in found)
        if (self._by_path or with_data) and self._tree.has_directory(recovery):
            found = outermost((*found, recovery))
        named = len(absent) < len(wanted)
        if not named and not (found and all(map(self._is_recovered, logged))):
            self._say_what_is_there(absent)
        return found, [f"the disk has no directory {path}" for path in absent]

    def _is_recovered(self, path: TreePath) -> bool:
        return below(path, self._layout.recovery_directory) is not None

    def _no_directory(self, path: TreePath) -> TreePath | None:
        """Return what stands in the way to a directory, if anything does."""
        names = path.split(b"/")
        ways = (TreePath(b"/".join(names[:n])) for n in range(1, len(names) + 1))
        first = next((way for way in ways if not self._tree.has_directory(way)), ROOT)
        above, _, name = first.rpartition(b"/")
        return first if name in self._tree.names(TreePath(above)) else None

    def _say_what_is_there(self, absent: list[str]) -> NoReturn:
        names = self._tree.names(TreePath(b""))
        there = ", ".join(f"/{shown(name)}" for name in names[:10]) or "nothing"
        if len(names) > 10:
            there += f", and {len(names) - 10:,} more"
        name_it = (
            "name the backup's directory with --target-directory=DIR (/ if it begins "
            "in the root)"
        )
        for odd in filter(None, map(self._no_directory, self._layout.directories())):
            raise RootAbsent(
                f"/{shown(odd)} on the disk is no directory but a link, which is not "
                "followed, or a file",
                next_step="name the directory in which the backup really lies, as "
                "DEVICE and --target-directory=DIR",
            )
        raise RootAbsent(
            f"the disk has no directory {' or '.join(absent)}; in its root: {there}",
            next_step=name_it
            if names
            else f"is it mounted there? findmnt says what is; otherwise {name_it}",
        )

    def walk(
        self,
        directories: Iterable[TreePath],
        is_object: Callable[[TreePath, int], bool] | None = None,
    ) -> Generator[TreeFile, None, None]:
        """Yield the files below the directories, each once.

        Args:
            is_object: Says whether S3 has an object for a path, of that size: then what
                is called as AWS's or ext4's own files are is one of the backup's, as
                where a bucket was copied into the root of a plain directory; or as
                recovered ones are, where it was copied into the recovery directory.

        """
        directories = tuple(directories)
        recovery = self._layout.recovery_directory
        self._saw_recovery = any(lies_in(recovery, each) for each in directories)
        for directory in directories:
            for entry in self._tree.entries(directory):
                if isinstance(entry, Damaged):
                    if not is_furniture(entry.path):
                        self.damaged.append(entry)
                elif not self._belongs(entry.path) and not (
                    is_object
                    and isinstance(entry, TreeFile)
                    and self._layout.may_be_data(entry.path)
                    and is_object(entry.path, entry.size_bytes)
                ):
                    self._unmapped += self._layout.may_be_recovered(entry.path)
                elif isinstance(entry, TreeFile):
                    self.count += 1
                    self.profile.add(entry.path, entry.size_bytes, entry.modified_ns)
                    self._newest_ns = max(self._newest_ns, entry.changed_ns)
                    self.unwalked.pop(entry.path, None)
                    yield entry
                else:
                    self._not_files += 1
                    if len(self._odd) < _REMEMBERED:
                        self._odd[entry.path] = None

    def _belongs(self, path: TreePath) -> bool:
        return self._layout.belongs(path) or path in self._by_path

    def newest_write(self, now: datetime) -> datetime | None:
        """Return when the disk was written to last, as far as the walk has seen.

        A time that is yet to come is as good as ``now``.
        """
        if not self._newest_ns:
            return None
        return min(from_ns(self._newest_ns) or now, now)

    def has_directory(self, path: TreePath) -> bool:
        """Say whether a directory is there."""
        return self._tree.has_directory(path)

    def recovered(self) -> bool:
        """Say whether the recovery directory may hold what was not looked at."""
        try:
            return self._holds_more()
        except DeviceUnreadable:
            return True

    def _holds_more(self) -> bool:
        directory = self._layout.recovery_directory
        names = self._tree.names(directory)
        if not self._saw_recovery:
            places = (join(directory, name, _FIRST) for name in names)
            return any(map(self._layout.may_be_recovered, places))
        return bool(self._unmapped) or any(
            lies_in(each.path, directory) or lies_in(directory, each.path)
            for each in self.damaged
        )

    def not_looked_at(self) -> str:
        """Say what is there and is no file; empty for nothing."""
        if not self._not_files:
            return ""
        several = self._not_files > 1
        entries = counted(
            self._not_files,
            "entry is a link or special file",
            "entries are links or special files",
        )
        named = ", ".join(f"/{shown(path)}" for path in list(self._odd)[:_NAMED])
        if self._not_files > _NAMED:
            named += f" and {self._not_files - _NAMED:,} more"
        were = "they were" if several else "it was"
        return f"{entries}, which no export makes; {were} not looked at: {named}"

    def odd_at(self, path: TreePath) -> TreePath | None:
        """Return the link or special file that is at a path, or above it."""
        names = path.split(b"/")
        ways = (TreePath(b"/".join(names[:n])) for n in range(1, len(names) + 1))
        return next((way for way in ways if way in self._odd), None)

    def warnings(self) -> list[str]:
        """Say what of the recovery directory could not be looked at."""
        directory = self._layout.recovery_directory
        try:
            more = self._holds_more()
        except DeviceUnreadable as error:  # what was verified is verified all the same
            return [f"/{shown(directory)} cannot be read: {error.message}"]
        if more and (self._unmapped or not self._by_path):
            return [
                f"/{shown(directory)} holds files whose keys cannot be names; only the "
                "export log says which, so they were not looked at (--job-id or "
                "--export-log names it)"
            ]
        return []
