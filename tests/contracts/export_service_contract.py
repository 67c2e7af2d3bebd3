"""What every `ExportService` does. The manifest and its buckets are arranged."""

from typing import Protocol

import pytest
from samples import MANIFEST

from s3export.domain.errors import (
    JobCancelled,
    JobRefused,
    MalformedManifest,
    UnknownJob,
)
from s3export.domain.jobs import JobId
from s3export.domain.manifests import Address
from s3export.domain.ports import ExportService

OTHER_MANIFEST = MANIFEST.replace("HD001", "HD002-other")
NOWHERE = JobId("ZZZZZ")
SENDER = Address(
    name="Jo Operator",
    street1="1 Example Street",
    city="Seattle",
    state_or_province="WA",
    postal_code="98101",
    phone_number="206-555-1000",
    country="USA",
)


class Arranged(Protocol):
    """A service under test that accepts the sample manifest."""

    service: ExportService


class ExportServiceContract:
    """Subclass it with a fixture ``arranged``."""

    def test_the_signing_key_is_known(self, arranged: Arranged) -> None:
        """Its id, so that a manifest can be held against it."""
        assert arranged.service.access_key_id() == "AKIAIOSFODNN7EXAMPLE"

    def test_validating_creates_nothing(self, arranged: Arranged) -> None:
        """A valid manifest is accepted, and no job exists afterwards."""
        assert arranged.service.validate(MANIFEST) == ""
        assert list(arranged.service.jobs()) == []

    def test_a_path_in_place_of_a_manifest_is_malformed(
        self, arranged: Arranged
    ) -> None:
        """The classic mistake is refused by validating and by creating."""
        with pytest.raises(MalformedManifest):
            arranged.service.validate("/home/operator/manifest.yml")
        with pytest.raises(MalformedManifest):
            arranged.service.create("/home/operator/manifest.yml")
        assert list(arranged.service.jobs()) == []

    def test_a_created_job_is_pending_and_not_received(
        self, arranged: Arranged
    ) -> None:
        """Its signature file names it, its manifest is the text that was given."""
        job = arranged.service.create(MANIFEST)

        status = arranged.service.status(job.job_id)

        assert f"jobId:{job.job_id}\n" in job.signature_file
        assert status.signature_file == job.signature_file
        assert status.manifest == MANIFEST
        assert (status.location_code, status.progress_code) == (
            "NotReceived",
            "Pending",
        )
        assert (status.carrier, status.log_key) == ("", "")
        assert status.created_at.tzinfo is not None

    def test_creating_twice_creates_two_jobs(self, arranged: Arranged) -> None:
        """Creating is not idempotent; the newest job is listed first."""
        first = arranged.service.create(MANIFEST)
        second = arranged.service.create(MANIFEST)

        listed = list(arranged.service.jobs())

        assert [job.job_id for job in listed] == [second.job_id, first.job_id]
        assert not any(job.cancelled for job in listed)
        assert {job.job_type for job in listed} == {"Export"}

    def test_an_update_replaces_manifest_and_signature(
        self, arranged: Arranged
    ) -> None:
        """Validating an update alone changes nothing."""
        job = arranged.service.create(MANIFEST)

        arranged.service.update(job.job_id, OTHER_MANIFEST, validate_only=True)
        assert arranged.service.status(job.job_id).manifest == MANIFEST
        arranged.service.update(job.job_id, OTHER_MANIFEST)

        status = arranged.service.status(job.job_id)
        assert status.manifest == OTHER_MANIFEST
        assert status.signature_file != job.signature_file

    def test_updating_twice_is_updating_once(self, arranged: Arranged) -> None:
        """The second update with one text leaves the job as the first made it."""
        job = arranged.service.create(MANIFEST)

        arranged.service.update(job.job_id, OTHER_MANIFEST)
        once = arranged.service.status(job.job_id)
        arranged.service.update(job.job_id, OTHER_MANIFEST)

        assert arranged.service.status(job.job_id) == once

    def test_a_refused_update_changes_nothing(self, arranged: Arranged) -> None:
        """The job keeps the manifest and the signature that it had."""
        job = arranged.service.create(MANIFEST)
        before = arranged.service.status(job.job_id)

        with pytest.raises(MalformedManifest):
            arranged.service.update(job.job_id, "/home/operator/manifest.yml")

        assert arranged.service.status(job.job_id) == before

    def test_two_jobs_of_one_manifest_have_different_signatures(
        self, arranged: Arranged
    ) -> None:
        """A disk that is signed for one job is not taken for the other's."""
        first = arranged.service.create(MANIFEST)
        second = arranged.service.create(MANIFEST)

        assert first.signature_file != second.signature_file
        assert arranged.service.status(first.job_id).signature_file == (
            first.signature_file
        )

    def test_cancelling_one_job_leaves_the_others(self, arranged: Arranged) -> None:
        """Only the job that was named is marked as cancelled."""
        first = arranged.service.create(MANIFEST)
        second = arranged.service.create(MANIFEST)

        arranged.service.cancel(first.job_id)

        assert {j.job_id: j.cancelled for j in arranged.service.jobs()} == {
            first.job_id: True,
            second.job_id: False,
        }

    def test_a_cancelled_job_stays_listed_and_cannot_be_changed(
        self, arranged: Arranged
    ) -> None:
        """Its status can still be asked for."""
        job = arranged.service.create(MANIFEST)

        arranged.service.cancel(job.job_id)

        assert [j.cancelled for j in arranged.service.jobs()] == [True]
        assert arranged.service.status(job.job_id).progress_code == "Canceled"
        with pytest.raises(JobCancelled):
            arranged.service.update(job.job_id, MANIFEST)
        with pytest.raises(JobCancelled):
            arranged.service.cancel(job.job_id)

    def test_an_unknown_job_is_unknown_to_every_operation(
        self, arranged: Arranged
    ) -> None:
        """The error names the job and how to list the known ones."""
        service = arranged.service
        for operation in (
            lambda: service.status(NOWHERE),
            lambda: service.cancel(NOWHERE),
            lambda: service.update(NOWHERE, MANIFEST),
            lambda: service.shipping_label([NOWHERE]),
        ):
            with pytest.raises(UnknownJob, match=NOWHERE) as unknown:
                operation()
            assert "list-jobs" in unknown.value.next_step

    def test_a_label_is_an_address_for_at_least_one_job(
        self, arranged: Arranged
    ) -> None:
        """One label serves several jobs; none at all is refused."""
        jobs = [arranged.service.create(MANIFEST).job_id for _ in range(2)]

        label = arranged.service.shipping_label(jobs)

        assert label.url.startswith("https://")
        assert label.url.endswith(".pdf")
        with pytest.raises(JobRefused):
            arranged.service.shipping_label([])

    def test_a_label_can_name_its_sender(self, arranged: Arranged) -> None:
        """An address is accepted beside the jobs."""
        job = arranged.service.create(MANIFEST)

        assert arranged.service.shipping_label([job.job_id], SENDER).url

    def test_a_cancelled_job_gets_no_label(self, arranged: Arranged) -> None:
        """One cancelled job among several refuses the label of all."""
        first = arranged.service.create(MANIFEST)
        second = arranged.service.create(MANIFEST)
        arranged.service.cancel(second.job_id)

        with pytest.raises(JobCancelled):
            arranged.service.shipping_label([first.job_id, second.job_id])
