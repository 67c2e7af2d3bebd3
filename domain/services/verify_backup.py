"""Compare files drawn from a disk with what S3 holds, by metadata alone.

Open the device read-only, stream its tree once into the draw, take the drawn files in
the order the disk likes, ask S3 about many at once, read each file once, compare. What
was opened is released in reverse, whatever happened.
"""

from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import islice

from s3export.domain.backup_layout import (
    NO_OBJECT,
    BackupLayout,
    NotAPath,
    ObjectName,
    TreePath,
    below,
    is_container,
    shown,
)
from s3export.domain.confidence import DEFAULT_LEVEL, upper_bound
from s3export.domain.devices import DeviceKind, refusals_to_read
from s3export.domain.errors import (
    ContainerUnsupported,
    DeviceRefused,
    DeviceUnreadable,
    RootAbsent,
)
from s3export.domain.evidence import ObjectFacts
from s3export.domain.ports import (
    BlockDevices,
    Clock,
    Damaged,
    FileTree,
    NotAFile,
    ObjectStore,
    Progress,
    Stop,
    TreeFile,
    Workers,
)
from s3export.domain.sampling import Draw
from s3export.domain.services.compare_file import Compared, CompareFile
from s3export.domain.verification import Finding, Outcome, Report, Sample, Tally

DEFAULT_SAMPLE_SIZE = 100

_WINDOW_FILES = 4096  # so many are put into reading order together


@dataclass(frozen=True)
class VerifyRequest:
    """What to verify, against what, and how much of it.

    Attributes:
        device: A disk, a partition, an image, or a directory where it is mounted.
        layout: Which objects its files should be equal to.
        sample_size: How many files to draw; ``None`` for all.
        seed: Repeats a draw.
        level: The confidence of the statement about all files.
        all_findings: Keep the matches in the report, too.
        readers: Files read at once.
        askers: Requests under way at once.

    """

    device: str
    layout: BackupLayout
    seed: str
    sample_size: int | None = DEFAULT_SAMPLE_SIZE
    level: float = DEFAULT_LEVEL
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
    workers: Workers
    clock: Clock
    progress: Progress
    version: str

    def __call__(self, request: VerifyRequest) -> Report:
        """Verify, and say what was found.

        Raises:
            DeviceRefused: The device is in use.
            RootAbsent: The backup's directory is not on it.
            ContainerUnsupported: The backup is in an encrypted container.
            AwsError: S3 cannot be asked; no verdict is given.

        """
        started_at = self.clock.now()
        facts = self.devices.inspect(request.device)
        refusals = refusals_to_read(facts)
        if refusals:
            raise DeviceRefused(
                "; ".join(refusal.reason for refusal in refusals),
                next_step="; ".join(dict.fromkeys(r.way_out for r in refusals)),
            )
        for bucket in dict.fromkeys(s.bucket for s in request.layout.sources):
            self.store.check_bucket(bucket)
        with self.devices.open_read_only(facts) as tree:
            run = _Run(self, request, tree)
            run.verify()
        sample = Sample(
            seed=request.seed,
            requested=request.sample_size,
            drawn=run.drawn,
            population=run.population,
        )
        wrong = run.drawn - run.tally[Outcome.MATCH]
        return Report(
            device=facts,
            opened_read_only=facts.kind is not DeviceKind.DIRECTORY,
            root=request.layout.root,
            sources=request.layout.sources,
            sample=sample,
            tally=run.tally,
            bound=upper_bound(run.population, run.drawn, wrong, request.level),
            findings=tuple(sorted(run.findings, key=lambda finding: finding.path)),
            requests=dict(self.store.requests()),
            bytes_read=run.bytes_read,
            bytes_downloaded=self.store.bytes_downloaded(),
            started_at=started_at,
            finished_at=self.clock.now(),
            version=self.version,
            warnings=tuple(run.warnings),
        )


@dataclass(frozen=True)
class _Asked:
    """A drawn file, and what S3 says of the object it should be."""

    file: TreeFile
    object: ObjectName
    facts: ObjectFacts | None
    reason: str = ""


class _Run:
    """One verification while it is under way."""

    def __init__(
        self, service: VerifyBackup, request: VerifyRequest, tree: FileTree
    ) -> None:
        self._service = service
        self._request = request
        self._layout = request.layout
        self._tree = tree
        self._comparer = CompareFile(service.store, tree)
        self.population = 0
        self.drawn = 0
        self.bytes_read = 0
        self.tally = Tally()
        self.findings: list[Finding] = []
        self.warnings: list[str] = []
        self._not_files = 0

    def verify(self) -> None:
        # Closed at once when something fails: an open directory keeps a disk busy.
        with closing(self._files(self._directories())) as files:
            if self._request.sample_size is None:
                self._compare(files, total=None)
            else:
                drawn = self._drawn(files, self._request.sample_size)
                self._compare(drawn, total=len(drawn))
        if self._not_files:
            self.warnings.append(
                f"{self._not_files:,} entries are links or special files, "
                "which no export makes; they were not looked at"
            )
        self._look_for_recovered_files()

    def _look_for_recovered_files(self) -> None:
        directory = self._layout.recovery_directory
        try:
            recovered = self._tree.names(directory)
        except DeviceUnreadable as error:  # what was verified is verified all the same
            self.warnings.append(f"/{shown(directory)} cannot be read: {error.message}")
            return
        if recovered:
            self.warnings.append(
                f"/{shown(directory)} holds files whose keys cannot be names; only the "
                "export log says which, so they were not looked at"
            )

    def _drawn(self, files: Iterable[TreeFile], size: int) -> list[TreeFile]:
        draw: Draw[TreeFile] = Draw(self._request.seed, size)
        with self._service.progress.stage("listing the disk") as stage:
            for file in files:
                draw.offer(file.path, file)
                stage.advance()
        return draw.drawn()

    # --- the population ---------------------------------------------------------

    def _directories(self) -> tuple[TreePath, ...]:
        """Return where the files are, or say what is there in their place."""
        wanted = self._layout.directories()
        found = tuple(path for path in wanted if self._tree.has_directory(path))
        absent = [f"/{shown(path)}" for path in wanted if path not in found]
        if found:
            self.warnings += [
                f"the disk has no directory {directory}" for directory in absent
            ]
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
                if not self._layout.belongs(entry.path):
                    continue
                match entry:
                    case TreeFile():
                        self.population += 1
                        yield entry
                    case NotAFile():
                        self._not_files += 1
                    case Damaged():
                        unseen = TreeFile(entry.path, size_bytes=0, modified_ns=0)
                        self._note(
                            Compared(
                                Outcome.UNREADABLE,
                                unseen,
                                NO_OBJECT,
                                detail=entry.reason,
                            )
                        )

    # --- comparing ----------------------------------------------------------------

    def _compare(self, files: Iterable[TreeFile], *, total: int | None) -> None:
        workers, request = self._service.workers, self._request
        asked = workers.map(self._ask, self._ordered(files), at_once=request.askers)
        compared = workers.map(self._examine, asked, at_once=request.readers)
        stages = self._service.progress.stage("comparing", total=total)
        with stages as stage, closing(asked), closing(compared):
            for result in compared:
                self.drawn += 1
                self._note(result)
                stage.advance()

    def _ordered(self, files: Iterable[TreeFile]) -> Iterator[TreeFile]:
        stream = iter(files)
        while window := list(islice(stream, _WINDOW_FILES)):
            yield from self._tree.reading_order(window)

    def _ask(self, file: TreeFile, stop: Stop) -> _Asked:
        """Find the object that the file should be equal to."""
        try:
            candidates = self._layout.objects(file.path)
        except NotAPath as error:
            return _Asked(file, NO_OBJECT, None, reason=str(error))
        for name in candidates:
            facts = self._service.store.head(name.bucket, name.key)
            if facts is not None:
                return _Asked(file, name, facts)
        if not candidates:
            return _Asked(file, NO_OBJECT, None, reason="no operation selects it")
        return _Asked(file, candidates[0], None, reason="S3 has no such object")

    def _examine(self, asked: _Asked, stop: Stop) -> Compared:
        """Compare one file with one object, or say that there is none."""
        if asked.facts is not None:
            return self._comparer.compare(asked.file, asked.facts, stop)
        return Compared(
            Outcome.MISSING_FROM_SOURCE,
            asked.file,
            asked.object,
            detail=asked.reason,
        )

    # --- findings -----------------------------------------------------------------

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
        if self._request.all_findings or finding.outcome is not Outcome.MATCH:
            self.findings.append(finding)
