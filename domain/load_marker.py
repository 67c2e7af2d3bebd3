"""What a disk says of the load that is on it, outside of any container in a file.

It names the job, and holds a fingerprint of what is loaded: so the same command finds
its own half-loaded disk again and goes on, and any other command does not. No bucket,
no key and no password can be read from it.
"""

import hashlib
import json
from dataclasses import astuple, dataclass

from s3export.domain.backup_layout import (
    LOAD_DIRECTORY,
    ROOT,
    BackupLayout,
    join,
    shown,
)
from s3export.domain.errors import (
    DeviceUnreadable,
    FileAbsent,
    FileUnreadable,
    InputRefused,
)
from s3export.domain.jobs import JobId, job_id
from s3export.domain.ports import FileTree

MARKER = join(LOAD_DIRECTORY, b"load.json")
SCHEMA = "s3export/load-marker/1"

_LONGEST = 65_536  # bytes


@dataclass(frozen=True)
class LoadMarker:
    """Which load a disk is of.

    Attributes:
        fingerprint: Of all that decides what is on the disk, and where.
        encryption: ``truecrypt``, ``luks2`` or ``none``.

    """

    job_id: JobId
    fingerprint: str
    encryption: str

    def text(self) -> str:
        """Return it as it stands on the disk."""
        content = {
            "schema": SCHEMA,
            "job_id": self.job_id,
            "fingerprint": self.fingerprint,
            "encryption": self.encryption,
        }
        return json.dumps(content, indent=1) + "\n"


def fingerprint_of(layout: BackupLayout, operation: int, key: str) -> str:
    """Return the fingerprint of a selection that begins at a place."""
    parts = [
        [[*map(_plain, astuple(source))] for source in layout.sources],
        shown(layout.recovery_directory),
        [operation, key],
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


DAMAGED_LOAD = f"what may be a load, with a damaged /{MARKER.decode()}"
"""What a disk holds whose marker cannot be read."""


def read_marker(tree: FileTree) -> LoadMarker | None:
    """Read the marker of a disk; ``None`` only where there is none.

    Raises:
        FileUnreadable: It is there, or may be, and cannot be read or understood.

    """
    buffer = bytearray(_LONGEST)
    length = 0
    try:
        with tree.open(MARKER) as file:
            while got := file.readinto(memoryview(buffer)[length:]):
                length += got
    except FileAbsent:
        if _is_damaged_directory(tree):
            raise FileUnreadable("its directory is damaged") from None
        return None
    try:
        content = json.loads(buffer[:length])
        if content["schema"] != SCHEMA:
            raise FileUnreadable(f"its schema is not {SCHEMA}")
        return LoadMarker(
            job_id(content["job_id"]),
            str(content["fingerprint"]),
            str(content["encryption"]),
        )
    except (InputRefused, ValueError, KeyError, TypeError, RecursionError) as error:
        raise FileUnreadable("it is damaged") from error


def _is_damaged_directory(tree: FileTree) -> bool:
    """Say whether the marker's directory has a name and is none, nor a file."""
    try:
        names = tree.names(ROOT)
        if LOAD_DIRECTORY not in names or tree.has_directory(LOAD_DIRECTORY):
            return False
        with tree.open(LOAD_DIRECTORY):
            return False  # a file of somebody else's
    except (DeviceUnreadable, FileUnreadable):
        return True


def _plain(value: object) -> object:
    return shown(value) if isinstance(value, bytes) else value
