"""Load a disk from S3 the way AWS's loading facility did.

Operations in their order, keys in byte order; an object whose key cannot be a path goes
to the recovery directory; when the disk is full the load stops in strict order, so that
the next disk begins after the last key written (AWS Import/Export Developer Guide,
"Managing file exports").

Objects are fetched many at once, to files without a name, and settled in order, batch
by batch: the journal tells what the batch holds, everything is synced, and only then
the files get their names. So nothing half written or wrong ever has a name, and a load
that was killed goes on after the last settled batch.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain

from s3export.domain.backup_layout import (
    LOAD_DIRECTORY,
    BackupLayout,
    NotAPath,
    Source,
    TreePath,
    below,
    join,
    recovery_paths,
)
from s3export.domain.errors import AwsError, DiskFull, InputRefused, PathUnusable
from s3export.domain.evidence import NONE
from s3export.domain.export_log import LogEntry, export_log_lines
from s3export.domain.load_journal import (
    JOURNAL,
    Batch,
    NextDisk,
    batches,
    end_line,
    entries_of,
    line_of,
)
from s3export.domain.load_selection import SELECTION, LoadSelection
from s3export.domain.ports import (
    Clock,
    HashFunctions,
    ObjectStore,
    Progress,
    Stage,
    Workers,
    WritableTree,
)
from s3export.domain.services.fetch_object import (
    OK,
    Fetched,
    FetchObject,
    Item,
    NewFiles,
    items_from,
)
from s3export.domain.services.fetch_objects import FetchObjects
from s3export.domain.services.restore_files import LOST, RestoreFiles

RECOVERED = "Recovered"

_BATCH_FILES = 128
_BATCH_BYTES = 64 << 20
_BATCH_SECONDS = 5.0
_MOST_NAMED = 20  # troubles that the result names

_PLACES = tuple(
    join(LOAD_DIRECTORY, name) for name in (b"place-of-the-log", b"place-of-the-rest")
)
"""Empty files while a disk is loaded: one that has no inode left for any more files has
those of these for what is written at the end."""

_SPARE_BYTES = 256 << 10
"""Left free for directories, the log and what else is written at the end."""

DEFAULT_AT_ONCE = 8


@dataclass(frozen=True)
class Place:
    """How far a load has come: the operation (from 0) and its last key that is done."""

    operation: int = 0
    key: str = ""


def place_after(entries: Sequence[LogEntry], sources: Sequence[Source]) -> Place:
    """Return the place after the last object of a log: where the next disk begins.

    Our own logs name the operation. For AWS's it is the one that selects the object;
    of several that do, the one that puts it where the log says.

    Raises:
        InputRefused: The log is not one of these operations; or it may be of several:
            to guess might leave out what lies between.

    """
    last = entries[-1]
    fitting = [
        number
        for number, source in enumerate(sources)
        if source.bucket == last.bucket and source.selects(last.key)
    ]
    told = last.operation
    if told is not None and told in fitting:
        return Place(told, last.key)
    if not fitting or told is not None:
        raise InputRefused(
            f"the log ends with s3://{last.bucket}/{last.key}, which this manifest "
            "does not select",
            next_step="take the manifest that the disk before was loaded with",
        )
    if len(fitting) > 1:
        putting = [
            number for number in fitting if sources[number].puts(last.key, last.file)
        ]
        if len(putting) != 1:
            *others, another = (str(number + 1) for number in putting or fitting)
            raise InputRefused(
                f"the log ends with s3://{last.bucket}/{last.key}, which the "
                f"operations {', '.join(others)} and {another} select, and does not "
                "say for which of them it was written",
                next_step="begin without --continue-from, with a manifest of the "
                "operations that are left: the one that the log ends in with "
                f"beginMarker: {last.key!r}, and those after it",
            )
        fitting = putting
    return Place(fitting[0], last.key)


@dataclass(frozen=True)
class Trouble:
    """An object that is not on the disk, and why, for people."""

    bucket: str
    key: str
    code: str
    detail: str


FROM_THE_START = Place()


@dataclass(frozen=True)
class LoadRequest:
    """What to load.

    Attributes:
        job_id: Names the log.
        begin: Where an earlier disk of the same job ended.
        at_once: Objects under way at once; of small ones up to eight times as many.
        log_bucket, log_key: Where the log goes to at the end; empty for nowhere.
        total, total_bytes: What is expected, for the progress; ``None`` if not known.

    """

    layout: BackupLayout
    job_id: str
    begin: Place = FROM_THE_START
    at_once: int = DEFAULT_AT_ONCE
    log_bucket: str = ""
    log_key: str = ""
    total: int | None = None
    total_bytes: int | None = None

    @property
    def log_path(self) -> TreePath:
        """Return where the log is on the disk."""
        return log_path(self.job_id)


def log_path(job_id: str) -> TreePath:
    """Return the path of a job's export log on a disk that we loaded."""
    return join(LOAD_DIRECTORY, f"export-log-{job_id}".encode())


@dataclass
class LoadResult:
    """What was loaded, by this run and those that it went on with.

    Attributes:
        written: How many objects are on the disk.
        size_bytes: Their content.
        recovered: How many of them are in the recovery directory.
        taken_over: How many were settled before this run.
        nothing_left: It had ended before this run: nothing was left to load.
        restored: How many files were missing, or had another size than was written,
            and were loaded again.
        lost: How many of such files could not be; ``troubles`` has some of them. They
            are counted in ``written`` all the same: the journal says so.
        evidence: How many were found equal to what, by the kind of evidence; ``none``
            where S3 offers nothing to compare with.
        failed: How many objects could not be written, by their code in the log.
        troubles: Some of them, of this run.
        next_disk: ``None`` when everything fitted.
        last: The last object that is settled; ``None`` if there is none.
        log_error: Why the log did not reach its bucket; empty if it did.

    """

    written: int = 0
    size_bytes: int = 0
    recovered: int = 0
    taken_over: int = 0
    nothing_left: bool = False
    restored: int = 0
    lost: int = 0
    evidence: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    troubles: list[Trouble] = field(default_factory=list)
    next_disk: NextDisk | None = None
    last: Place | None = None
    log_error: str = ""

    @property
    def errors(self) -> int:
        """How many objects could not be written."""
        return self.failed.total()

    @property
    def settled(self) -> int:
        """How many objects were dealt with."""
        return self.written + self.errors

    @property
    def unproven(self) -> int:
        """How many were written that S3 offers nothing to compare with."""
        return self.evidence[NONE]

    def add(self, entry: LogEntry, *, recovered: bool) -> None:
        """Count an entry of the journal."""
        self.last = Place(entry.operation or 0, entry.key)
        if entry.written:
            self.written += 1
            self.size_bytes += entry.size_bytes
            self.recovered += recovered
            self.evidence[entry.evidence] += 1
        else:
            self.failed[entry.code] += 1


@dataclass(frozen=True)
class LoadDevice:
    """The use case; see the module."""

    store: ObjectStore
    hashes: HashFunctions
    workers: Workers
    clock: Clock
    progress: Progress

    def __call__(self, request: LoadRequest, tree: WritableTree) -> LoadResult:
        """Write what the sources select into a tree, and sync it.

        A tree that an earlier run with the same request was writing to is gone on
        with. Of what that run settled each file is looked at, not read: what is
        missing or has another size is loaded again. One that is complete is left as it
        is but for that.

        Raises:
            AwsError: S3 cannot be asked (any more). What was settled until then
                remains, and the same call goes on.
            DeviceFailed: The disk gives an error. As before.
            DiskFull: Not even the first object fits.

        """
        run = _Run(self, request, tree)
        if tree.size_of(JOURNAL) is not None:
            with self.progress.stage("taking over", unit="objects") as stage:
                run.take_over(stage)
                run.restore()
        before = run.result
        with self.progress.stage(
            "loading",
            total=_rest(request.total, before.settled),
            unit="objects",
            total_bytes=_rest(request.total_bytes, before.size_bytes),
        ) as stage:
            run.load(stage)
        self._log(request, tree, run.result)
        return run.result

    @staticmethod
    def _tell_selection(
        request: LoadRequest, tree: WritableTree, result: LoadResult
    ) -> None:
        """Write what the disk holds of the selection: where it begins, where it ends.

        A disk that was not full holds it to its end.
        """
        begin, sources = request.begin, request.layout.sources
        start, first = begin.operation, sources[begin.operation]
        marker = max(first.begin_marker, begin.key)
        rest = (replace(first, begin_marker=marker), *sources[start + 1 :])
        if first.end_marker and marker >= first.end_marker and len(rest) > 1:
            start, rest = start + 1, rest[1:]  # the disk before took the end of it
        recovery = request.layout.recovery_directory
        selection = LoadSelection(request.job_id, rest, recovery)
        if result.next_disk and result.last:
            last = result.last
            selection = selection.up_to(last.operation - start, last.key)
        tree.write(SELECTION, [selection.to_json()])

    def _log(
        self, request: LoadRequest, tree: WritableTree, result: LoadResult
    ) -> None:
        """Write the log to the disk and to its bucket; the journal was its draft."""
        for path in (SELECTION, request.log_path, *_PLACES):
            tree.remove(path)
        self._tell_selection(request, tree, result)
        tree.write(request.log_path, export_log_lines(entries_of(tree)))
        tree.sync()
        if request.log_bucket:
            log = b"".join(export_log_lines(entries_of(tree)))
            try:
                self.store.write(request.log_bucket, request.log_key, log)
            except AwsError as error:
                result.log_error = error.message


def _rest(total: int | None, settled: int) -> int | None:
    return None if total is None else max(0, total - settled)


class _Full(Exception):
    """There may be no room for the next object."""


class _Run:
    def __init__(
        self,
        service: LoadDevice,
        request: LoadRequest,
        tree: WritableTree,
    ) -> None:
        self._service = service
        self._request = request
        self._layout = request.layout
        self._tree = tree
        self._stage: Stage | None = None
        self._journal_bytes = 0
        self._files = NewFiles(tree)
        self._shown = 0  # objects that the progress is ahead of what is settled
        self.result = LoadResult()

    # --- going on -------------------------------------------------------------------

    def take_over(self, stage: Stage) -> None:
        """Take over what is settled; take back what is in doubt: the last batch."""
        self._stage = stage
        last = None
        for batch in batches(self._tree):
            if last is not None:
                self._take(last)
            last = batch
        if last is None:
            self._tree.remove(JOURNAL)  # its first line was not whole
        elif last.ended:
            self.result.nothing_left = True
            self.result.next_disk = last.next_disk
        else:
            for entry in last.entries:
                if entry.file:
                    self._tree.remove(entry.file)
            self._tree.sync()
            self._tree.truncate(JOURNAL, last.start)
            self._tree.sync()
        self.result.taken_over = self.result.settled

    def _take(self, batch: Batch) -> None:
        for entry in batch.entries:
            self._settle(entry)
        self._journal_bytes = batch.end

    def _settle(self, entry: LogEntry) -> None:
        directory = self._layout.recovery_directory
        self.result.add(entry, recovered=below(entry.file, directory) is not None)
        if self._shown:
            self._shown -= 1
        elif self._stage:
            self._stage.advance(size_bytes=entry.size_bytes)

    def restore(self) -> None:
        """Load again what was settled and is not there as it was written."""
        result = self.result
        restore = RestoreFiles(self._tree, self._layout.sources, self._fetching())
        try:
            for found in restore():
                result.restored += not found.lost
                result.lost += bool(found.lost)
                if found.lost and len(result.troubles) < _MOST_NAMED:
                    entry = found.entry
                    trouble = Trouble(entry.bucket, entry.key, LOST, found.lost)
                    result.troubles.append(trouble)
        finally:
            self._files.close_all()
        if result.restored:
            self._tree.sync()

    # --- loading --------------------------------------------------------------------

    def load(self, stage: Stage) -> None:
        """Load as much as there is, or as fits; an ended load has nothing left."""
        self._stage = stage
        if self.result.nothing_left:
            return
        for path in _PLACES:
            self._tree.append(path, b"")
        try:
            self._many_at_once()
        except _Full:
            self._one_by_one()
        self._tree.sync()  # the names of the last batch, before it is out of doubt
        self._tree.append(JOURNAL, end_line(self.result.next_disk))
        self._tree.sync()

    def _fetching(self) -> FetchObject:
        service = self._service
        self._files = NewFiles(self._tree)
        return FetchObject(
            service.store, service.hashes, service.workers, service.clock, self._files
        )

    def _many_at_once(self) -> None:
        fetch = FetchObjects(self._fetching())
        groups = fetch(self._items(), self._request.at_once)
        batch = _Batch(self._service.clock.now())
        try:
            with closing(groups):
                for found in chain.from_iterable(groups):
                    if found.full:
                        raise _Full
                    batch.add(found)
                    self._show(found)
                    if batch.is_large or batch.is_old(self._service.clock):
                        self._commit(batch)
                        batch = _Batch(self._service.clock.now())
                self._commit(batch)
        finally:
            self._files.close_all()

    def _show(self, found: Fetched) -> None:
        """Show at once that an object came: a batch may take long to be settled."""
        if self._stage:
            self._shown += 1
            self._stage.advance(size_bytes=found.facts.size_bytes)

    def _one_by_one(self) -> None:
        """Fill the rest of the disk: where one at a time does not fit, it is full."""
        for item in self._items():
            batch = _Batch(self._service.clock.now())
            fetch = self._fetching()
            try:
                if item.listed.size_bytes > self._room():
                    raise _Full
                found = fetch(item, _never)
                batch.add(found)
                if found.full:
                    raise _Full
                self._commit(batch)
            except _Full:
                self._stop_before(item)
                return
            finally:
                self._files.close_all()

    def _stop_before(self, item: Item) -> None:
        begin = item.source.begin_marker
        place = self._place()
        if place.operation == item.operation:
            begin = max(begin, place.key)
        if not self.result.written:
            listed = item.listed
            raise DiskFull(
                f"s3://{listed.bucket}/{listed.key} of {listed.size_bytes:,} bytes "
                "does not fit on an empty disk",
                next_step="take a larger disk, or leave the object out by markers",
            )
        self.result.next_disk = NextDisk(item.operation, begin)

    def _items(self) -> Iterator[Item]:
        place = self._place()
        sources = self._layout.sources
        return items_from(self._service.store, sources, place.operation, place.key)

    def _place(self) -> Place:
        return self.result.last or self._request.begin

    def _room(self) -> int:
        """Return how much content there is room for, the log's own room left out."""
        log = 2 * self._journal_bytes
        return self._tree.free_bytes() - log - _SPARE_BYTES

    # --- settling -------------------------------------------------------------------

    def _commit(self, batch: "_Batch") -> None:
        """Give the files of a batch their names, in order, after telling the journal.

        Raises:
            _Full: The disk is, or may be, full; nothing of the batch is settled.

        """
        if not batch.found:
            return
        if self._room() < 0:
            raise _Full
        recovery = recovery_paths(
            self._layout.recovery_directory, self.result.recovered
        )
        try:
            entries = self._placed(batch, recovery)
            line = line_of(entries)
            self._tree.append(JOURNAL, line)
        except DiskFull:
            self._tree_back([])
            raise _Full from None
        self._tree.sync()
        try:
            for entry, found in zip(entries, batch.found, strict=True):
                if found.file:
                    self._tree.give_name(found.file, entry.file)
        except DiskFull:
            self._tree_back(entries)
            raise _Full from None
        self._journal_bytes += len(line)
        for entry, found in zip(entries, batch.found, strict=True):
            self._settle(entry)
            if not found.file and len(self.result.troubles) < _MOST_NAMED:
                self.result.troubles.append(
                    Trouble(entry.bucket, entry.key, entry.code, found.detail)
                )
            if found.file:
                self._files.close(found.file)

    def _tree_back(self, entries: list[LogEntry]) -> None:
        for entry in entries:
            if entry.file:
                self._tree.remove(entry.file)
        if self._journal_bytes:
            self._tree.truncate(JOURNAL, self._journal_bytes)
        else:
            self._tree.remove(JOURNAL)

    def _placed(self, batch: "_Batch", recovery: Iterator[TreePath]) -> list[LogEntry]:
        """Decide where each file of a batch goes, and make the directories."""
        now = self._service.clock.now()
        taken: set[TreePath] = set()
        entries = []
        for found in batch.found:
            path, code = TreePath(b""), found.code
            if found.file:
                path, recovered = self._free_path(found.item, taken, recovery)
                code = RECOVERED if recovered and code == OK else code
                taken.add(path)
            entries.append(_entry(found, now, path, code))
        return entries

    def _free_path(
        self, item: Item, taken: set[TreePath], recovery: Iterator[TreePath]
    ) -> tuple[TreePath, bool]:
        try:
            path = self._layout.place(item.source, item.listed.key)
            if path not in taken and not any(up in taken for up in _above(path)):
                self._tree.make_room_for(path)
                return path, False
        except (NotAPath, PathUnusable):
            pass
        path = next(recovery)
        self._tree.make_room_for(path)
        return path, True


@dataclass
class _Batch:
    """What was fetched and is not settled yet."""

    begun: datetime
    found: list[Fetched] = field(default_factory=list)
    size_bytes: int = 0

    def add(self, found: Fetched) -> None:
        self.found.append(found)
        self.size_bytes += found.file.size_bytes if found.file else 0

    @property
    def is_large(self) -> bool:
        return len(self.found) >= _BATCH_FILES or self.size_bytes >= _BATCH_BYTES

    def is_old(self, clock: Clock) -> bool:
        """Say whether what was fetched has waited long enough."""
        return (clock.now() - self.begun).total_seconds() > _BATCH_SECONDS


def _entry(found: Fetched, now: datetime, path: TreePath, code: str) -> LogEntry:
    facts = found.facts
    return LogEntry(
        at=found.at or now,
        bucket=facts.bucket,
        key=facts.key,
        file=path,
        status=found.status,
        code=code,
        md5=found.md5 if found.file else "",
        operation=found.item.operation,
        size_bytes=facts.size_bytes,
        version_id=facts.version_id,
        etag=facts.etag,
        evidence=found.evidence,
        digest=found.digest,
    )


def _above(path: TreePath) -> Iterator[TreePath]:
    """Yield the directories that a path lies in, the deepest last."""
    place = path.find(b"/")
    while place >= 0:
        yield TreePath(path[:place])
        place = path.find(b"/", place + 1)


def _never() -> bool:
    return False
