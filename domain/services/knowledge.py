"""What is known of an export besides S3: when it was, and what others say of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from s3export.domain.backup_layout import ObjectName, TreePath
from s3export.domain.checksum_report import Computed
from s3export.domain.evidence import (
    Evidence,
    ObjectFacts,
    logged_md5,
    whole_checksum,
)
from s3export.domain.export_log import LogEntry
from s3export.domain.ports import TreeFile
from s3export.domain.verification import SAYS_DISK, ExportTime


@dataclass(frozen=True)
class Knowledge:
    """What is known besides S3.

    Attributes:
        exported_at: Objects newer than that may differ.
        log: What the export log says of each object.
        log_at: The same of each file: an object that was exported twice can have been
            changed in between.
        own_log: It is the word of the disk that is verified: it accuses, and never
            excuses.
        computed: What a checksum report says of each object.
        strong: Refuse 32-bit checksums and uploaders' claims as proof.

    """

    exported_at: ExportTime | None = None
    log: Mapping[ObjectName, LogEntry] = field(default_factory=dict)
    log_at: Mapping[TreePath, LogEntry] = field(default_factory=dict)
    own_log: bool = False
    computed: Mapping[ObjectName, Computed] = field(default_factory=dict)
    strong: bool = False

    def when(self, name: ObjectName, file: TreeFile | None = None) -> datetime | None:
        """Return when an object was exported, if anything says it.

        What the operator says comes first, then the log's word on this very object.
        A disk says it of each file: its inode cannot be older than what was written.
        A log on that disk can only say that it was later.
        """
        told = self.exported_at
        if told and told.is_certain:
            return told.moment
        entry = self._entry(name, file)
        logged = entry.at if entry else None
        if logged and not self.own_log:
            return logged
        moment = told.moment if told else None
        if moment and told and told.origin == SAYS_DISK and file:
            moment = min(moment, from_ns(file.changed_ns) or moment)
        return max(moment, logged) if moment and logged else moment

    def is_newer(self, facts: ObjectFacts, file: TreeFile | None = None) -> bool:
        """Say whether an object was written after it was exported.

        A log that says which ETag was written knows it without looking at a clock. Not
        the log of the disk itself: whoever changed a file can have changed that, too.
        """
        name = ObjectName(facts.bucket, facts.key)
        written = self.written(name, file)
        if written and written.etag:
            return written.etag != facts.etag
        moment = self.when(name, file)
        return moment is not None and facts.modified_at > moment

    def written(
        self, name: ObjectName, file: TreeFile | None = None
    ) -> LogEntry | None:
        """Return the line of a named log that knows which version was written.

        Where the operator says when the export was, that is what counts.
        """
        told, entry = self.exported_at, self._entry(name, file)
        if self.own_log or (told and told.is_certain):
            return None
        known = entry and entry.written and (entry.etag or entry.version_id)
        return entry if known else None

    def _entry(self, name: ObjectName, file: TreeFile | None) -> LogEntry | None:
        entry = self.log_at.get(file.path) if file else None
        if entry and (entry.bucket, entry.key) == (name.bucket, name.key):
            return entry
        return self.log.get(name)

    def logged(
        self, facts: ObjectFacts, file: TreeFile | None = None
    ) -> Evidence | None:
        """Return what the export log says was written of an object."""
        entry = self._entry(ObjectName(facts.bucket, facts.key), file)
        if not entry or not entry.written:
            return None
        return logged_md5(entry.md5, own=self.own_log)

    def log_speaks_of(self, facts: ObjectFacts, file: TreeFile) -> bool:
        """Say whether what a log says was written is this object, and no older one."""
        name = ObjectName(facts.bucket, facts.key)
        entry, moment = self._entry(name, file), self.when(name)
        if not entry or not moment or entry.etag not in ("", facts.etag):
            return False
        return facts.modified_at <= (entry.at or moment)

    def reported(self, facts: ObjectFacts) -> Evidence | None:
        """Return what a checksum report says of an object's content as it is now."""
        told = self.computed.get(ObjectName(facts.bucket, facts.key))
        if told is None or told.etag != facts.etag:
            return None
        found = whole_checksum(told.algorithm, told.value, "the checksum report")
        return found if isinstance(found, Evidence) else None


def from_ns(since_epoch: int) -> datetime | None:
    """Return a time of a file system, or ``None`` where it is none of this age."""
    try:
        return (
            datetime.fromtimestamp(since_epoch // 10**9, UTC) if since_epoch else None
        )
    except (ValueError, OverflowError, OSError):
        return None
