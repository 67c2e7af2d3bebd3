"""What holds of every job, however AWS says that it stands."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.domain.job_states import (
    DAYS_TO_ARRIVE,
    KNOWN_LOCATIONS,
    KNOWN_PROGRESS,
    Turn,
    changes,
    has_ended,
    situation_of,
)
from s3export.domain.jobs import JobId, JobStatus

CREATED = datetime(2026, 11, 1, 12, tzinfo=UTC)
ENDED = tuple(
    code for code in KNOWN_PROGRESS if code not in ("Pending", "InProgress", "Started")
)

codes = st.text(st.characters(codec="utf-8"), max_size=12)
locations = st.one_of(st.sampled_from(KNOWN_LOCATIONS), codes)
progresses = st.one_of(st.sampled_from(KNOWN_PROGRESS), codes)
days = st.floats(-1, 90)


def job(location: str, progress: str, **more: object) -> JobStatus:
    """Return the status of a job that was created on 1 November 2026."""
    return replace(
        JobStatus(
            job_id=JobId("X452D"),
            job_type="Export",
            created_at=CREATED,
            location_code=location,
            location_message="said where",
            progress_code=progress,
            progress_message="said how far",
            signature_file="jobId:X452D\n",
        ),
        **more,  # type: ignore[arg-type]
    )


def after(days: float) -> datetime:
    return CREATED + timedelta(days=days)


def test_every_code_of_the_documentation_is_known() -> None:
    """Those of the Developer Guide, and "Started", which botocore's model names."""
    assert set(KNOWN_LOCATIONS) == {"NotReceived", "AtAWS", "Returned"}
    assert set(KNOWN_PROGRESS) == {
        "Pending",
        "InProgress",
        "Started",
        "Complete",
        "Success",
        "SuccessWithErrors",
        "Canceled",
        "Expired",
        "DeviceError",
        "UnsupportedDeviceType",
        "UnsupportedFileFormat",
        "UnsupportedPowerSupply",
        "MissingDevice",
        "MissingSignature",
        "InvalidSignature",
    }


@SETTINGS
@given(locations, progresses, days, codes, codes)
def test_every_job_means_something_and_has_a_next_step(
    location: str, progress: str, passed: float, carrier: str, number: str
) -> None:
    """Whatever the codes are, and whenever it is looked at."""
    status = job(location, progress, carrier=carrier, tracking_number=number)

    situation = situation_of(status, after(passed))

    assert situation.meaning.strip() and situation.next_step.strip()
    assert "\n" not in situation.next_step
    assert situation.turn in Turn


@SETTINGS
@given(progresses, days)
def test_nothing_is_final_while_the_device_is_at_aws(
    progress: str, passed: float
) -> None:
    """It comes back, however the job ended; and it is AWS's turn."""
    situation = situation_of(job("AtAWS", progress), after(passed))

    assert not situation.is_final
    assert situation.turn is Turn.AWS


@SETTINGS
@given(locations, progresses, days)
def test_what_is_final_has_ended(location: str, progress: str, passed: float) -> None:
    """A job that has not ended, or whose state is not known, may still change."""
    status = job(location, progress)

    if situation_of(status, after(passed)).is_final:
        assert has_ended(status)
        assert location in KNOWN_LOCATIONS and progress in ENDED


@SETTINGS
@given(locations, progresses, days)
def test_unknown_codes_are_shown_as_they_came(
    location: str, progress: str, passed: float
) -> None:
    """They are neither fatal nor final."""
    assume(location not in KNOWN_LOCATIONS or progress not in KNOWN_PROGRESS)

    situation = situation_of(job(location, progress), after(passed))

    assert not situation.is_final
    for code, known in ((location, KNOWN_LOCATIONS), (progress, KNOWN_PROGRESS)):
        if code not in known:
            assert code[1:] in situation.meaning


@SETTINGS
@given(locations, progresses, days, days)
def test_what_is_final_stays_final(
    location: str, progress: str, one: float, other: float
) -> None:
    """The time that passes changes nothing of that."""
    status = job(location, progress)

    assert (
        situation_of(status, after(one)).is_final
        == situation_of(status, after(other)).is_final
    )


@SETTINGS
@given(locations, progresses, days)
@example("NotReceived", "Pending", 30.0)
def test_only_a_disk_that_is_waited_for_has_a_deadline(
    location: str, progress: str, passed: float
) -> None:
    """It is 30 days after the job's creation, and it is said when it has passed."""
    situation = situation_of(job(location, progress), after(passed))

    if (location, progress) != ("NotReceived", "Pending"):
        assert situation.deadline is None
        return
    assert situation.deadline == after(DAYS_TO_ARRIVE)
    assert situation.turn is Turn.OPERATOR
    assert ("ended on 2026-12-01" in situation.meaning) == (passed > DAYS_TO_ARRIVE)
    assert ("send it by 2026-12-01, 30 days after creation" in situation.next_step) == (
        passed <= DAYS_TO_ARRIVE
    )


@pytest.mark.parametrize("progress", ["Canceled", "Expired"])
def test_a_job_that_was_given_up_before_a_disk_came_is_nobodys_turn(
    progress: str,
) -> None:
    """Nothing of it will change any more."""
    situation = situation_of(job("NotReceived", progress), after(1))

    assert situation.is_final
    assert situation.turn is Turn.NOBODY


@pytest.mark.parametrize("progress", ENDED)
def test_a_disk_that_came_back_from_a_job_that_ended_is_final(progress: str) -> None:
    """The parcel is named."""
    status = job("Returned", progress, carrier="UPS", tracking_number="1Z999")

    situation = situation_of(status, after(9))

    assert situation.is_final
    assert "UPS 1Z999" in situation.meaning


@pytest.mark.parametrize("progress", ["Success", "Complete", "SuccessWithErrors"])
def test_a_disk_that_came_back_with_data_is_to_be_verified(progress: str) -> None:
    """The next step is the command for it."""
    situation = situation_of(job("Returned", progress), after(9))

    assert situation.turn is Turn.OPERATOR
    assert "s3export verify-backup DEVICE" in situation.next_step
    assert "--job-id X452D" in situation.next_step


@pytest.mark.parametrize("location", ["AtAWS", "Returned"])
def test_a_job_with_errors_says_where_its_log_is(location: str) -> None:
    """Before and after the disk has come back."""
    status = job(location, "SuccessWithErrors", log_bucket="logs", log_key="log-X")

    situation = situation_of(status, after(9))

    assert "s3://logs/log-X" in situation.meaning + situation.next_step


@pytest.mark.parametrize("progress", ["Success", "DeviceError", "InvalidSignature"])
def test_a_job_that_ended_with_a_disk_that_never_came_is_not_final(
    progress: str,
) -> None:
    """The answer contradicts itself: where the disk is will be told later."""
    assert not situation_of(job("NotReceived", progress), after(1)).is_final


def test_a_parcel_without_a_disk_ends_a_job() -> None:
    """There is no device that could come back."""
    situation = situation_of(job("NotReceived", "MissingDevice"), after(1))

    assert situation.is_final
    assert situation.turn is Turn.OPERATOR


def test_a_time_beyond_the_calendar_has_no_deadline() -> None:
    """Such an answer is odd, and not fatal."""
    status = job("NotReceived", "Pending", created_at=datetime.max.replace(tzinfo=UTC))

    assert situation_of(status, after(1)).deadline is None


def test_an_import_is_not_verified() -> None:
    """Its data is in S3, not on the disk."""
    situation = situation_of(job("Returned", "Success", job_type="Import"), after(1))

    assert "verify-backup" not in situation.next_step


@SETTINGS
@given(locations, progresses, codes)
def test_a_status_has_not_changed_against_itself(
    location: str, progress: str, text: str
) -> None:
    """Nor where AWS uses other words for the same codes."""
    status = job(location, progress, carrier=text)

    assert changes(status, status) == ()
    assert changes(status, replace(status, location_message=text)) == ()


def test_each_change_is_told_with_what_was_before() -> None:
    """Location, progress, parcel, log and errors; nothing is called ``none``."""
    before = job("AtAWS", "InProgress")
    now = job(
        "Returned",
        "SuccessWithErrors",
        carrier="UPS",
        tracking_number="1Z",
        log_bucket="logs",
        log_key="log-X",
        error_count=2,
    )

    assert [(c.what, c.before, c.after) for c in changes(before, now)] == [
        ("location", "AtAWS", "Returned"),
        ("progress", "InProgress", "SuccessWithErrors"),
        ("parcel", "none", "UPS 1Z"),
        ("log", "none", "s3://logs/log-X"),
        ("errors", "none", "2"),
    ]
