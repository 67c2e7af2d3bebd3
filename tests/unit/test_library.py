"""s3export embedded in another program, with every port in memory."""

import importlib

import pytest
from dependency_injector import providers
from samples import DISK, MANIFEST, disk_facts, original_example

import s3export
from s3export.adapters.memory import (
    MemoryBlockDevices,
    MemoryDisk,
    MemoryManifests,
    MemoryObjectStore,
)
from s3export.entrypoints.container import MemoryApplication, memory_application


@pytest.fixture
def app() -> MemoryApplication:
    """An application with one empty disk and one manifest."""
    application = memory_application()
    application.adapters.block_devices.override(
        providers.Singleton(MemoryBlockDevices, MemoryDisk(disk_facts()))
    )
    application.adapters.manifests.override(
        providers.Singleton(MemoryManifests, {"m.yml": MANIFEST})
    )
    return application


def test_an_embedder_creates_follows_and_cancels_a_job(app: MemoryApplication) -> None:
    """Every command on jobs is a function with a typed result."""
    plan = s3export.plan_job("m.yml", DISK, application=app)
    job = s3export.create_job(plan, application=app)

    assert [j.job_id for j in s3export.list_jobs(application=app)] == [job.job_id]
    assert s3export.get_status(job.job_id, application=app).location_code == (
        "NotReceived"
    )
    label = s3export.get_shipping_label(
        [job.job_id], manifest_path="m.yml", application=app
    )
    assert job.job_id in label.url
    updated = s3export.update_job(job.job_id, "m.yml", DISK, application=app)
    assert not updated.signature_written
    s3export.cancel_job(job.job_id, application=app)
    assert s3export.list_jobs(application=app)[0].cancelled


def test_planning_alone_changes_nothing(app: MemoryApplication) -> None:
    """A plan is a dry run: no job at AWS, no step on the disk."""
    s3export.plan_job("m.yml", DISK, application=app)

    assert s3export.list_jobs(application=app) == ()
    assert app.adapters.block_devices().disks[DISK].history == []


def test_an_embedder_verifies_a_disk(app: MemoryApplication) -> None:
    """The report is an object, and nothing was printed to get it."""
    devices, store = original_example()
    app.adapters.block_devices.override(providers.Object(devices))
    app.adapters.object_store.override(providers.Object(store))

    report = s3export.verify_backup(
        DISK, bucket="my-bucket", seed="fixed", application=app
    )

    assert report.verdict is s3export.Verdict.DIFFERS
    assert report.sample.seed == "fixed"
    assert [finding.path for finding in report.findings] == [b"bar/bar", b"bar/foo"]


def test_without_bucket_or_manifest_there_is_nothing_to_compare_with(
    app: MemoryApplication,
) -> None:
    """The refusal says how to name it."""
    with pytest.raises(s3export.InputRefused) as refused:
        s3export.verify_backup(DISK, application=app)

    assert "--bucket" in refused.value.next_step


def test_a_bucket_and_a_manifest_together_are_refused(app: MemoryApplication) -> None:
    """Only one of them can say what the backup should equal."""
    with pytest.raises(s3export.InputRefused, match="both named"):
        s3export.verify_backup(DISK, bucket="b", manifest_path="m.yml", application=app)


@pytest.mark.parametrize("written", ["/s3-export-bucket/", "s3-export-bucket"])
def test_a_target_directory_replaces_the_buckets_name(
    app: MemoryApplication, written: str
) -> None:
    """With or without slashes it is where the files are, instead of /<bucket>."""
    devices, _ = original_example()
    tree = devices.disks[DISK].tree
    assert tree is not None
    tree.replace(b"s3-export-bucket/a", b"content")  # type: ignore[arg-type]
    store = MemoryObjectStore("my-bucket")
    store.put("my-bucket", "a", b"content")
    app.adapters.block_devices.override(providers.Object(devices))
    app.adapters.object_store.override(providers.Object(store))

    report = s3export.verify_backup(
        DISK, bucket="my-bucket", target_directory=written, application=app
    )

    assert report.verdict is s3export.Verdict.VERIFIED
    assert report.root == b"s3-export-bucket"
    assert report.sample.population == 1


def test_everything_public_is_listed_and_sorted() -> None:
    """``__all__`` is the public API, each name of it can be imported."""
    module = importlib.import_module("s3export")

    assert module.__all__ == sorted(module.__all__)
    assert all(hasattr(module, name) for name in module.__all__)
