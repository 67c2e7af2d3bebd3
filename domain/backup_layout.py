"""Where on the disk an object lies, and which object a file on the disk was.

AWS writes one file per object; the whole key is the path below the directory of the
bucket's name, or of ``targetDirectory`` in its place (AWS Import/Export Developer
Guide, "Managing file exports"; for ``targetDirectory``, the behaviour that the
original s3export_backup relied on). Paths on a disk are bytes, since a file system
does not promise text; keys are text, since S3 demands UTF-8.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, NewType

from s3export.domain.errors import InputRefused

TreePath = NewType("TreePath", bytes)
"""A path relative to a root: names joined by ``/``, neither ``.`` nor ``..`` in it."""

LONGEST_NAME_BYTES = 255
"""ext4 and NTFS agree on it for names in ASCII (NTFS counts UTF-16 units)."""

LONGEST_KEY_BYTES = 1024
"""Amazon S3 User Guide, "Naming Amazon S3 objects"."""

LONGEST_PATH_BYTES = 4095
"""PATH_MAX of Linux, less the final NUL."""

RECOVERY_FILES_PER_DIRECTORY = 10_000
"""Developer Guide: ``recoveryDirectory/NNNN/NNNN``, both counted from 0000."""

_NUMBERED = re.compile(rb"\d{4}/\d{4}")

ROOT = TreePath(b"")

LOAD_DIRECTORY = TreePath(b"S3EXPORT")
"""Where `load-device` keeps its journal and the export log, in the disk's root. No
bucket's name has capital letters, so that no bucket's directory is called so."""

_PLAIN = re.compile(rb"[\w -][\w .-]{0,254}(?:/[\w -][\w .-]{0,254}){0,14}")
"""What is a path at first sight, as nearly all keys are."""

FURNITURE: Mapping[bytes, str] = {
    bytes(LOAD_DIRECTORY): "s3export",
    b"SIGNATURE": "AWS",
    b"lost+found": "ext4",
}
"""Names in the root of a disk that are not data's, and who keeps them."""


class NotAPath(ValueError):
    """The key cannot be the path of a file; the message says why."""


def path_of(key: str) -> TreePath:
    """Return the path that a key gets below its directory.

    Raises:
        NotAPath: No file can have it: an empty segment (``a//b``, a leading or a
            trailing ``/``), ``.`` or ``..`` as a segment, a NUL, a name longer than
            255 bytes, a path longer than 4,095 bytes.

    """
    path = key.encode()
    if _PLAIN.fullmatch(path):
        return TreePath(path)
    if b"\0" in path:
        raise NotAPath("the key holds a NUL")
    if len(path) > LONGEST_PATH_BYTES:
        raise NotAPath(f"the key is longer than {LONGEST_PATH_BYTES} bytes")
    for name in path.split(b"/"):
        if not name:
            raise NotAPath(
                "the key has an empty segment: a leading, trailing or double /"
            )
        if name in (b".", b".."):
            raise NotAPath(f"the key has the segment {name.decode()}")
        if len(name) > LONGEST_NAME_BYTES:
            raise NotAPath(
                f"the key has a segment of more than {LONGEST_NAME_BYTES} bytes"
            )
    return TreePath(path)


def key_of(path: TreePath) -> str:
    """Return the only key that can have been written to a path.

    Raises:
        NotAPath: The path is not UTF-8, so that no key of S3 can be equal to it.

    """
    try:
        return path.decode("utf-8")
    except UnicodeDecodeError:
        raise NotAPath("the name is not UTF-8, so no key of S3 equals it") from None


def directory_of(text: str) -> TreePath:
    """Read a directory as operators write it: ``/a/b/``, ``a/b``, ``a//b/`` agree.

    Raises:
        InputRefused: A segment is ``..``: the directory would leave the root.

    """
    names = [name for name in _bytes(text).split(b"/") if name not in (b"", b".")]
    if b".." in names:
        raise InputRefused(
            f"the directory {text!r} leaves the root of the disk",
            next_step="write it without ..",
        )
    if any(b"\0" in name or len(name) > LONGEST_NAME_BYTES for name in names):
        raise InputRefused(f"the directory {text!r} cannot be a path")
    return TreePath(b"/".join(names))


def join(*parts: bytes) -> TreePath:
    """Join paths; empty ones (the root) add nothing."""
    return TreePath(b"/".join(part for part in parts if part))


def below(path: bytes, directory: bytes) -> TreePath | None:
    """Return the path relative to a directory, or ``None`` where it is not below it."""
    if not directory:
        return TreePath(path)
    if path.startswith(directory) and path[len(directory) : len(directory) + 1] == b"/":
        return TreePath(path[len(directory) + 1 :])
    return None


def lies_in(path: bytes, directory: bytes) -> bool:
    """Say whether a path is a directory, or is below it."""
    return path == directory or below(path, directory) is not None


def outermost(directories: Iterable[TreePath]) -> tuple[TreePath, ...]:
    """Return directories once each, without those that lie in another one."""
    all_of_them = dict.fromkeys(directories)
    return tuple(
        directory
        for directory in all_of_them
        if not any(
            other != directory and lies_in(directory, other) for other in all_of_them
        )
    )


def _before_what_is_below(directory: bytes) -> bytes:
    """Return how every path begins that is below a directory."""
    return directory and directory + b"/"


def shown(path: bytes) -> str:
    r"""Return a path as text for reports: bytes that are not UTF-8 as ``\xNN``."""
    return path.decode("utf-8", "backslashreplace")


def recovery_paths(directory: TreePath, taken: int = 0) -> Iterator[TreePath]:
    """Yield the numbered places for objects whose keys cannot be paths.

    Args:
        taken: How many of them are taken, from the first on.

    ``EXPORT-RECOVERY/0000/0000``, ``.../0000/0001``, ... as AWS documents them; ends
    after 100 million.
    """
    for number in range(taken, RECOVERY_FILES_PER_DIRECTORY**2):
        folder, file = divmod(number, RECOVERY_FILES_PER_DIRECTORY)
        yield join(directory, b"%04d" % folder, b"%04d" % file)


@dataclass(frozen=True)
class Substitution:
    """A part of keys, and what stands in its place in names of files."""

    part: str
    instead: str


def substituted(text: str, substitutions: Sequence[Substitution]) -> str:
    """Replace the parts that a manifest names, in one pass from left to right.

    Where several begin at one place the one that is listed first is taken, and what
    was put in is not looked at again. Which of several AWS took is not documented
    (Developer Guide, "Manipulating S3 key names with substitutions").
    """
    instead = {each.part: each.instead for each in reversed(substitutions) if each.part}
    if not instead:
        return text
    parts = dict.fromkeys(each.part for each in substitutions if each.part)
    pattern = "|".join(map(re.escape, parts))
    return re.sub(pattern, lambda found: instead[found[0]], text)


@dataclass(frozen=True)
class Source:
    """A selection of one bucket, and the directory on the disk that it belongs in.

    Attributes:
        directory: Relative to the disk's root; empty for the root itself.
        substitutions: What is replaced in keys, to make the names of files.
        prefix: Keys that start with it; empty for all.
        begin_marker: Keys after it in the order of UTF-8 bytes; empty for no bound.
        end_marker: Keys up to and including it; empty for no bound.

    """

    bucket: str
    directory: TreePath
    prefix: str = ""
    begin_marker: str = ""
    end_marker: str = ""
    substitutions: tuple[Substitution, ...] = ()

    def place(self, key: str) -> TreePath:
        """Return where an object belongs, relative to the disk's root.

        Raises:
            NotAPath: No file can have that name; the message says why.

        """
        return join(self.directory, path_of(substituted(key, self.substitutions)))

    def puts(self, key: str, path: TreePath) -> bool:
        """Say whether an object is written to a path."""
        try:
            return self.place(key) == path
        except NotAPath:
            return False

    def selects(self, key: str) -> bool:
        """Say whether the operation exports a key (Developer Guide, operations)."""
        # Text compares by code point, which is the order of the UTF-8 bytes.
        return (
            key.startswith(self.prefix)
            and (not self.begin_marker or key > self.begin_marker)
            and (not self.end_marker or key <= self.end_marker)
        )

    def is_past(self, key: str) -> bool:
        """Say whether a listing in key order has nothing left to select at ``key``."""
        if self.end_marker and key > self.end_marker:
            return True
        return key > self.prefix and not key.startswith(self.prefix)


class ObjectName(NamedTuple):
    """An object's bucket and key."""

    bucket: str
    key: str


NO_OBJECT = ObjectName("", "")
"""In the place of a name where no object can be named."""


@dataclass(frozen=True)
class BackupLayout:
    """Which objects the files of one disk should be equal to.

    Attributes:
        sources: At least one, in the order of the operations.
        recovery_directory: Where AWS puts objects whose keys cannot be paths.

    """

    sources: tuple[Source, ...]
    recovery_directory: TreePath

    @property
    def root(self) -> TreePath:
        """The deepest directory that holds every source's directory."""
        names = [source.directory.split(b"/") for source in self.sources]
        return TreePath(b"/".join(_common(names)))

    def directories(self) -> tuple[TreePath, ...]:
        """Return the sources' directories, without those that lie in another one."""
        return outermost(source.directory for source in self.sources)

    def belongs(self, path: TreePath) -> bool:
        """Say whether a path, relative to the disk's root, is part of the backup.

        What AWS or the file system puts beside the data (``SIGNATURE``,
        ``lost+found``, the recovery directory) is not. Where data is said to lie in
        the recovery directory, it is data but for the numbered files.
        """
        if not path.startswith(self._inside) or is_furniture(path):
            return False
        if not path.startswith(_before_what_is_below(self.recovery_directory)):
            return True
        return path.startswith(self._inside_recovery) and not self._is_numbered(path)

    def may_be_data(self, path: TreePath) -> bool:
        """Say whether a path that does not belong does, if S3 has its object."""
        if is_furniture(path):
            return True
        return path.startswith(self._inside_recovery) and self._is_numbered(path)

    def may_be_recovered(self, path: TreePath) -> bool:
        """Say whether an object may have been recovered to a path.

        Among what s3export, AWS or ext4 keep, only numbered files are such.
        """
        if not self._is_recovered(path):
            return False
        return not is_furniture(path) or self._is_numbered(path)

    @cached_property
    def _inside(self) -> tuple[bytes, ...]:
        return tuple(_before_what_is_below(each.directory) for each in self.sources)

    @cached_property
    def _inside_recovery(self) -> tuple[bytes, ...]:
        recovery = self.recovery_directory
        return tuple(
            _before_what_is_below(directory)
            for directory in (source.directory for source in self.sources)
            if lies_in(directory, recovery)
        )

    def place(self, source: Source, key: str) -> TreePath:
        """Return where an object of a source is written to.

        Raises:
            NotAPath: It goes to the recovery directory: no file can have the name, or
                it is kept for what else is on the disk, or a file of the name would
                stand in the way to the recovery directory.

        """
        path = source.place(key)
        if self._is_on_the_way_to_recovery(path) or self._is_recovered(path):
            raise NotAPath("its name is kept for what else is on the disk")
        if is_furniture(path) or is_container(path):
            raise NotAPath("its name is kept for what else is on the disk")
        return path

    def _is_on_the_way_to_recovery(self, path: TreePath) -> bool:
        """Say whether a file at a path would leave no place to recover to."""
        return lies_in(self.recovery_directory, path)

    def _is_recovered(self, path: TreePath) -> bool:
        return below(path, self.recovery_directory) is not None

    def _is_numbered(self, path: TreePath) -> bool:
        relative = below(path, self.recovery_directory)
        return relative is not None and _NUMBERED.fullmatch(relative) is not None

    @property
    def substitutes(self) -> bool:
        """Whether a path does not tell its key: only a listing, or a log, does."""
        return any(source.substitutions for source in self.sources)

    def objects(self, path: TreePath) -> tuple[ObjectName, ...]:
        """Return the objects whose keys are a path, and that are written to it.

        Args:
            path: Relative to the disk's root; where there are substitutions, other
                objects can have been written to it, too.

        Raises:
            NotAPath: No key can be equal to the path.

        """
        found = []
        for source in self.sources:
            relative = below(path, source.directory)
            if relative is None:
                continue
            key = key_of(relative)
            if source.selects(key) and source.puts(key, path):
                found.append(ObjectName(source.bucket, key))
        return tuple(dict.fromkeys(found))


def is_furniture(path: TreePath) -> bool:
    """Say whether a path is not data: AWS's, ext4's and the loader's own files."""
    return path.partition(b"/")[0] in FURNITURE


def is_container(path: TreePath) -> bool:
    """Say whether a path is a TrueCrypt container in the root: ``<JOBID>.tc``."""
    return path.find(b"/") < 0 and path.endswith(b".tc")


def _bytes(text: str) -> bytes:
    # An operator's shell may hand over bytes that are not UTF-8, escaped by Python.
    return text.encode("utf-8", "surrogateescape")


def _common(paths: Iterable[list[bytes]]) -> list[bytes]:
    common: list[bytes] | None = None
    for names in paths:
        if common is None:
            common = names
        pairs = zip(common, names, strict=False)
        length = next((i for i, (a, b) in enumerate(pairs) if a != b), None)
        common = common[: min(len(common), len(names)) if length is None else length]
    return common or []
