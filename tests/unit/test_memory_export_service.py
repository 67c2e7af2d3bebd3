"""The export service in memory, beyond its contract: failures and states on demand.

That it holds to the contract is in ``test_memory_contracts.py``.
"""

import pytest
from samples import MANIFEST

from s3export.adapters.memory import MemoryExportService
from s3export.domain import errors
from s3export.domain.jobs import JobId


@pytest.fixture
def service() -> MemoryExportService:
    return MemoryExportService()


@pytest.fixture
def job_id(service: MemoryExportService) -> JobId:
    return service.create(MANIFEST).job_id


def test_the_next_call_fails_as_told_and_changes_nothing(
    service: MemoryExportService, job_id: JobId
) -> None:
    """A failure happens once, before anything is done; the call after it succeeds."""
    for call in (
        lambda: service.validate(MANIFEST),
        lambda: service.create(MANIFEST),
        lambda: service.update(job_id, MANIFEST),
        lambda: service.cancel(job_id),
        lambda: service.status(job_id),
        lambda: list(service.jobs()),
        lambda: service.shipping_label([job_id]),
    ):
        service.fail_with = errors.Throttled("slower, please")
        with pytest.raises(errors.Throttled):
            call()

    assert [(j.job_id, j.cancelled) for j in service.jobs()] == [(job_id, False)]


def test_a_lost_reply_leaves_a_job_behind(service: MemoryExportService) -> None:
    """The job exists, and the next call to create makes another one."""
    service.fail_after_create = errors.ReplyLost("the line is dead")
    with pytest.raises(errors.ReplyLost):
        service.create(MANIFEST)
    assert len(list(service.jobs())) == 1

    service.create(MANIFEST)

    assert len(list(service.jobs())) == 2


@pytest.mark.parametrize("progress", ["InProgress", "Success", "DeviceError"])
def test_a_job_that_has_started_is_neither_updated_nor_cancelled(
    service: MemoryExportService, job_id: JobId, progress: str
) -> None:
    """Its manifest stays, and it is not marked as cancelled."""
    service.move(job_id, location_code="AtAWS", progress_code=progress)

    with pytest.raises(errors.JobNotUpdatable, match=job_id):
        service.update(job_id, MANIFEST + "# other\n")
    with pytest.raises(errors.JobNotCancellable, match=job_id):
        service.cancel(job_id)

    assert service.status(job_id).manifest == MANIFEST
    assert not next(service.jobs()).cancelled


def test_an_expired_job_can_only_be_looked_at(
    service: MemoryExportService, job_id: JobId
) -> None:
    """Updating, cancelling and labelling say that it has expired."""
    service.move(job_id, progress_code="Expired")

    for call in (
        lambda: service.update(job_id, MANIFEST),
        lambda: service.cancel(job_id),
        lambda: service.shipping_label([job_id]),
    ):
        with pytest.raises(errors.JobExpired, match=job_id):
            call()
    assert service.status(job_id).progress_code == "Expired"


def test_a_moved_job_tells_what_happened_to_it(
    service: MemoryExportService, job_id: JobId
) -> None:
    """Only the fields that are named change."""
    before = service.status(job_id)

    service.move(job_id, location_code="Returned", tracking_number="1Z")

    after = service.status(job_id)
    assert (after.location_code, after.tracking_number) == ("Returned", "1Z")
    assert (after.progress_code, after.manifest) == (
        before.progress_code,
        before.manifest,
    )


def test_the_repr_of_a_status_hides_the_manifest(
    service: MemoryExportService, job_id: JobId
) -> None:
    """A password in the manifest reaches no log by way of a repr."""
    status = service.status(job_id)

    assert status.manifest is not None
    assert "pinCode" in status.manifest
    assert "pinCode" not in repr(status)
