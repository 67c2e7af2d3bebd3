"""What it means that an object is not on the disk."""

from dataclasses import dataclass

from s3export.domain.backup_layout import (
    BackupLayout,
    NotAPath,
    ObjectName,
    TreePath,
    below,
    shown,
)
from s3export.domain.completeness import Inventory, Listed
from s3export.domain.export_log import LogEntry
from s3export.domain.services.backup_files import BackupFiles
from s3export.domain.verification import Outcome


@dataclass(frozen=True)
class Absences:
    """Tells objects that are missing from those that cannot be where they are sought.

    Attributes:
        files: Whose walk has come to its end.

    """

    layout: BackupLayout
    inventory: Inventory
    files: BackupFiles

    def judged(self, listed: Listed, entry: LogEntry | None) -> tuple[Outcome, str]:
        """Say what the absence of a listed object means.

        Args:
            entry: What the export log says of it.

        """
        if entry:
            said = f"{entry.status} {entry.code}".strip()
            if entry.written:
                said = f"that it was written to /{shown(entry.file)}"
            return Outcome.MISSING_FROM_BACKUP, f"the export log says {said}"
        path, reason = listed.path, listed.reason
        if path is not None:
            for damaged in self.files.damaged:
                if path == damaged.path or below(path, damaged.path) is not None:
                    where = f"/{shown(damaged.path)} cannot be read"
                    return Outcome.UNREADABLE, f"{where}: {damaged.reason}"
            reason = self._why_not_there(listed, path)
        if not reason or not self.files.recovered():
            absent = reason or self._what_is_there(path)
            if path is None:
                absent = f"{reason}; {self._no_path()}"
            return Outcome.MISSING_FROM_BACKUP, absent
        where = f"/{shown(self.layout.recovery_directory)}"
        return Outcome.UNVERIFIABLE, (
            f"{reason}; if it was exported it is in {where}, and only the export log "
            "says where"
        )

    def _what_is_there(self, path: TreePath | None) -> str:
        """Say what is on the disk in place of a file."""
        odd = None if path is None else self.files.odd_at(path)
        if odd is None:
            return "S3 has it, the disk does not"
        return f"/{shown(odd)} is a link or special file, which was not looked at"

    def _no_path(self) -> str:
        """Say of a key that is no path why a good copy lacks it, and what to do."""
        where = f"/{shown(self.layout.recovery_directory)}"
        return (
            "it cannot be a path on a disk, so that a plain copy of the bucket does "
            f"not have it: load-device puts it into {where} and names it in the export "
            "log; or copy the object to another key"
        )

    def _why_not_there(self, listed: Listed, path: TreePath) -> str:
        """Say why no file can be at an object's path; empty if one can."""
        facts = listed.facts
        try:
            self.layout.place(listed.source, facts.key)
        except NotAPath:
            return "its path is kept for what AWS and ext4 put on the disk"
        if self.inventory.has_another(path, ObjectName(facts.bucket, facts.key)):
            return f"/{shown(path)}, its path, is another object's, too"
        if self.files.has_directory(path):
            return f"/{shown(path)}, its path, is a directory"
        names = path.split(b"/")
        for length in range(1, len(names)):
            parent = TreePath(b"/".join(names[:length]))
            if self.inventory.has(parent):
                return f"/{shown(parent)}, where it needs a directory, is an object"
        return ""
