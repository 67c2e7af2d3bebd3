"""The system's clock."""

from datetime import UTC, datetime

from s3export.domain.ports import Clock


class SystemClock(Clock):
    """Looks at the system's clock."""

    def now(self) -> datetime:
        """Return the time now."""
        return datetime.now(UTC)
