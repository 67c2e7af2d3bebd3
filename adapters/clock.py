"""The system's clock."""

import time
from datetime import UTC, datetime

from s3export.domain.ports import Clock


class SystemClock(Clock):
    """Looks at the system's clock."""

    def now(self) -> datetime:
        """Return the time now."""
        return datetime.now(UTC)

    def wait(self, seconds: float) -> None:
        """Sleep; an exception that a signal's handler raises ends it."""
        time.sleep(max(0.0, seconds))
