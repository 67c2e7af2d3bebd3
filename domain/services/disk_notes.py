"""What a disk says of itself, in ``S3EXPORT/``: its export log, and what was loaded.

It is the disk's own word, and the disk is what is to be proven. So it may say where an
object lies that cannot lie at its own place, and accuse: name what should be there, and
what was written. It excuses nothing that would not be excused without it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from s3export.domain.backup_layout import (
    LOAD_DIRECTORY,
    BackupLayout,
    ObjectName,
    Source,
    TreePath,
    below,
    join,
    shown,
)
from s3export.domain.counting import counted
from s3export.domain.errors import (
    DeviceUnreadable,
    FileUnreadable,
    InputRefused,
    NothingToCompareWith,
)
from s3export.domain.export_log import ExportLog, LogEntry, parse_export_log
from s3export.domain.load_journal import JOURNAL
from s3export.domain.load_selection import SELECTION, LoadSelection
from s3export.domain.ports import FileTree
from s3export.domain.services.verify_request import VerifyRequest
from s3export.domain.verification import ON_DISK, LogOrigin, SelectionOrigin

LOG_PREFIX = b"export-log-"

_JOURNAL = JOURNAL.rpartition(b"/")[2]

_LARGEST_LOG_BYTES = 1 << 28
_LARGEST_SELECTION_BYTES = 1 << 24
_CHUNK_BYTES = 1 << 20

_A_PART = "this disk holds a part"

UNFINISHED = "the load of this disk has not ended"
GO_ON_LOADING = "run load-device again before you rely on the disk"


@dataclass(frozen=True)
class Basis:
    """What a verification rests on, once the disk is open.

    Attributes:
        layout: Which objects the files should be equal to.
        log: The export log, whoever gave it.
        log_origin: Where it was found; ``None`` without one.
        selection: What the disk says was loaded, where that was used.
        warnings: What of the disk's word was not taken, or should be known.
        unfinished: The disk says that its load has not ended.
        whole: What the layout is a part of, because the disk says so; ``None`` where
            it is no part.

    """

    layout: BackupLayout
    log: ExportLog | None = None
    log_origin: LogOrigin | None = None
    selection: SelectionOrigin | None = None
    warnings: tuple[str, ...] = ()
    unfinished: bool = False
    whole: BackupLayout | None = None

    @property
    def own_log(self) -> bool:
        """Whether the log is the disk's own word."""
        return self.log_origin is not None and self.log_origin.origin == ON_DISK

    def as_whole(self, refuted_by: TreePath) -> "Basis":
        """Return the same without the part, which a file on the disk contradicts."""
        if not self.whole or not self.selection:
            raise ValueError("it is no part")
        warning = (
            f"{self.selection.path} says that this disk holds a part, "
            f"{self.selection.part}, but S3 has the object of /{shown(refuted_by)}, "
            "which is not of it: all was looked for"
        )
        others = tuple(w for w in self.warnings if not w.startswith(_A_PART))
        return replace(
            self,
            layout=self.whole,
            selection=None,
            warnings=(*others, warning),
            whole=None,
        )

    @property
    def entries(self) -> tuple[LogEntry, ...]:
        """Return what the log says."""
        return self.log.entries if self.log else ()

    def by_path(self) -> tuple[dict[TreePath, LogEntry], list[str]]:
        """Return what the log says was written, by its path; and what is not believed.

        A disk's own log is believed where an object lies at its own place, or in the
        recovery directory: nothing else was ever written by a loader. One object has
        no more files than operations export it, so that copies of one good file do
        not make many of a sample.
        """
        written = {entry.file: entry for entry in self.entries if entry.written}
        if not self.own_log or not self.log_origin:
            return written, []
        believed = self._believed(written)
        if len(believed) == len(written):
            return believed, []
        lines = counted(len(written) - len(believed), "line")
        return believed, [
            f"{lines} of {self.log_origin.path} name files that are no places of their "
            "objects: not believed"
        ]

    def _believed(
        self, written: Mapping[TreePath, LogEntry]
    ) -> dict[TreePath, LogEntry]:
        recovery = self.layout.recovery_directory
        believed, recovered = {}, {}
        for path, entry in written.items():
            if below(path, recovery) is not None:
                recovered[path] = entry
            elif self._is_own_place(entry):
                believed[path] = entry
        files = Counter({_name(entry): 0 for entry in recovered.values()})
        files.update(
            _name(entry) for entry in believed.values() if _name(entry) in files
        )
        for path, entry in reversed(recovered.items()):  # the last word counts
            name = _name(entry)
            if files[name] < sum(self._exports(name)):
                files[name] += 1
                believed[path] = entry
        return believed

    def _is_own_place(self, entry: LogEntry) -> bool:
        return any(
            source.bucket == entry.bucket and source.puts(entry.key, entry.file)
            for source in self.layout.sources
        )

    def _exports(self, name: ObjectName) -> Iterator[bool]:
        for source in self.layout.sources:
            yield source.bucket == name.bucket and source.selects(name.key)


def _name(entry: LogEntry) -> ObjectName:
    return ObjectName(entry.bucket, entry.key)


def basis(request: VerifyRequest, tree: FileTree) -> Basis:
    """Read what a disk says of itself, as far as nobody else has said it.

    Raises:
        NothingToCompareWith: Neither the operator nor the disk says what it should be
            equal to.
        InputRefused: The disk alone could say it, and what it says is nonsense.

    """
    warnings: list[str] = []
    log, log_origin = request.log, request.log_origin
    if log is None:
        log, log_origin = _log(tree, warnings)
    # A log from elsewhere may speak of other disks, too.
    own = log.entries if log and request.log is None else ()
    unfinished = _is_unfinished(tree)
    try:
        layout, selection, whole = _selected(request, tree, own, warnings)
    except NothingToCompareWith as error:
        if not unfinished:
            raise
        raise NothingToCompareWith(
            f"{error.message}: {UNFINISHED}", next_step=GO_ON_LOADING
        ) from None
    return Basis(layout, log, log_origin, selection, tuple(warnings), unfinished, whole)


def _is_unfinished(tree: FileTree) -> bool:
    """Say whether there is a journal, and not the log, which is written last."""
    try:
        names = tree.names(LOAD_DIRECTORY)
    except DeviceUnreadable:
        return False
    return _JOURNAL in names and not any(n.startswith(LOG_PREFIX) for n in names)


# --- the log ----------------------------------------------------------------------


def _log(
    tree: FileTree, warnings: list[str]
) -> tuple[ExportLog, LogOrigin] | tuple[None, None]:
    """Find the disk's log, if it is one, and can be read."""
    choose = "name the right one with --export-log or --job-id"
    directory = f"/{shown(LOAD_DIRECTORY)}"
    try:
        names = tree.names(LOAD_DIRECTORY)
    except DeviceUnreadable as error:
        warnings.append(f"{directory} cannot be read: {error.message}; {choose}")
        return None, None
    logs = [name for name in names if name.startswith(LOG_PREFIX)]
    if len(logs) > 1:
        warnings.append(
            f"{directory} holds {len(logs)} export logs, and none was read: {choose}"
        )
    if len(logs) != 1:
        return None, None
    path = join(LOAD_DIRECTORY, logs[0])
    name = f"/{shown(path)}"
    try:
        log = parse_export_log(_content(tree, path, _LARGEST_LOG_BYTES), name)
    except FileUnreadable as error:
        warnings.append(f"{name} cannot be read: {error.message}; {choose}")
        return None, None
    except InputRefused as error:
        warnings.append(f"{error.message}; {choose}")
        return None, None
    return log, LogOrigin(name, ON_DISK)


def log_on(tree: FileTree, name: str) -> bytes:
    """Return the export log of a disk that was loaded.

    Args:
        name: What messages call the disk.

    Raises:
        InputRefused: There is none, or more than one.

    """
    try:
        names = tree.names(LOAD_DIRECTORY)
        logs = [found for found in names if found.startswith(LOG_PREFIX)]
        if len(logs) == 1:
            path = join(LOAD_DIRECTORY, logs[0])
            return _content(tree, path, _LARGEST_LOG_BYTES)
        what = f"it holds {len(logs)} export logs"
    except (DeviceUnreadable, FileUnreadable) as error:
        what = error.message
    raise InputRefused(
        f"{name} tells not where its load ended: {what}",
        next_step="name the export log itself, a file or s3://bucket/key",
    )


# --- the selection ----------------------------------------------------------------


def _selected(
    request: VerifyRequest,
    tree: FileTree,
    own_entries: Sequence[LogEntry],
    warnings: list[str],
) -> tuple[BackupLayout, SelectionOrigin | None, BackupLayout | None]:
    """Choose between what the operator names and what the disk says.

    Returns:
        What to compare with, where the disk says that, and what it is a part of.

    """
    name = f"/{shown(SELECTION)}"
    named = request.layout
    if named is None and request.whole:
        raise NothingToCompareWith(
            "--whole looks for all that is named, and nothing is named"
        )
    try:
        found = _selection(tree, name)
    except InputRefused as error:
        if named is None:
            raise
        warnings.append(f"{error.message}; what was named is compared with")
        return named, None, None
    if named is None:
        if found is None:
            raise NothingToCompareWith(
                "it is not said what the backup should equal, and the disk does not "
                "say it"
            )
        buckets = dict.fromkeys(map(_span, found.sources))
        warnings.append(
            f"that it should equal {', '.join(buckets)} is the disk's own word "
            f"({name}): --bucket or --manifest makes it yours"
        )
        origin = SelectionOrigin(name, found.job_id, named=False)
        return found.layout, origin, _unbounded(found)
    if found is None or found.sources == named.sources:
        return named, None, None
    start = found.starts_at(named.sources)
    if start is None:
        warnings.append(
            f"{name} says that something else was loaded than what was named; what was "
            "named is compared with"
        )
        return named, None, None
    part = BackupLayout(found.sources, named.recovery_directory)
    left_out = _left_out(named, part, start)
    if request.whole:
        warnings.append(
            f"{name} says that this disk holds a part, {left_out}; all was looked for"
        )
        return named, None, None
    if _reaches_beyond(part, named, own_entries):
        warnings.append(
            f"{name} says that this disk holds a part, {left_out}, and its export "
            "log says that there is more; all was looked for"
        )
        return named, None, None
    warnings.append(
        f"{_A_PART}, {left_out}, as it says itself ({name}): the rest "
        "must be on other disks; --whole looks for all"
    )
    origin = SelectionOrigin(name, found.job_id, named=True, part=left_out)
    return part, origin, named


def _unbounded(selection: LoadSelection) -> BackupLayout | None:
    """Return what a disk's selection may be a part of: the same without markers."""
    sources = tuple(
        replace(source, begin_marker="", end_marker="") for source in selection.sources
    )
    if sources == selection.sources:
        return None
    return BackupLayout(tuple(dict.fromkeys(sources)), selection.recovery_directory)


def _span(source: Source) -> str:
    """Name what a source selects, with the markers that it begins and ends with."""
    said = _shown(source.bucket, source.prefix)
    if source.begin_marker:
        said += f" after {source.begin_marker}"
    if source.end_marker:
        said += f" up to {source.end_marker}"
    return said


def _selection(tree: FileTree, name: str) -> LoadSelection | None:
    directory, _, own = SELECTION.rpartition(b"/")
    try:
        if own not in tree.names(TreePath(directory)):
            return None
        content = _content(tree, SELECTION, _LARGEST_SELECTION_BYTES)
    except (DeviceUnreadable, FileUnreadable) as error:
        raise InputRefused(
            f"{name} cannot be read: {error.message}", next_step=_NAME_IT
        ) from error
    try:
        return LoadSelection.from_json(content, name)
    except InputRefused as error:
        raise InputRefused(error.message, next_step=_NAME_IT) from error


_NAME_IT = NothingToCompareWith.default_next_step


def _left_out(whole: BackupLayout, part: BackupLayout, start: int) -> str:
    """Say where a part begins and ends, where the whole does not."""
    said = []
    first, last = part.sources[0], part.sources[-1]
    end = start + len(part.sources) - 1
    if first.begin_marker != whole.sources[start].begin_marker:
        said.append(f"after {_shown(first.bucket, first.begin_marker)}")
    elif start:
        said.append(f"from {_shown(first.bucket, first.prefix)} on")
    if last.end_marker != whole.sources[end].end_marker:
        said.append(f"up to {_shown(last.bucket, last.end_marker)}")
    elif end < len(whole.sources) - 1:
        said.append(f"up to the end of {_shown(last.bucket, last.prefix)}")
    return " ".join(said)


def _reaches_beyond(
    part: BackupLayout, whole: BackupLayout, entries: Iterable[LogEntry]
) -> bool:
    """Say whether something was written that the part does not select."""
    return any(
        entry.written
        and _selects(whole.sources, entry)
        and not _selects(part.sources, entry)
        for entry in entries
    )


def _selects(sources: Sequence[Source], entry: LogEntry) -> bool:
    return any(
        source.bucket == entry.bucket and source.selects(entry.key)
        for source in sources
    )


def _shown(bucket: str, key: str) -> str:
    return f"s3://{bucket}/{key}"


def _content(tree: FileTree, path: TreePath, at_most: int) -> bytes:
    """Read a file that must fit in memory."""
    found = bytearray()
    buffer = memoryview(bytearray(_CHUNK_BYTES))
    with tree.open(path) as file:
        while got := file.readinto(buffer):
            found += buffer[:got]
            if len(found) > at_most:
                raise FileUnreadable(f"it is larger than {at_most:,} bytes")
    return bytes(found)
