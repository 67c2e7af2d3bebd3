"""Compare the files of a disk with what S3 holds, by metadata alone.

Open the device read-only; list what S3 holds, compactly; stream the tree once, in
whatever order suits the disk, into the draw and past the listing; take the drawn files
in the order the disk likes, ask S3 about many at once, read each file once, compare;
then name what the listing has and the disk has not. What was opened is released in
reverse, whatever happened, and what was found until then is reported.
"""

from abc import abstractmethod
from array import array
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice
from typing import Protocol

from s3export.domain.backup_layout import (
    NO_OBJECT,
    BackupLayout,
    NotAPath,
    ObjectName,
    TreePath,
    below,
    is_container,
    is_furniture,
    shown,
)
from s3export.domain.checksum_report import Computed
from s3export.domain.completeness import Inventory, Listed
from s3export.domain.confidence import (
    DEFAULT_LEVEL,
    Bound,
    largest_sample_size,
    sample_size,
    upper_bound,
)
from s3export.domain.devices import DeviceFacts, DeviceKind, refusals_to_read
from s3export.domain.errors import (
    ContainerUnsupported,
    DeviceError,
    DeviceRefused,
    DeviceUnreadable,
    InputRefused,
    PermissionMissing,
    RootAbsent,
    S3ExportError,
)
from s3export.domain.export_log import ExportLog, LogEntry
from s3export.domain.ports import (
    BlockDevices,
    Clock,
    Damaged,
    FileTree,
    HashFunctions,
    ObjectStore,
    Progress,
    Scratch,
    ScratchFile,
    Stop,
    TreeFile,
    Workers,
)
from s3export.domain.sampling import Draw
from s3export.domain.services.compare_file import (
    Case,
    Compared,
    CompareFile,
    Knowledge,
    from_ns,
)
from s3export.domain.services.file_spool import FileSpool
from s3export.domain.services.load_device import selected
from s3export.domain.verification import (
    SAYS_DISK,
    SAYS_LOG,
    SAYS_OPERATOR,
    Completeness,
    EarlierRun,
    ExportTime,
    Finding,
    Outcome,
    Profile,
    Report,
    Sample,
    Tally,
)

DEFAULT_SAMPLE_SIZE = 100

_WINDOW_FILES = 4096  # so many are put into reading order together


class Watch(Protocol):
    """Whoever follows a verification while it runs."""

    @abstractmethod
    def found(self, finding: Finding) -> None:
        """Take a finding that will be in the report; they come in no promised order."""

    @abstractmethod
    def unfinished(self, report: Report) -> None:
        """Take the report of a run that ends before its end, by the next exception."""


@dataclass(frozen=True)
class VerifyRequest:
    """What to verify, against what, and how much of it.

    Attributes:
        device: A disk, a partition, an image, or a directory where it is mounted.
        layout: Which objects its files should be equal to.
        sample_size: How many files to draw; ``None`` for all.
        seed: Repeats a draw.
        level: The confidence of the statement about all files.
        max_differing: Draw as many as it takes to leave at most this share of wrong
            files plausible, if none is found; ``None`` leaves it to ``sample_size``.
        completeness: Look for every object that S3 lists.
        strong: Refuse 32-bit checksums and uploaders' claims as proof.
        exported_at: When the data was taken from S3, if the operator says it.
        log: The export log.
        computed: What a checksum report says.
        download: Settle what cannot be verified otherwise by downloading it.
        download_budget: So many bytes at most; ``None`` for no limit.
        earlier: A run to go on from: what it verified is not looked at again.
        all_findings: Keep the matches in the report, too.
        readers: Files read at once.
        askers: Requests under way at once.

    """

    device: str
    layout: BackupLayout
    seed: str
    sample_size: int | None = DEFAULT_SAMPLE_SIZE
    level: float = DEFAULT_LEVEL
    max_differing: float | None = None
    completeness: bool = True
    strong: bool = False
    exported_at: datetime | None = None
    log: ExportLog | None = None
    computed: Mapping[ObjectName, Computed] = field(default_factory=dict)
    download: bool = False
    download_budget: int | None = None
    earlier: EarlierRun | None = None
    all_findings: bool = False
    readers: int = 2
    askers: int = 16


@dataclass(frozen=True)
class VerifyBackup:
    """The use case; see the module.

    Attributes:
        version: Of s3export, for the report.

    """

    devices: BlockDevices
    store: ObjectStore
    hashes: HashFunctions
    scratch: Scratch
    workers: Workers
    clock: Clock
    progress: Progress
    version: str

    def __call__(self, request: VerifyRequest, watch: Watch | None = None) -> Report:
        """Verify, and say what was found.

        Raises:
            DeviceRefused: The device is in use.
            InputRefused: The earlier run was of something else.
            RootAbsent: The backup's directory is not on it.
            ContainerUnsupported: The backup is in an encrypted container.
            AwsError: S3 cannot be asked; ``watch`` gets what was found until then.

        """
        started_at = self.clock.now()
        facts = self.devices.inspect(request.device)
        refusals = refusals_to_read(facts)
        if refusals:
            raise DeviceRefused(
                "; ".join(refusal.reason for refusal in refusals),
                next_step="; ".join(dict.fromkeys(r.way_out for r in refusals)),
            )
        if request.earlier:
            self._check(request.earlier, request, facts)
        for bucket in dict.fromkeys(s.bucket for s in request.layout.sources):
            self.store.check_bucket(bucket)
        report = None
        try:
            with ExitStack() as stack:
                tree = stack.enter_context(self.devices.open_read_only(facts))
                found = watch.found if watch else _nobody
                run = _Run(self, request, tree, stack, found)
                try:
                    run.verify()
                except BaseException as error:
                    run.conclude_what_is_left()
                    if watch and run.began:
                        run.cut_short = _why(error)
                        watch.unfinished(self._report(run, facts, started_at))
                    raise
                report = self._report(run, facts, started_at)
        except DeviceError as error:
            if report is None:
                raise
            # The verdict stands, whatever happened to the disk after it was read.
            warnings = (*report.warnings, f"releasing the disk: {error.message}")
            return replace(report, warnings=warnings)
        return report

    @staticmethod
    def _check(earlier: EarlierRun, request: VerifyRequest, facts: DeviceFacts) -> None:
        refusals = earlier.refusals(
            request.seed, facts, request.layout, strong=request.strong
        )
        if refusals:
            raise InputRefused(
                f"the earlier run cannot be gone on with: {'; '.join(refusals)}",
                next_step="verify without --resume",
            )

    def _report(self, run: "_Run", facts: DeviceFacts, started_at: datetime) -> Report:
        request = run.request
        sample = Sample(
            seed=request.seed,
            requested=run.requested,
            drawn=run.drawn,
            compared=run.compared,
            population=run.population,
            taken_over=run.taken_over,
        )
        unlooked_at = run.drawn < run.population or bool(run.cut_short)
        return Report(
            device=facts,
            opened_read_only=facts.kind is not DeviceKind.DIRECTORY,
            root=request.layout.root,
            sources=request.layout.sources,
            sample=sample,
            tally=run.tally,
            bound=run.bound() if run.walked else None,
            findings=tuple(sorted(run.findings, key=lambda finding: finding.path)),
            requests=dict(self.store.requests()),
            bytes_read=run.bytes_read,
            bytes_downloaded=self.store.bytes_downloaded(),
            started_at=started_at,
            finished_at=self.clock.now(),
            version=self.version,
            strong=request.strong,
            exported_at=run.knowledge.exported_at,
            completeness=run.completeness,
            population_profile=run.population_profile,
            drawn_profile=run.drawn_profile,
            verified=run.verified if unlooked_at else array("Q"),
            cut_short=run.cut_short,
            doubts=tuple(run.doubts),
            warnings=tuple(run.warnings),
        )


@dataclass(frozen=True)
class _Drawn:
    """A drawn file, and the objects that it can be."""

    file: TreeFile
    names: tuple[ObjectName, ...]
    listed: Listed | None
    reason: str


class _Run:
    """One verification while it is under way."""

    def __init__(
        self,
        service: VerifyBackup,
        request: VerifyRequest,
        tree: FileTree,
        stack: ExitStack,
        found: Callable[[Finding], None],
    ) -> None:
        self._service = service
        self.request = request
        self._layout = request.layout
        self._tree = tree
        self._stack = stack
        self._found = found
        self._draw: Draw[TreeFile] = Draw(request.seed, self._most_drawn() or 1)
        entries = request.log.entries if request.log else ()
        self._by_path = {entry.file: entry for entry in entries if entry.written}
        self._unwalked = dict(self._by_path)
        self.knowledge = Knowledge(
            exported_at=_told(request),
            log={ObjectName(entry.bucket, entry.key): entry for entry in entries},
            computed=request.computed,
            strong=request.strong,
        )
        self._inventory: Inventory | None = None
        self._extra: list[_Drawn] = []
        self._drawn_paths: set[TreePath] = set()
        self._damaged: list[TreePath] = []
        self._newest_ns = 0
        self._not_files = 0
        self._unmapped = 0
        self._undecided: list[Compared] = []
        self._presumed: list[Compared] = []
        self._newer_and_equal = 0
        self._drawn_extra = 0
        self.began = False
        self.walked = False
        self.requested = request.sample_size
        self.population = 0
        self.drawn = 0
        self.compared = 0
        self.taken_over = 0
        self.bytes_read = 0
        self.population_profile = Profile()
        self.drawn_profile = Profile()
        self.verified = array("Q")
        self.tally = Tally()
        self.findings: list[Finding] = []
        self.completeness: Completeness | None = None
        self.cut_short = ""
        self.doubts: list[str] = []
        self.warnings: list[str] = []

    @property
    def _takes_all(self) -> bool:
        return self.request.sample_size is None and self.request.max_differing is None

    def _most_drawn(self) -> int | None:
        if self.request.max_differing is not None:
            return largest_sample_size(self.request.max_differing, self.request.level)
        return self.request.sample_size

    def verify(self) -> None:
        directories = self._directories()
        self.began = True
        if self.request.completeness or self._takes_all:
            self._inventory = self._listing()
        # Closed at once when something fails: an open directory keeps a disk busy.
        with closing(self._files(directories)) as files:
            drawn = self._spooled(files) if self._takes_all else self._chosen(files)
        self.walked = True
        self._warn_of_what_was_not_looked_at()
        self._date_the_export()
        self._compare(drawn)
        self._judge_the_presumed()
        if self._inventory and self.request.completeness:
            self._look_for_the_missing(self._inventory)

    def bound(self) -> Bound:
        """Return what the sample proves, of the files that S3 may list.

        Files that are known not to be in S3, drawn or not, are no matter of chance.
        """
        extra = len(self._extra)
        drawn = self.drawn - self._drawn_extra
        wrong = drawn - self.tally[Outcome.MATCH]
        return upper_bound(self.population - extra, drawn, wrong, self.request.level)

    # --- what S3 lists ------------------------------------------------------------

    def _listing(self) -> Inventory:
        """Take down what S3 lists of the selection."""

        def new_file() -> ScratchFile:
            return self._stack.enter_context(self._service.scratch.file())

        inventory = Inventory(self._layout.sources, new_file)
        with self._service.progress.stage("listing S3", unit="objects") as stage:
            for number, source in enumerate(self._layout.sources):
                for facts in selected(self._service.store, source):
                    inventory.add(number, facts)
                    stage.advance()
        inventory.seal()
        return inventory

    # --- the population -----------------------------------------------------------

    def _directories(self) -> tuple[TreePath, ...]:
        """Return where the files are, or say what is there in their place."""
        wanted = self._layout.directories()
        found = tuple(path for path in wanted if self._tree.has_directory(path))
        absent = [f"/{shown(path)}" for path in wanted if path not in found]
        if found:
            lacking = [f"the disk has no directory {path}" for path in absent]
            (self.warnings if self.request.completeness else self.doubts).extend(
                lacking
            )
            recovery = self._layout.recovery_directory
            covered = any(below(recovery, path) is not None for path in found)
            if self._by_path and not covered and self._tree.has_directory(recovery):
                found = (*found, recovery)
            return found
        names = self._tree.names(TreePath(b""))
        containers = [name for name in names if is_container(TreePath(name))]
        if containers:
            raise ContainerUnsupported(
                f"the backup is in an encrypted container, /{shown(containers[0])}, "
                "which s3export cannot open yet",
                next_step=(
                    "open it read-only (cryptsetup open --type tcrypt --readonly), "
                    "mount it, and verify the directory"
                ),
            )
        there = ", ".join(f"/{shown(name)}" for name in names[:10]) or "nothing"
        raise RootAbsent(
            f"the disk has no directory {' or '.join(absent)}; in its root: {there}",
            next_step="name the backup's directory with --target-directory=DIR",
        )

    def _files(
        self, directories: Iterable[TreePath]
    ) -> Generator[TreeFile, None, None]:
        for directory in directories:
            for entry in self._tree.entries(directory):
                if isinstance(entry, Damaged):
                    self._note_damage(entry)
                elif not self._belongs(entry.path):
                    continue
                elif isinstance(entry, TreeFile):
                    self.population += 1
                    self.population_profile.add(entry.size_bytes, entry.modified_ns)
                    self._newest_ns = max(self._newest_ns, entry.changed_ns)
                    self._unwalked.pop(entry.path, None)
                    yield entry
                else:
                    self._not_files += 1

    def _note_damage(self, damaged: Damaged) -> None:
        if is_furniture(damaged.path):
            return
        self._damaged.append(damaged.path)
        unseen = TreeFile(damaged.path, size_bytes=0, modified_ns=0)
        unreadable = Outcome.UNREADABLE
        self._note(Compared(unreadable, unseen, NO_OBJECT, detail=damaged.reason))

    def _belongs(self, path: TreePath) -> bool:
        if self._layout.belongs(path) or path in self._by_path:
            return True
        if below(path, self._layout.recovery_directory) is not None:
            self._unmapped += 1
        return False

    def _chosen(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        """Draw, and see on the way which files S3 does not list."""
        with self._service.progress.stage("listing the disk") as stage:
            for file in files:
                self._draw.offer(file.path, file)
                stage.advance()
                if self._inventory:
                    looked_up = self._looked_up(file)
                    if not looked_up.listed:
                        self._extra.append(looked_up)
        drawn = self._draw.drawn()
        if self.request.max_differing is not None:
            share, level = self.request.max_differing, self.request.level
            self.requested = sample_size(self.population, share, level)
            drawn = drawn[: self.requested]
        for file in drawn:
            self._count_drawn(file)
        self._drawn_paths = {file.path for file in drawn}
        self._drawn_extra = sum(e.file.path in self._drawn_paths for e in self._extra)
        return iter(drawn)

    def _spooled(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        """Take all files down, so that their number and bytes are known beforehand."""
        spool = FileSpool(self._stack.enter_context(self._service.scratch.file()))
        with self._service.progress.stage("listing the disk") as stage:
            for file in files:
                spool.add(file)
                self._count_drawn(file)
                stage.advance()
        return spool.files()

    def _count_drawn(self, file: TreeFile) -> None:
        self.drawn += 1
        self.drawn_profile.add(file.size_bytes, file.modified_ns)

    def _date_the_export(self) -> None:
        """Where nobody says when the export was, it was when the disk was written."""
        if self.knowledge.exported_at or not self._newest_ns:
            return
        now = self._service.clock.now()
        told = ExportTime(min(from_ns(self._newest_ns) or now, now), SAYS_DISK)
        self.knowledge = replace(self.knowledge, exported_at=told)

    def _warn_of_what_was_not_looked_at(self) -> None:
        if self._not_files:
            said = (
                f"{self._not_files:,} entries are links or special files, "
                "which no export makes; they were not looked at"
            )
            # Without a listing nobody would miss the file that one of them replaced.
            (self.warnings if self.request.completeness else self.doubts).append(said)
        if self.request.log and self.request.log.unread:
            self.warnings.append(
                f"{self.request.log.unread:,} lines of the export log are none that is "
                "understood"
            )
        directory = self._layout.recovery_directory
        try:
            recovered = bool(self._tree.names(directory))
        except DeviceUnreadable as error:  # what was verified is verified all the same
            self.warnings.append(f"/{shown(directory)} cannot be read: {error.message}")
            return
        if recovered and (self._unmapped or not self._by_path):
            self.warnings.append(
                f"/{shown(directory)} holds files whose keys cannot be names; only the "
                "export log says which, so they were not looked at (--export-log)"
            )

    # --- comparing ----------------------------------------------------------------

    def _compare(self, files: Iterator[TreeFile]) -> None:
        service, request = self._service, self.request
        comparer = CompareFile(
            service.store, self._tree, service.hashes, self.knowledge
        )

        def ask(drawn: _Drawn, stop: Stop) -> Case | Compared:
            return self._asked(comparer, drawn)

        def examine(case: Case | Compared, stop: Stop) -> Compared:
            return comparer.judge(case, stop) if isinstance(case, Case) else case

        looked_up = map(self._looked_up, self._to_compare(self._ordered(files)))
        asked = service.workers.map(ask, looked_up, at_once=request.askers)
        compared = service.workers.map(examine, asked, at_once=request.readers)
        stages = service.progress.stage(
            "comparing", total=self.drawn, total_bytes=self.drawn_profile.size_bytes
        )
        with stages as stage, closing(asked), closing(compared):
            for result in compared:
                stage.advance(size_bytes=result.file.size_bytes)
                if request.download and result.outcome is Outcome.UNVERIFIABLE:
                    self._undecided.append(result)
                else:
                    self._conclude(result)
        self._download(comparer)
        for extra in self._extra:
            if extra.file.path not in self._drawn_paths:
                self._note(_not_in_s3(extra))

    def _ordered(self, files: Iterator[TreeFile]) -> Iterator[TreeFile]:
        while window := list(islice(files, _WINDOW_FILES)):
            yield from self._tree.reading_order(window)

    def _to_compare(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        """Leave out what an earlier run verified, if nothing has changed since."""
        earlier = self.request.earlier
        for file in files:
            if (
                earlier
                and self._fingerprint(file) in earlier.verified
                and self._is_as_it_was(file, earlier.started_at)
            ):
                names = self._looked_up(file).names
                name = names[0] if names else NO_OBJECT
                self.taken_over += 1
                said = "verified by an earlier run"
                self._conclude(Compared(Outcome.MATCH, file, name, detail=said))
            else:
                yield file

    def _is_as_it_was(self, file: TreeFile, then: datetime) -> bool:
        """Say whether S3 still lists what a file was equal to.

        Without a listing nothing says that it does not.
        """
        if not self._inventory:
            return True
        listed = self._looked_up(file).listed
        return (
            listed is not None
            and listed.facts.size_bytes == file.size_bytes
            and listed.facts.modified_at < then
        )

    def _looked_up(self, file: TreeFile) -> _Drawn:
        """Find which objects a file can be; in the caller's thread."""
        reason = ""
        names: tuple[ObjectName, ...] = ()
        try:
            names = self._layout.objects(file.path)
        except NotAPath as error:
            reason = str(error)
        listed = None
        entry = self._by_path.get(file.path)
        if entry:
            name = ObjectName(entry.bucket, entry.key)
            if self._inventory and name not in names[:1]:
                listed = self._inventory.find_key(entry.bucket, entry.key)
            names = tuple(dict.fromkeys((*names, name)))
        if self._inventory and not listed:
            listed = self._inventory.find(file.path)
        if not names:
            reason = reason or "no operation selects it"
        return _Drawn(file, names, listed, reason)

    def _asked(self, comparer: CompareFile, drawn: _Drawn) -> Case | Compared:
        """Find what S3 holds of the object that a file should be equal to."""
        if not self._inventory:
            return self._first_found(comparer, drawn, drawn.names)
        if not drawn.listed:
            return _not_in_s3(drawn)
        facts = drawn.listed.facts
        case = comparer.ask_listed(drawn.file, facts)
        if case:
            return case
        name = ObjectName(facts.bucket, facts.key)
        try:
            return self._first_found(comparer, drawn, (name,))
        except PermissionMissing as error:  # S3 listed it: it is there
            return Compared(
                Outcome.UNVERIFIABLE,
                drawn.file,
                name,
                detail=f"S3 refuses to tell its metadata: {error.message}",
            )

    def _first_found(
        self, comparer: CompareFile, drawn: _Drawn, names: Iterable[ObjectName]
    ) -> Case | Compared:
        for name in names:
            facts = self._service.store.head(name.bucket, name.key)
            if facts is not None:
                return comparer.ask(drawn.file, facts)
        return _not_in_s3(drawn)

    def _download(self, comparer: CompareFile) -> None:
        """Settle by content what metadata could not, as far as the budget goes."""
        left = self.request.download_budget
        wanted = []
        for result in self._undecided:
            size = result.file.size_bytes
            if left is None or size <= left:
                wanted.append(result)
                left = None if left is None else left - size
            else:
                more = "not downloaded: more than is left of the budget"
                self._conclude(replace(result, detail=f"{result.detail}; {more}"))
        self._undecided = wanted
        settled = self._service.workers.map(
            comparer.download, wanted, at_once=self.request.readers
        )
        total = sum(result.file.size_bytes for result in wanted)
        stages = (
            self._service.progress.stage(
                "downloading", total=len(wanted), total_bytes=total
            )
            if wanted
            else nullcontext()
        )
        with stages as stage, closing(settled):
            for result in settled:
                self._undecided = self._undecided[1:]
                if stage:
                    stage.advance(size_bytes=result.file.size_bytes)
                self._conclude(result)

    def _judge_the_presumed(self) -> None:
        """Believe that what differs has changed, unless the presumption is refuted.

        Files that are equal to objects newer than the export say that the time of the
        export is wrong, or that objects were written anew as they were: then being
        newer excuses nothing, unless the operator answers for the time.
        """
        presumed, self._presumed = self._presumed, []
        for result in presumed:
            if self._newer_is_no_excuse:
                detail = (
                    f"{result.detail}, but so are {self._newer_and_equal:,} whose "
                    "files are equal: say when it was with --exported-at"
                )
                wrong = replace(result, outcome=Outcome.MISMATCH, detail=detail)
                self._conclude(replace(wrong, presumed=False))
            else:
                self._conclude(replace(result, presumed=False))

    @property
    def _newer_is_no_excuse(self) -> bool:
        told = self.knowledge.exported_at
        return self._newer_and_equal > 0 and not (told and told.is_certain)

    def conclude_what_is_left(self) -> None:
        """Take what was found and waits for more, when there will be no more."""
        for result in self._undecided:
            self._conclude(result)
        self._judge_the_presumed()

    # --- what is missing ----------------------------------------------------------

    def _look_for_the_missing(self, inventory: Inventory) -> None:
        """Name every object of the listing that no file was found for."""
        missing = newer = folders = 0
        for listed in inventory.unseen():
            facts = listed.facts
            name = ObjectName(facts.bucket, facts.key)
            entry = self.knowledge.log.get(name)
            if entry:
                self._unwalked.pop(entry.file, None)
            if (
                not entry
                and self.knowledge.is_newer(facts)
                and not self._newer_is_no_excuse
            ):
                newer += 1
            elif facts.key.endswith("/") and not facts.size_bytes:
                folders += 1
            else:
                outcome, detail = self._absence(listed, entry, inventory)
                missing += outcome is Outcome.MISSING_FROM_BACKUP
                path = listed.path or TreePath(facts.key.encode())
                self._note_absent(outcome, path, name, facts.size_bytes, detail)
        missing += self._miss_what_the_log_has()
        self.completeness = Completeness(
            objects=inventory.count,
            size_bytes=inventory.size_bytes,
            missing=missing,
            newer=newer,
            folders=folders,
            extra=(
                self.tally[Outcome.MISSING_FROM_SOURCE]
                if self._takes_all
                else len(self._extra)
            ),
        )

    def _miss_what_the_log_has(self) -> int:
        """Name what was written to the disk and is not there, whatever S3 has now."""
        missing = 0
        for path, entry in self._unwalked.items():
            if entry.key.endswith("/") or not any(
                source.bucket == entry.bucket and source.selects(entry.key)
                for source in self._layout.sources
            ):
                continue
            missing += 1
            self._note_absent(
                Outcome.MISSING_FROM_BACKUP,
                path,
                ObjectName(entry.bucket, entry.key),
                0,
                "the export log says that it was written; S3 has deleted it since",
            )
        return missing

    def _note_absent(
        self,
        outcome: Outcome,
        path: TreePath,
        name: ObjectName,
        size_bytes: int,
        detail: str,
    ) -> None:
        absent = TreeFile(path, size_bytes, modified_ns=0)
        self._note(Compared(outcome, absent, name, detail=detail))

    def _absence(
        self, listed: Listed, entry: LogEntry | None, inventory: Inventory
    ) -> tuple[Outcome, str]:
        """Say what it means that an object is not on the disk."""
        if entry and not entry.written:
            said = f"the export log says {entry.status} {entry.code}".strip()
            return Outcome.MISSING_FROM_BACKUP, said
        if entry:
            said = f"the export log says that it was written to /{shown(entry.file)}"
            return Outcome.MISSING_FROM_BACKUP, said
        path, reason = listed.path, listed.reason
        if path is not None:
            for directory in self._damaged:
                if path == directory or below(path, directory) is not None:
                    return Outcome.UNREADABLE, f"/{shown(directory)} cannot be read"
            reason = self._why_not_there(path, inventory)
        if not reason or not self._recovered():
            absent = reason or "S3 has it, the disk does not"
            return Outcome.MISSING_FROM_BACKUP, absent
        where = f"/{shown(self._layout.recovery_directory)}"
        return Outcome.UNVERIFIABLE, (
            f"{reason}; if it was exported it is in {where}, and only the export log "
            "says where"
        )

    def _why_not_there(self, path: TreePath, inventory: Inventory) -> str:
        """Say why no file can be at an object's path; empty if one can."""
        if not self._layout.belongs(path):
            return "its path is kept for what AWS and ext4 put on the disk"
        names = path.split(b"/")
        for length in range(1, len(names)):
            parent = TreePath(b"/".join(names[:length]))
            if inventory.has(parent):
                return (
                    f"the object /{shown(parent)} is a file where it needs a directory"
                )
        return ""

    def _recovered(self) -> bool:
        try:
            return bool(self._tree.names(self._layout.recovery_directory))
        except DeviceUnreadable:
            return True

    # --- findings -----------------------------------------------------------------

    def _conclude(self, compared: Compared) -> None:
        """Take the result of a drawn file."""
        if compared.presumed:
            self._presumed.append(compared)
            return
        self.compared += 1
        if compared.outcome is Outcome.MATCH:
            self.verified.append(self._fingerprint(compared.file))
            self._newer_and_equal += compared.newer
        self._note(compared)

    def _note(self, compared: Compared) -> None:
        path = below(compared.file.path, self._layout.root)
        finding = Finding(
            path=compared.file.path if path is None else path,
            outcome=compared.outcome,
            bucket=compared.object.bucket,
            key=compared.object.key,
            evidence=compared.evidence,
            expected=compared.expected,
            actual=compared.actual,
            size_bytes=compared.file.size_bytes,
            detail=compared.detail,
        )
        self.bytes_read += compared.bytes_read
        self.tally.add(finding)
        if self.request.all_findings or finding.outcome is not Outcome.MATCH:
            self.findings.append(finding)
            self._found(finding)

    def _fingerprint(self, file: TreeFile) -> int:
        return self._draw.fingerprint(
            file.path, file.size_bytes, file.modified_ns, file.changed_ns, file.inode
        )


def _not_in_s3(drawn: _Drawn) -> Compared:
    name = drawn.names[0] if drawn.names else NO_OBJECT
    return Compared(
        Outcome.MISSING_FROM_SOURCE,
        drawn.file,
        name,
        detail=drawn.reason or "S3 has no such object",
    )


def _told(request: VerifyRequest) -> ExportTime | None:
    """Return when the export was, as far as somebody says it."""
    if request.exported_at:
        return ExportTime(request.exported_at, SAYS_OPERATOR)
    newest = request.log.newest if request.log else None
    return ExportTime(newest, SAYS_LOG) if newest else None


def _why(error: BaseException) -> str:
    if isinstance(error, S3ExportError):
        return error.message
    return f"interrupted ({error})" if str(error) else "interrupted"


def _nobody(finding: Finding) -> None:
    """Take a finding that nobody waits for."""
