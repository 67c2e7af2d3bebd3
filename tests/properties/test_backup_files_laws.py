"""Laws of finding a backup's files, however its directories lie to each other."""

import re
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.adapters.memory import MemoryFileTree
from s3export.domain.backup_layout import BackupLayout, Source, TreePath
from s3export.domain.errors import RootAbsent
from s3export.domain.export_log import LogEntry
from s3export.domain.services.backup_files import BackupFiles

_names = st.sampled_from([b"a", b"b", b"0000", b"0001"])
_directories = st.lists(_names, max_size=3).map(b"/".join).map(TreePath)
_paths = st.lists(_names, min_size=1, max_size=5).map(b"/".join).map(TreePath)


@dataclass(frozen=True)
class Disk:
    """A disk, what should be on it, and which files the log names."""

    layout: BackupLayout
    files: frozenset[TreePath]
    logged: frozenset[TreePath]

    def walked(self) -> tuple[list[TreePath], BackupFiles]:
        """Return the files of a walk; none where there is no directory."""
        log = {path: _entry(path) for path in self.logged}
        tree = MemoryFileTree({bytes(path): b"x" for path in self.files})
        files = BackupFiles(self.layout, tree, log)
        try:
            directories, _ = files.directories(log)
        except RootAbsent:
            return [], files
        return [file.path for file in files.walk(directories)], files

    def belonging(self) -> set[TreePath]:
        """Return the files that belong, each looked at alone."""
        return {path for path in self.files if self._belongs(path)}

    def _belongs(self, path: TreePath) -> bool:
        recovery = self.layout.recovery_directory
        above = [s.directory for s in self.layout.sources if _lies(path, s.directory)]
        if path in self.logged:
            return bool(above) or _lies(path, recovery)
        if not _lies(path, recovery):
            return bool(above)
        number = re.fullmatch(rb"\d{4}/\d{4}", path[len(recovery) :].lstrip(b"/"))
        return not number and any(
            directory == recovery or _lies(directory, recovery) for directory in above
        )


def _entry(path: TreePath) -> LogEntry:
    return LogEntry(None, "bkt", path.decode(), path, 200, "OK", "")


def _lies(path: bytes, directory: bytes) -> bool:
    names = directory.split(b"/") if directory else []
    own = path.split(b"/") if path else []
    return len(own) > len(names) and own[: len(names)] == names


@st.composite
def disks(draw: st.DrawFn) -> Disk:
    """One to three directories of data and one of recovery, beside or in each other."""
    sources = draw(st.lists(_directories, min_size=1, max_size=3))
    layout = BackupLayout(
        tuple(Source("bkt", directory) for directory in sources), draw(_directories)
    )
    near = st.builds(
        lambda directory, path: TreePath(b"/".join(filter(None, (directory, path)))),
        st.sampled_from([*sources, layout.recovery_directory]),
        _paths,
    )
    files = draw(st.frozensets(_paths | near, max_size=12))
    files = frozenset(f for f in files if not any(_lies(other, f) for other in files))
    some = st.frozensets(st.sampled_from(sorted(files))) if files else st.just(files)
    return Disk(layout, files, draw(some))


@given(disks())
@SETTINGS
def test_every_file_that_belongs_is_walked_once(disk: Disk) -> None:
    """And no other, whether data's and recovery's directories are nested or equal."""
    walked, files = disk.walked()

    assert len(walked) == len(set(walked)) == files.count
    there = any(_lies(f, s.directory) for s in disk.layout.sources for f in disk.files)
    if there:
        assert set(walked) == disk.belonging()
    else:
        assert set(walked) <= disk.belonging()


@given(disks())
@SETTINGS
def test_what_was_recovered_and_not_looked_at_is_told_just_where_there_is_any(
    disk: Disk,
) -> None:
    """Of files that were looked at it is not said that they were not."""
    walked, files = disk.walked()
    recovery = disk.layout.recovery_directory
    unseen = {f for f in disk.files if _lies(f, recovery)} - set(walked)
    there = any(_lies(f, s.directory) for s in disk.layout.sources for f in disk.files)

    if there:
        assert bool(files.warnings()) is bool(unseen) is files.recovered()
