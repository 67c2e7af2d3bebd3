"""What a job's codes mean, whose turn it is, and what to do next.

Source of the codes: AWS Import/Export Developer Guide, "Status codes", and botocore's
model of ``importexport``. Both sets are open: a code that is not known here is shown
as it came, and nothing is concluded from it.
"""

import enum
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from s3export.domain import jobs
from s3export.domain.jobs import JobStatus

DAYS_TO_ARRIVE = 30
"""Developer Guide, "Creating an export job": a job expires if no device came by then,
counted from its creation."""


class Turn(enum.Enum):
    """Who has to act for a job to go on."""

    OPERATOR = "operator"
    AWS = "AWS"
    NOBODY = "nobody"


@dataclass(frozen=True)
class Situation:
    """How a job stands, for people.

    Attributes:
        meaning: What location and progress say, in words.
        turn: Who has to act.
        next_step: What to do, or what to wait for.
        deadline: Until when AWS waits for the disk, in UTC; ``None`` where it waits
            for none.
        is_final: Nothing that AWS tells of the job will change any more. Never true
            while the device is at AWS, nor with a code that is not known here.

    """

    meaning: str
    turn: Turn
    next_step: str
    deadline: datetime | None
    is_final: bool


@dataclass(frozen=True)
class Change:
    """What is different between two looks at a job.

    Attributes:
        what: ``location``, ``progress``, ``parcel``, ``log`` or ``errors``.
        before, after: For people; ``none`` where AWS said nothing.

    """

    what: str
    before: str
    after: str


class _Phase(enum.Enum):
    WAITING = enum.auto()
    UNDER_WAY = enum.auto()
    DONE = enum.auto()
    GIVEN_UP = enum.auto()
    DISK_UNUSABLE = enum.auto()


_ENDED = (_Phase.DONE, _Phase.GIVEN_UP, _Phase.DISK_UNUSABLE)


@dataclass(frozen=True)
class _Progress:
    phase: _Phase
    meaning: str
    remedy: str = "create a new job for another disk: s3export create-job"


_PROGRESS: Mapping[str, _Progress] = {
    jobs.PENDING: _Progress(_Phase.WAITING, "the transfer has not started"),
    jobs.IN_PROGRESS: _Progress(_Phase.UNDER_WAY, "the transfer is under way"),
    jobs.STARTED: _Progress(_Phase.UNDER_WAY, "the transfer has started"),
    jobs.SUCCESS: _Progress(_Phase.DONE, "all data was transferred"),
    jobs.COMPLETE: _Progress(_Phase.DONE, "all data was transferred"),
    jobs.SUCCESS_WITH_ERRORS: _Progress(
        _Phase.DONE, "the data was transferred, with errors for some objects"
    ),
    jobs.CANCELED: _Progress(
        _Phase.GIVEN_UP, "the job was cancelled, by its owner or by AWS"
    ),
    jobs.EXPIRED: _Progress(
        _Phase.GIVEN_UP,
        f"the job has expired: no disk reached AWS within {DAYS_TO_ARRIVE} days of its "
        "creation",
    ),
    jobs.DEVICE_ERROR: _Progress(
        _Phase.DISK_UNUSABLE, "AWS could not use the disk: it failed there"
    ),
    jobs.UNSUPPORTED_DEVICE_TYPE: _Progress(
        _Phase.DISK_UNUSABLE,
        "AWS could not use the disk: it takes no devices of this type",
        "create a new job for a disk with eSATA, USB 2.0 or USB 3.0: s3export "
        "create-job",
    ),
    jobs.UNSUPPORTED_FILE_FORMAT: _Progress(
        _Phase.DISK_UNUSABLE,
        "AWS could not use the disk: it does not read its file system",
        "have the disk formatted by a new job: s3export create-job",
    ),
    jobs.UNSUPPORTED_POWER_SUPPLY: _Progress(
        _Phase.DISK_UNUSABLE,
        "AWS could not use the disk: its power supply does not fit there",
        "create a new job for a disk with another power supply: s3export create-job",
    ),
    jobs.MISSING_DEVICE: _Progress(
        _Phase.DISK_UNUSABLE,
        "there was no disk in the parcel",
        "ask AWS and the carrier for the disk, then create a new job: s3export "
        "create-job",
    ),
    jobs.MISSING_SIGNATURE: _Progress(
        _Phase.DISK_UNUSABLE,
        "AWS could not tell which job the disk belongs to: there was no SIGNATURE "
        "file in its root",
        "create a new job, which writes SIGNATURE: s3export create-job",
    ),
    jobs.INVALID_SIGNATURE: _Progress(
        _Phase.DISK_UNUSABLE,
        "AWS refused the disk: its SIGNATURE file was not this job's",
        "create a new job, which writes SIGNATURE: s3export create-job",
    ),
}

_LOCATIONS: Mapping[str, str] = {
    jobs.NOT_RECEIVED: "AWS has not received the disk",
    jobs.AT_AWS: "the disk is at AWS",
    jobs.RETURNED: "AWS has sent the disk back",
}

KNOWN_PROGRESS = tuple(_PROGRESS)
KNOWN_LOCATIONS = tuple(_LOCATIONS)


def situation_of(status: JobStatus, now: datetime) -> Situation:
    """Say how a job stands.

    Args:
        status: What AWS answered.
        now: The time, aware.

    """
    progress = _PROGRESS.get(status.progress_code)
    location = _LOCATIONS.get(status.location_code)
    meaning = _sentence(
        location or _unknown("location", status.location_code, status.location_message),
        progress.meaning
        if progress
        else _unknown("progress", status.progress_code, status.progress_message),
    )
    if progress is None or location is None:
        return Situation(
            meaning,
            Turn.AWS if status.location_code == jobs.AT_AWS else Turn.OPERATOR,
            "look the code up in the documentation of AWS Import/Export, or ask AWS",
            None,
            is_final=False,
        )
    if status.location_code == jobs.AT_AWS:
        return Situation(
            meaning, Turn.AWS, _until_aws_is_done(status, progress), None, False
        )
    if status.location_code == jobs.RETURNED:
        return _returned(status, progress, meaning)
    return _not_received(status, progress, meaning, now)


def has_ended(status: JobStatus) -> bool:
    """Say whether the job has ended, well or not, wherever its device is."""
    progress = _PROGRESS.get(status.progress_code)
    return progress is not None and progress.phase in _ENDED


def changes(before: JobStatus, after: JobStatus) -> tuple[Change, ...]:
    """Return what AWS tells differently now; messages in words do not count."""
    return tuple(
        Change(what, old or "none", new or "none")
        for (what, old), (_, new) in zip(_told(before), _told(after), strict=True)
        if old != new
    )


def _told(status: JobStatus) -> Iterator[tuple[str, str]]:
    yield "location", status.location_code
    yield "progress", status.progress_code
    yield "parcel", _parcel(status)
    yield "log", _log(status)
    yield "errors", "" if status.error_count is None else str(status.error_count)


def _not_received(
    status: JobStatus, progress: _Progress, meaning: str, now: datetime
) -> Situation:
    if progress.phase is _Phase.WAITING:
        return _waited_for(status, meaning, now)
    if progress.phase is _Phase.UNDER_WAY:
        return Situation(meaning, Turn.AWS, _wait(status), None, is_final=False)
    if progress.phase is _Phase.GIVEN_UP or status.progress_code == jobs.MISSING_DEVICE:
        nobody = progress.phase is _Phase.GIVEN_UP
        return Situation(
            meaning,
            Turn.NOBODY if nobody else Turn.OPERATOR,
            _if_still_wanted(progress) if nobody else progress.remedy,
            None,
            is_final=True,
        )
    # It ended with a device that has not come: the location is told late.
    return Situation(
        meaning, Turn.AWS, _until_aws_is_done(status, progress), None, is_final=False
    )


def _waited_for(status: JobStatus, meaning: str, now: datetime) -> Situation:
    deadline = _deadline(status)
    if deadline is None:
        step = "send it with the label of: s3export get-shipping-label " + status.job_id
        return Situation(meaning, Turn.OPERATOR, step, None, is_final=False)
    day = f"{deadline:%Y-%m-%d}"
    if now > deadline:
        meaning += (
            f"; the {DAYS_TO_ARRIVE} days in which AWS waits for it ended on {day}, "
            "although the job is still pending"
        )
        step = (
            "if the disk is under way, ask AWS whether it is still taken; otherwise "
            "create a new job: s3export create-job"
        )
    else:
        step = (
            f"AWS waits for the disk: send it by {day}, {DAYS_TO_ARRIVE} days after "
            "creation, with the label of: s3export get-shipping-label "
            f"{status.job_id}"
        )
    return Situation(meaning, Turn.OPERATOR, step, deadline, is_final=False)


def _returned(status: JobStatus, progress: _Progress, meaning: str) -> Situation:
    parcel = _parcel(status)
    if parcel:
        meaning += f"; the parcel: {parcel}"
    if progress.phase is _Phase.DONE:
        step = (
            "verify the disk with: s3export verify-backup DEVICE --manifest FILE "
            + (f"--job-id {status.job_id}")
        )
        if status.job_type == "Import":
            step = "nothing: the data is in S3"
        return Situation(
            meaning + _where_the_log_is(status),
            Turn.OPERATOR,
            step,
            None,
            is_final=True,
        )
    if progress.phase is _Phase.DISK_UNUSABLE:
        return Situation(meaning, Turn.OPERATOR, progress.remedy, None, is_final=True)
    if progress.phase is _Phase.GIVEN_UP:
        step = _if_still_wanted(progress)
        return Situation(meaning, Turn.NOBODY, step, None, is_final=True)
    # The device came back from a job that has not ended: the progress is told late.
    return Situation(meaning, Turn.AWS, _wait(status), None, is_final=False)


def _until_aws_is_done(status: JobStatus, progress: _Progress) -> str:
    if progress.phase not in _ENDED:
        return _wait(status)
    step = f"wait for the disk to come back; {_watch(status)}"
    if progress.phase is _Phase.DISK_UNUSABLE:
        step += f"; then {progress.remedy}"
    elif status.progress_code == jobs.SUCCESS_WITH_ERRORS:
        step += _where_the_log_is(status)
    return step


def _where_the_log_is(status: JobStatus) -> str:
    if status.progress_code != jobs.SUCCESS_WITH_ERRORS:
        return ""
    log = _log(status)
    return f"; the log says for which: {log}" if log else "; the log says for which"


def _wait(status: JobStatus) -> str:
    return f"wait for AWS; {_watch(status)}"


def _watch(status: JobStatus) -> str:
    return f"changes are told by: s3export get-status {status.job_id} --watch"


def _if_still_wanted(progress: _Progress) -> str:
    return "if the data is still wanted: s3export create-job makes a new job"


def _deadline(status: JobStatus) -> datetime | None:
    try:
        return status.created_at.astimezone(UTC) + timedelta(days=DAYS_TO_ARRIVE)
    except OverflowError:  # a time that no job can have been created at
        return None


def _parcel(status: JobStatus) -> str:
    return f"{status.carrier} {status.tracking_number}".strip()


def _log(status: JobStatus) -> str:
    return f"s3://{status.log_bucket}/{status.log_key}" if status.log_key else ""


def _unknown(what: str, code: str, message: str) -> str:
    if not code and not message:
        return f"AWS tells no {what}"
    said = " ".join(message.split())
    return f"the {what} is {code or 'told in words only'}" + (
        f" ({said})" if said else ""
    )


def _sentence(location: str, progress: str) -> str:
    text = f"{location}; {progress}"
    return text[:1].upper() + text[1:]
