"""What a verification finds, and what the findings amount to."""

import enum
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from s3export.domain.backup_layout import Source, TreePath
from s3export.domain.confidence import Bound
from s3export.domain.devices import DeviceFacts
from s3export.domain.evidence import EvidenceKind


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
        size_bytes: Of the file on the disk.
        detail: One sentence for people; may be empty.

    """

    path: TreePath
    outcome: Outcome
    bucket: str = ""
    key: str = ""
    evidence: EvidenceKind = EvidenceKind.NONE
    expected: str = ""
    actual: str = ""
    size_bytes: int = 0
    detail: str = ""

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
                return Assertions(run=1, succeeded=0)


class Verdict(enum.Enum):
    """What a verification amounts to; the values are those of the report."""

    VERIFIED = "verified"
    DIFFERS = "differs"
    INCONCLUSIVE = "inconclusive"


class Tally:
    """How often each outcome was found. Grows by `add`; then it is only read."""

    def __init__(self, findings: Iterable[Finding] = ()) -> None:
        self.counts: Counter[Outcome] = Counter()
        self.assertions = Assertions()
        for finding in findings:
            self.add(finding)

    def add(self, finding: Finding) -> None:
        """Count one more finding."""
        self.counts[finding.outcome] += 1
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
        drawn: How many were looked at.
        population: How many files the backup holds.

    """

    seed: str
    requested: int | None
    drawn: int
    population: int


@dataclass(frozen=True)
class Report:
    """The result of one verification.

    Attributes:
        root: Where the walk started, relative to the disk's root.
        findings: Sorted by path; matches only where they were asked for.
        requests: To S3, by kind (``HEAD``, ``LIST``, ``GET``, ...).
        warnings: What the operator should know besides the verdict.

    """

    device: DeviceFacts
    opened_read_only: bool
    root: TreePath
    sources: tuple[Source, ...]
    sample: Sample
    tally: Tally
    bound: Bound
    findings: tuple[Finding, ...]
    requests: Mapping[str, int]
    bytes_read: int
    bytes_downloaded: int
    started_at: datetime
    finished_at: datetime
    version: str
    warnings: tuple[str, ...] = field(default=())

    @property
    def verdict(self) -> Verdict:
        """What it amounts to."""
        return self.tally.verdict()

    @property
    def statement(self) -> str:
        """What the sample proves about all files, in one sentence."""
        return statement(self.sample, self.tally, self.bound)


def statement(sample: Sample, counted: Tally, bound: Bound) -> str:
    """Say what a sample proves about all files.

    A file that is on the disk and not in S3, or that could not be compared, was not
    shown to be right; the bound counts it with the wrong ones, so it always holds.
    """
    if not sample.population:
        return "The backup holds no files: nothing was verified."
    matched = counted[Outcome.MATCH]
    wrong = sample.drawn - matched
    found = "0 differ" if not wrong else f"{matched:,} equal S3 and {wrong:,} do not"
    looked = f"{sample.drawn:,} of {sample.population:,} files checked, {found}"
    if sample.drawn == sample.population:
        return f"{looked}: every file was looked at."
    verb = "differ" if not wrong else "do not equal S3"
    return (
        f"{looked}: with {bound.level * 100:.6g}% confidence at most "
        f"{bound.files:,} files ({bound.fraction:.2%}) {verb}."
    )
