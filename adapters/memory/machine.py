"""A machine and a way to S3 that a test can make as it likes."""

from collections.abc import Mapping, Sequence

from s3export.domain.capabilities import (
    CLOCK,
    CREDENTIALS,
    S3,
    TASKS,
    Access,
    Part,
    PartKind,
)
from s3export.domain.ports import AwsAccess, Machine


class MemoryMachine(Machine):
    """Has every part that a task needs, but those that are said to be different.

    Args:
        parts: What is different, by name.
    """

    def __init__(self, parts: Mapping[str, Part] | None = None) -> None:
        self._parts = {
            name: Part(name, PartKind.TOOL, True, "1.0")
            for task in TASKS
            for way in task.ways
            for name in way.needs
            if name not in (CREDENTIALS, S3, CLOCK)
        } | dict(parts or {})

    def name(self) -> str:
        """Name no system that there is."""
        return "a system in memory"

    def parts(self) -> Sequence[Part]:
        """Return them as they were given."""
        return tuple(self._parts.values())


class MemoryAwsAccess(AwsAccess):
    """Finds what it was given."""

    def __init__(self, access: Access | None = None) -> None:
        self._access = access or Access(
            region="us-east-1", credentials="memory", access_key_id="MPLE", asked=True
        )

    def look(self, *, ask: bool) -> Access:
        """Return it; nobody is asked."""
        return self._access
