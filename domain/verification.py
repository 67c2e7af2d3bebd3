"""What a verification finds, and what the findings amount to."""

import enum
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from s3export.domain.backup_layout import BackupLayout, Source, TreePath, shown
from s3export.domain.confidence import Bound, percent
from s3export.domain.containers import ContainerFacts
from s3export.domain.counting import counted
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import FileRefused
from s3export.domain.evidence import NONE, EvidenceKind


class Outcome(enum.Enum):
    """What is said of a file; the values are those of the report."""

    MATCH = "match"
    MISMATCH = "mismatch"
    CHANGED_SINCE_EXPORT = "changed_since_export"
    MISSING_FROM_SOURCE = "missing_from_source"
    MISSING_FROM_BACKUP = "missing_from_backup"
    UNVERIFIABLE = "unverifiable"
    UNREADABLE = "unreadable"

    @property
    def critical(self) -> bool:
        """Whether one such finding means that the backup differs from S3."""
        return self in _CRITICAL


_CRITICAL = frozenset(
    {Outcome.MISMATCH, Outcome.MISSING_FROM_BACKUP, Outcome.UNREADABLE}
)


@dataclass(frozen=True)
class Assertions:
    """The original program's tally: S3 has the file; the hashes are equal.

    The second is asked only of a file that S3 has and that could be compared.
    """

    run: int = 0
    succeeded: int = 0

    @property
    def failed(self) -> int:
        """How many did not hold."""
        return self.run - self.succeeded

    def __add__(self, other: "Assertions") -> "Assertions":
        return Assertions(self.run + other.run, self.succeeded + other.succeeded)


@dataclass(frozen=True)
class Finding:
    """What is said of one file.

    Attributes:
        path: Relative to the report's root.
        bucket, key: The object it was compared with; empty where there is none.
        expected, actual: Of the evidence: digests, or sizes in bytes.
        size_bytes: Of the file on the disk; of the object where there is no file.
        detail: One sentence for people; may be empty.
        place_bytes: Where an unreadable file begins in its file system, in bytes;
            ``None`` where that is not known.

    """

    path: TreePath
    outcome: Outcome
    bucket: str = ""
    key: str = ""
    evidence: EvidenceKind = NONE
    expected: str = ""
    actual: str = ""
    size_bytes: int = 0
    detail: str = ""
    place_bytes: int | None = None

    @property
    def critical(self) -> bool:
        """Whether this means that the backup differs from S3."""
        return self.outcome.critical

    def assertions(self) -> Assertions:
        """Return the two questions' answers for this file."""
        match self.outcome:
            case Outcome.MATCH:
                return Assertions(run=2, succeeded=2)
            case Outcome.MISMATCH | Outcome.CHANGED_SINCE_EXPORT:
                return Assertions(run=2, succeeded=1)
            case Outcome.UNVERIFIABLE:
                return Assertions(run=1, succeeded=1)
            case Outcome.UNREADABLE if self.key:
                return Assertions(run=2, succeeded=1)
            case _:
                return Assertions(run=1)


class Verdict(enum.Enum):
    """What a verification amounts to; the values are those of the report."""

    VERIFIED = "verified"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"


class Tally:
    """How often each outcome was found. Grows by `add`; then it is only read.

    Attributes:
        evidence: The same by the kind of evidence; empty for none.

    """

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.evidence: Counter[tuple[str, Outcome]] = Counter()
        self.assertions = Assertions()
        for finding in findings:
            self.add(finding)

    def add(self, finding: Finding) -> None:
        """Count one more finding."""
        self.counts[finding.outcome] += 1
        self.evidence[finding.evidence, finding.outcome] += 1
        self.assertions += finding.assertions()

    def __getitem__(self, outcome: Outcome) -> int:
        return self.counts[outcome]

    @property
    def total(self) -> int:
        """All findings together."""
        return self.counts.total()

    def verdict(self) -> Verdict:
        """Return the verdict. Where nothing matched, nothing was verified."""
        if any(count and outcome.critical for outcome, count in self.counts.items()):
            return Verdict.DIFFERS
        if self[Outcome.UNVERIFIABLE] or not self[Outcome.MATCH]:
            return Verdict.INCONCLUSIVE
        return Verdict.VERIFIED


@dataclass(frozen=True)
class Sample:
    """What was looked at.

    Attributes:
        seed: Repeats the draw.
        requested: How many files were asked for; ``None`` for all.
        drawn: How many were drawn.
        compared: How many of those were looked at; fewer in a run that was cut short.
        population: How many files the backup holds.
        taken_over: How many of those drawn an earlier run had verified.
        unlisted: How many places could not be read, so that nobody knows what is there.
        extra: How many files of the population S3 is known not to list: the bound is
            of the others.
        outcomes: What was found of those compared; the rest of a report's tally was
            found by looking through the listing and the disk, and is no sample.

    """

    seed: str
    requested: int | None
    drawn: int
    compared: int
    population: int
    taken_over: int = 0
    unlisted: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=Counter)
    extra: int = 0


@dataclass(frozen=True)
class ExportTime:
    """When the data was taken from S3; ``origin`` says who says so."""

    moment: datetime
    origin: str

    @property
    def is_certain(self) -> bool:
        """Whether the operator answers for it."""
        return self.origin == SAYS_OPERATOR


SAYS_OPERATOR = "the operator"
SAYS_LOG = "the export log"
SAYS_DISK = "the newest write to the disk"

ON_DISK = "disk"
IN_FILE = "file"
IN_S3 = "s3"


@dataclass(frozen=True)
class LogOrigin:
    """Where the export log was found.

    Attributes:
        path: On the disk that is verified, of a file, or ``s3://bucket/key``.
        origin: `ON_DISK`, `IN_FILE` or `IN_S3`.

    """

    path: str
    origin: str


@dataclass(frozen=True)
class SelectionOrigin:
    """That the disk itself says what it should be equal to.

    Attributes:
        path: Of the file on the disk.
        job_id: The job that it was loaded for.
        named: The operator named a selection, and the disk holds a part of it; without
            that nothing but the disk says what it was compared with.
        part: Where the part begins and ends; empty for the whole of it.

    """

    path: str
    job_id: str
    named: bool
    part: str = ""


@dataclass(frozen=True)
class Completeness:
    """How S3's listing of the selection compares with the disk.

    Attributes:
        objects: How many the listing selects.
        size_bytes: Of all of them.
        missing: How many are not on the disk, and should be.
        newer: How many are not on the disk because they are newer than the export.
        folders: How many are empty and named like a folder (``photos/``): they have
            no content, and no file can have their names.
        extra: How many files are on the disk and not in the listing.
        unclear: How many were not found, and may be in the recovery directory.
        unreadable: How many lie where the disk cannot be read.

    """

    objects: int
    size_bytes: int
    missing: int = 0
    newer: int = 0
    folders: int = 0
    extra: int = 0
    unclear: int = 0
    unreadable: int = 0


class Profile:
    """How large and how old files are, and where: counts, for plots. Grows by `add`.

    Attributes:
        sizes: Files by the bits of their size: 0 for empty, n for 2^(n-1) up to
            2^n - 1 bytes.
        years: Files by the year (UTC) of their modification time.
        folders: Files by the two uppermost folders of their path; those of folders
            beyond the first few thousand under ``None``.

    """

    def __init__(self) -> None:
        self.sizes: Counter[int] = Counter()
        self.years: Counter[int] = Counter()
        self.folders: Counter[TreePath | None] = Counter()
        self.size_bytes = 0

    def add(self, path: TreePath, size_bytes: int, modified_ns: int) -> None:
        """Count one more file."""
        folder = _folder(path)
        if folder in self.folders or len(self.folders) < _MOST_FOLDERS:
            self.folders[folder] += 1
        else:
            self.folders[None] += 1
        self.sizes[size_bytes.bit_length()] += 1
        self.years[_year(modified_ns)] += 1
        self.size_bytes += size_bytes


_MOST_FOLDERS = 4096


def _folder(path: TreePath) -> TreePath:
    deep = path.find(b"/", path.find(b"/") + 1)
    return TreePath(path[:deep] if deep > 0 else path.rpartition(b"/")[0])


# Gregorian years have 365.2425 days; a day at New Year does not matter in a plot.
_YEAR_NS = 31_556_952 * 10**9


def _year(modified_ns: int) -> int:
    return 1970 + modified_ns // _YEAR_NS


@dataclass(frozen=True)
class Report:
    """The result of one verification.

    Attributes:
        container: What it lay in; ``None`` for plain files.
        root: Where the walk started, relative to the root of disk or container.
        findings: Sorted by path; matches only where they were asked for.
        requests: To S3, by kind (``HEAD``, ``LIST``, ``GET``, ...).
        strong: Whether 32-bit checksums and uploaders' claims were refused as proof.
        exported_at: ``None`` where nothing says it.
        completeness: ``None`` where it was not asked for, or the listing or the walk
            did not come to its end.
        population_profile, drawn_profile: What the files are like.
        verified: Fingerprints (`sampling.Draw.fingerprint`) of the files that matched,
            so that a later run can go on; empty where nothing is left to look at.
        cut_short: Why the run ended before its end; empty if it did not.
        doubts: What forbids to call the backup verified, besides the findings.
        warnings: What the operator should know besides the verdict.
        export_log: Which was used; ``None`` without one.
        selection: Where the disk's own word on it was used.
        service: Whose buckets they are (`ports.ObjectStore.service`).
        load_unfinished: The disk says that its load has not ended; one of the doubts.

    """

    device: DeviceFacts
    opened_read_only: bool
    container: ContainerFacts | None
    root: TreePath
    sources: tuple[Source, ...]
    sample: Sample
    tally: Tally
    bound: Bound | None
    findings: tuple[Finding, ...]
    requests: Mapping[str, int]
    bytes_read: int
    bytes_downloaded: int
    started_at: datetime
    finished_at: datetime
    version: str
    strong: bool = False
    exported_at: ExportTime | None = None
    completeness: Completeness | None = None
    population_profile: Profile = field(default_factory=Profile)
    drawn_profile: Profile = field(default_factory=Profile)
    verified: "array[int]" = field(default_factory=lambda: array("Q"))
    cut_short: str = ""
    doubts: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    export_log: LogOrigin | None = None
    selection: SelectionOrigin | None = None
    load_unfinished: bool = False
    service: str = ""

    @property
    def verdict(self) -> Verdict:
        """What it amounts to. A run that was cut short never verifies anything."""
        verdict = self.tally.verdict()
        doubtful = bool(self.cut_short or self.doubts)
        if doubtful and verdict is Verdict.VERIFIED:
            return Verdict.INCONCLUSIVE
        return verdict

    @property
    def statement(self) -> str:
        """What the run proves about all files, in words."""
        known_extra = self.sample.extra
        if self.completeness:
            known_extra = self.completeness.extra
        said = statement(self.sample, self.tally, self.bound, known_extra)
        if self.sample.unlisted:
            places = counted(self.sample.unlisted, "place")
            said += f" {places} could not be read: nothing is known of files there."
        if self.completeness:
            said = f"{said} {completeness_statement(self.completeness)}"
        return said


class ReportNotWritten(FileRefused):
    """A verification came to its end, and a file for its report could not be written.

    Attributes:
        report: The result, which must not be lost with the file.

    """

    def __init__(self, report: Report, errors: Sequence[FileRefused]) -> None:
        super().__init__(
            "; ".join(error.message for error in errors),
            next_step="the report is complete here; write it elsewhere with --report",
        )
        self.report = report


class Selection(NamedTuple):
    r"""What a report says of a `backup_layout.Source`; as text it can be read aloud.

    Attributes:
        directory: Relative to the disk's root; bytes that are not UTF-8 as ``\xNN``.
        substitutions: What is replaced in keys, and by what.

    """

    bucket: str
    prefix: str = ""
    begin_marker: str = ""
    end_marker: str = ""
    directory: str = ""
    substitutions: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """Return it in words."""
        said = f"s3://{self.bucket}/{self.prefix}"
        if self.begin_marker:
            said += f" after {self.begin_marker}"
        if self.end_marker:
            said += f" up to {self.end_marker}"
        said += f" in /{self.directory}"
        for part, instead in self.substitutions:
            said += f", {part!r} as {instead!r}"
        return said


Selections = tuple[Selection, ...]


@dataclass(frozen=True)
class EarlierRun:
    """What a report says of the run that it is about, so that another can go on.

    Attributes:
        requested: How many files it was to draw; ``None`` for all.
        verified: Fingerprints of the files that matched.

    """

    seed: str
    requested: int | None
    device_path: str
    serial: str
    size_bytes: int
    root: str
    strong: bool
    started_at: datetime
    selections: Selections
    verified: frozenset[int]
    service: str = ""

    def refusals(
        self,
        seed: str,
        device: DeviceFacts,
        layout: BackupLayout,
        *,
        strong: bool,
        service: str = "",
    ) -> tuple[str, ...]:
        """Say why another run cannot take over what this one verified."""
        own = self.serial or self.device_path
        other = device.serial if self.serial else device.place
        compared = (
            ("the seed", self.seed, seed),
            ("the disk", own, other),
            ("the disk's size", self.size_bytes, device.size_bytes),
            ("the directory", self.root, f"/{shown(layout.root)}"),
            ("what is exported", self.selections, selections(layout.sources)),
            ("the S3 service", self.service, service),
        )
        refusals = [
            f"{what} was {_told(before)}, and is {_told(now)} now"
            for what, before, now in compared
            if before != now
        ]
        if strong and not self.strong:
            refusals.append("it took weaker evidence for proof")
        return tuple(refusals)


def selections(sources: Iterable[Source]) -> Selections:
    """Return what reports say of sources."""
    return tuple(
        Selection(
            source.bucket,
            source.prefix,
            source.begin_marker,
            source.end_marker,
            shown(source.directory),
            tuple((each.part, each.instead) for each in source.substitutions),
        )
        for source in sources
    )


def _told(value: str | int | Selections) -> str:
    if not isinstance(value, tuple):
        return str(value) or "not known"
    return ", ".join(map(str, value))


def statement(
    sample: Sample, tally: Tally, bound: Bound | None, known_extra: int = 0
) -> str:
    """Say what a sample proves about all files.

    A file that could not be compared was not shown to be right; the bound counts it
    with the wrong ones, so it always holds.

    Args:
        bound: ``None`` where the disk was not listed to its end: no sample was drawn
            then, and nothing is proven.
        known_extra: Files that S3 does not list, drawn or not: with all of them known,
            the bound speaks of the others.

    """
    matched = tally[Outcome.MATCH]
    if bound is None:
        return (
            f"{matched:,} files equal S3; the disk was not listed to its end, so "
            "nothing is proven about the others."
        )
    if not sample.population:
        return "The backup holds no files: nothing was verified."
    wrong = sample.compared - matched
    doubtful = " or could not be compared" if tally[Outcome.UNVERIFIABLE] else ""
    equal = counted(matched, "equals S3", "equal S3")
    found = f"{equal} and {counted(wrong, 'does not', 'do not')}{doubtful}"
    if not wrong:
        found = "0 differ"
    files = counted(sample.population, "file")
    before = ""
    if sample.taken_over:
        before = f" ({sample.taken_over:,} of them by the run before)"
    looked = f"{sample.compared:,} of {files} checked{before}, {found}"
    if sample.compared == sample.population:
        return f"{looked}: every file that is listed on the disk was looked at."
    if known_extra >= sample.population:
        return f"{looked}: S3 lists none of the files that are on the disk."
    if sample.compared < sample.drawn:
        looked = (
            f"{sample.compared:,} of {sample.drawn:,} drawn files checked{before}, of "
            f"{sample.population:,} in all; {equal}, and those not "
            "checked count as different"
        )
    verb = "differ" if not wrong else f"do not equal S3{doubtful}"
    if bound.files == 1:
        verb = "differs" if not wrong else f"does not equal S3{doubtful}"
    those = " of those that S3 lists" if known_extra else ""
    return (
        f"{looked}: with {percent(bound.level)}% confidence at most "
        f"{counted(bound.files, 'file')}{those} ({bound.fraction:.2%}) {verb}."
    )


def completeness_statement(found: Completeness) -> str:
    """Say how the listing compares with the disk."""
    listed = f"All {found.objects:,} objects of the selection were looked for"
    if found.objects == 1:
        listed = "The one object of the selection was looked for"
    said = ["none is missing"]
    if found.unreadable:
        said = ["none is missing elsewhere"]
    if found.missing:
        said = [counted(found.missing, "is missing", "are missing")]
    if found.unreadable:
        where = "where the disk cannot be read"
        said.append(counted(found.unreadable, f"lies {where}", f"lie {where}"))
    if found.unclear:
        place = "be in the recovery directory"
        said.append(counted(found.unclear, f"may {place}", f"may {place}"))
    if found.newer:
        newer = "newer than the export and not on the disk"
        said.append(counted(found.newer, f"is {newer}", f"are {newer}"))
    if found.extra:
        said.append(counted(found.extra, "file is not in S3", "files are not in S3"))
    return f"{listed}: {', '.join(said)}."
