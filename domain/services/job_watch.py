"""What is seen of a job while it is watched."""

from dataclasses import dataclass
from datetime import datetime

from s3export.domain.errors import AwsError
from s3export.domain.job_states import Change, Situation, situation_of
from s3export.domain.jobs import JobStatus


@dataclass(frozen=True)
class Observation:
    """A job's status at a time.

    Attributes:
        moment: When it was seen, in UTC.
        changed: What was different the time before; empty for the first observation.

    """

    moment: datetime
    status: JobStatus
    changed: tuple[Change, ...] = ()

    @property
    def situation(self) -> Situation:
        """How the job stands."""
        return situation_of(self.status, self.moment)


@dataclass(frozen=True)
class NoAnswer:
    """AWS did not answer, and will be asked again.

    Attributes:
        moment: When it did not, in UTC.

    """

    moment: datetime
    error: AwsError
