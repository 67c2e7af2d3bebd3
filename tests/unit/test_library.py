"""s3export embedded in another program, with every port in memory."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from dependency_injector import providers
from samples import DISK, MANIFEST, disk_facts, loaded_disk, original_example

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


def test_one_text_in_place_of_several_is_one(
    app: MemoryApplication, tmp_path: Path
) -> None:
    """A job's id, a rule's name, the path of a report; not each of its letters."""
    plan = s3export.plan_job("m.yml", DISK, ignore="weak-secret", application=app)
    job = s3export.create_job(plan, application=app)
    label = s3export.get_shipping_label(
        job.job_id, manifest_path="m.yml", application=app
    )
    checked = s3export.check_manifest("m.yml", ignore="weak-secret", application=app)
    devices, store = original_example()
    app.adapters.block_devices.override(providers.Object(devices))
    app.adapters.object_store.override(providers.Object(store))
    report = str(tmp_path / "verdict.json")
    s3export.verify_backup(DISK, bucket="my-bucket", reports=report, application=app)

    assert job.job_id in label.url
    assert {p.rule for p in checked.problems} == {"unquoted-value"}
    assert {p.rule for p in plan.remarks} == {"device-id", "unquoted-value"}
    assert list(app.adapters.reports().written) == [report]
    with pytest.raises(s3export.InputRefused, match="no-report"):
        s3export.verify_backup(
            DISK, bucket="b", checksum_reports="/no-report.csv", application=app
        )


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"sample_size": "all"}, "'all' is no number of files"),
        ({"sample_size": 1.5}, "1.5 is no number of files"),
        ({"exported_at": "2026-11-29"}, "'2026-11-29' is no datetime"),
    ],
)
def test_a_value_of_another_type_is_refused_in_words(
    app: MemoryApplication, wishes: dict[str, Any], said: str
) -> None:
    """As the command line's texts for them would be."""
    with pytest.raises(s3export.InputRefused, match=said):
        s3export.verify_backup(DISK, bucket="b", application=app, **wishes)


def test_where_a_load_selects_nothing_the_command_that_says_why_is_told(
    app: MemoryApplication,
) -> None:
    """It can be run as it stands."""
    store = MemoryObjectStore("foo-bucket", "export-log-bucket")
    app.adapters.object_store.override(providers.Object(store))
    manifests = MemoryManifests({"my m.yml": MANIFEST})
    app.adapters.manifests.override(providers.Object(manifests))

    with pytest.raises(s3export.InputRefused) as refused:
        s3export.plan_load(
            "my m.yml", DISK, encryption=s3export.Encryption.NONE, application=app
        )

    assert refused.value.next_step == (
        "see what it selects: "
        "s3export check-manifest 'my m.yml' --online --for load-device"
    )


def test_an_embedder_sees_how_jobs_stand(
    app: MemoryApplication, tmp_path: Path
) -> None:
    """Statuses of all jobs, what they mean, and the signature as a file."""
    job = s3export.create_job(
        s3export.plan_job("m.yml", DISK, application=app), application=app
    )

    (listed,) = s3export.list_job_details(application=app)
    status = s3export.cancellable_job(job.job_id, application=app)
    written = s3export.write_signature_file(status, str(tmp_path))

    assert isinstance(listed, s3export.JobDetails) and listed.status == status
    situation = s3export.situation_of(status, status.created_at)
    assert situation.turn is s3export.Turn.OPERATOR
    assert written == str(tmp_path / "SIGNATURE")
    assert Path(written).read_bytes() == job.signature_file.encode()


def test_an_embedder_watches_a_job(
    app: MemoryApplication, capfd: pytest.CaptureFixture[str]
) -> None:
    """Until nothing can change any more; nothing is printed."""
    job = s3export.create_job(
        s3export.plan_job("m.yml", DISK, application=app), application=app
    )
    seen = s3export.watch_job(job.job_id, application=app)

    first = next(seen)
    s3export.cancel_job(job.job_id, application=app)
    (last,) = seen

    assert isinstance(first, s3export.Observation) and first.changed == ()
    assert isinstance(last, s3export.Observation) and last.situation.is_final
    assert last.changed == (s3export.Change("progress", "Pending", "Canceled"),)
    assert capfd.readouterr() == ("", "")


def test_a_job_is_not_watched_without_a_pause(app: MemoryApplication) -> None:
    """AWS is asked once a second at most."""
    with pytest.raises(s3export.InputRefused):
        s3export.watch_job("J0001", interval_seconds=0.5, application=app)


def test_planning_alone_changes_nothing(app: MemoryApplication) -> None:
    """A plan is a dry run: no job at AWS, no step on the disk."""
    s3export.plan_job("m.yml", DISK, application=app)

    assert s3export.list_jobs(application=app) == ()
    assert app.adapters.block_devices().disks_by_path[DISK].history == []


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
    """The refusal says how to name it; the disk was looked at."""
    app.adapters.block_devices.override(providers.Object(loaded_disk({b"a": b"x"})))
    with pytest.raises(s3export.InputRefused) as refused:
        s3export.verify_backup(DISK, application=app)

    assert "--bucket" in refused.value.next_step


def test_a_bucket_and_a_manifest_together_are_refused(app: MemoryApplication) -> None:
    """Only one of them can say what the backup should equal."""
    with pytest.raises(s3export.InputRefused, match="both named"):
        s3export.verify_backup(DISK, bucket="b", manifest_path="m.yml", application=app)


def test_substitutions_of_a_manifest_are_followed(app: MemoryApplication) -> None:
    """A file has another name than its key; the listing leads it back."""
    text = MANIFEST + 'substitutions:\n  "$COLON$": ":"\n'
    devices, store = (
        loaded_disk({b"foo-bucket/a:b": b"x"}),
        MemoryObjectStore("foo-bucket"),
    )
    store.put("foo-bucket", "a$COLON$b", b"x")
    app.adapters.manifests.override(
        providers.Singleton(MemoryManifests, {"s.yml": text})
    )
    app.adapters.block_devices.override(providers.Object(devices))
    app.adapters.object_store.override(providers.Object(store))

    report = s3export.verify_backup(
        DISK, manifest_path="s.yml", completeness=False, application=app
    )

    assert report.verdict is s3export.Verdict.VERIFIED
    assert (report.export_log, report.selection) == (None, None)


def test_a_target_directory_without_a_bucket_is_refused(
    app: MemoryApplication,
) -> None:
    """What the disk says was loaded has its own directories."""
    with pytest.raises(s3export.InputRefused, match="should equal"):
        s3export.verify_backup(DISK, target_directory="/", application=app)


@pytest.mark.parametrize("written", ["/s3-export-bucket/", "s3-export-bucket"])
def test_a_target_directory_replaces_the_buckets_name(
    app: MemoryApplication, written: str
) -> None:
    """With or without slashes it is where the files are, instead of /<bucket>."""
    devices, _ = original_example()
    tree = devices.disks_by_path[DISK].tree
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
