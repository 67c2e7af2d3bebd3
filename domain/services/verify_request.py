"""What a verification is asked to do, and who follows it."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from s3export.domain.backup_layout import BackupLayout, ObjectName
from s3export.domain.checksum_report import Computed
from s3export.domain.confidence import DEFAULT_LEVEL, largest_sample_size
from s3export.domain.containers import AS_IT_COMES, Opening
from s3export.domain.export_log import ExportLog
from s3export.domain.verification import EarlierRun, Finding, LogOrigin, Report

DEFAULT_SAMPLE_SIZE = 100


class Watch(Protocol):
    """Whoever follows a verification while it runs."""

    @abstractmethod
    def found(self, finding: Finding) -> None:
        """Take a finding that will be in the report; they come in no promised order."""

    def noticed(self, notice: str) -> None:
        """Take a warning of the report's before the findings that it explains."""
        return None  # nobody has to listen

    def kept(self, path: str, older: str) -> None:
        """Take under which name the older report of a path was kept."""
        return None  # nobody has to listen

    @abstractmethod
    def unfinished(self, report: Report) -> None:
        """Take the report of a run that ends before its end, by the next exception."""


@dataclass(frozen=True)
class VerifyRequest:
    """What to verify, against what, and how much of it.

    Attributes:
        device: A disk, a partition, an image, or a directory where it is mounted.
        layout: Which objects its files should be equal to; ``None`` leaves it to the
            disk to say.
        whole: All of it must be on this disk, even if the disk says that it holds a
            part.
        sample_size: How many files to draw; ``None`` for all.
        seed: Repeats a draw.
        level: The confidence of the statement about all files.
        max_differing: Draw as many as it takes to leave at most this share of wrong
            files plausible, if none is found; ``None`` leaves it to ``sample_size``.
        completeness: Look for every object that S3 lists.
        strong: Refuse 32-bit checksums and uploaders' claims as proof.
        exported_at: When the data was taken from S3, if the operator says it.
        log: The export log; ``None`` for the disk's own, if it has one.
        log_origin: Where the log was found.
        computed: What a checksum report says.
        download: Settle what cannot be verified otherwise by downloading it.
        download_budget: So many bytes at most; ``None`` for no limit.
        earlier: A run to go on from: what it verified is not looked at again.
        opening: How the device, and the container on it, are to be opened.
        all_findings: Keep the matches in the report, too.
        readers: Files read at once; ``None`` leaves it to the disk.
        askers: Requests under way at once.

    """

    device: str
    layout: BackupLayout | None
    seed: str
    sample_size: int | None = DEFAULT_SAMPLE_SIZE
    level: float = DEFAULT_LEVEL
    max_differing: float | None = None
    completeness: bool = True
    whole: bool = False
    strong: bool = False
    exported_at: datetime | None = None
    log: ExportLog | None = None
    log_origin: LogOrigin | None = None
    computed: Mapping[ObjectName, Computed] = field(default_factory=dict)
    download: bool = False
    download_budget: int | None = None
    earlier: EarlierRun | None = None
    opening: Opening = AS_IT_COMES
    all_findings: bool = False
    readers: int | None = None
    askers: int = 32

    @property
    def takes_all(self) -> bool:
        """Whether every file is to be looked at."""
        return self.sample_size is None and self.max_differing is None

    @property
    def most_drawn(self) -> int:
        """How many files must be kept until the population is known."""
        if self.max_differing is not None:
            return largest_sample_size(self.max_differing, self.level)
        return self.sample_size or 1
