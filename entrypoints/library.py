"""s3export as a library: one typed function for every command.

Nothing here prints, exits, or keeps state. Each function takes an ``application`` (by
default the real parts, wired from the settings file and the environment) and raises
subclasses of `S3ExportError`.
"""

import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from s3export.adapters.keys import GivenKeys
from s3export.domain.backup_layout import (
    LOAD_DIRECTORY,
    BackupLayout,
    ObjectName,
    Source,
    TreePath,
    directory_of,
)
from s3export.domain.bucket_names import refuse_misnamed
from s3export.domain.capabilities import Diagnosis, diagnose
from s3export.domain.checksum_report import (
    Computed,
    batch_manifest,
    parse_checksum_report,
)
from s3export.domain.confidence import DEFAULT_LEVEL
from s3export.domain.confidence import sample_size as needed_sample_size
from s3export.domain.containers import AS_IT_COMES, Opening
from s3export.domain.devices import DeviceFacts, Refusal, refusals_to_write
from s3export.domain.errors import (
    DeviceUnreadable,
    FileRefused,
    InputRefused,
    NothingToCompareWith,
    Problem,
)
from s3export.domain.export_log import ExportLog, parse_export_log
from s3export.domain.history import ContentHistory, history
from s3export.domain.jobs import (
    SIGNATURE_FILE_NAME,
    CreatedJob,
    JobStatus,
    JobSummary,
    ShippingLabel,
    signature_of,
)
from s3export.domain.jobs import job_id as checked_job_id
from s3export.domain.load_journal import entries_of
from s3export.domain.manifests import (
    DEFAULT_RECOVERY_DIRECTORY,
    CheckedManifest,
    Manifest,
    for_load,
    misspelt_password,
    remarks_for_load,
    selection_for_load,
)
from s3export.domain.manifests.lints import other_serial
from s3export.domain.manifests.writing import Draft, write
from s3export.domain.ports import BlockDevices, KeyRing, ObjectStore, ReportWriter
from s3export.domain.services.create_job import (
    AS_USUAL,
    CreateJob,
    CreateJobPlan,
    DiskWishes,
)
from s3export.domain.services.disk_notes import log_on
from s3export.domain.services.follow_jobs import (
    DETAILS_AT_ONCE,
    FollowJobs,
    JobDetails,
    JobWithoutStatus,
    UpdatedJob,
)
from s3export.domain.services.job_watch import NoAnswer, Observation
from s3export.domain.services.load_device import (
    DEFAULT_AT_ONCE,
    Place,
    place_after,
)
from s3export.domain.services.load_disk import (
    Encryption,
    LoadDisk,
    LoadedDisk,
    LoadPlan,
    LoadWishes,
)
from s3export.domain.services.open_backup import OpenBackup
from s3export.domain.services.read_back import ReadBack, ReadBackResult
from s3export.domain.services.survey_selection import Survey, SurveySelection
from s3export.domain.services.verify_backup import VerifyBackup
from s3export.domain.services.verify_request import (
    DEFAULT_SAMPLE_SIZE,
    VerifyRequest,
    Watch,
)
from s3export.domain.verification import (
    IN_FILE,
    IN_S3,
    EarlierRun,
    Finding,
    LogOrigin,
    Report,
    ReportNotWritten,
)

if TYPE_CHECKING:  # the container imports boto3 and more: only where it is needed
    from s3export.entrypoints.container import Application, MemoryApplication
    from s3export.entrypoints.settings import Settings

    AnyApplication = Application | MemoryApplication

READERS = 2
"""Files read back at once."""

ALL_FILES = None
"""For ``sample_size``: look at every file."""

AS_BEFORE: Final = "as before"
"""For ``sample_size``: as many as the run that is gone on with; as usual without."""

SampleSize = int | Literal["as before"] | None
"""A number of files, `AS_BEFORE` or `ALL_FILES`."""


def open_application(settings: "Settings | None" = None) -> "Application":
    """Wire the real parts together, once for many calls.

    Args:
        settings: By default those of the settings file and the environment.

    Raises:
        SettingsRejected: The file or the environment holds something unusable.
    """
    from s3export.entrypoints.container import application

    return application(settings)


def examine_machine(
    *,
    ask: bool = True,
    tasks: Sequence[str] = (),
    application: "AnyApplication | None" = None,
) -> Diagnosis:
    """Find out what this machine can do, and what would have to be added.

    Trouble of the machine or of the way to S3 is part of the result, and no error.

    Args:
        ask: Send S3 one request that changes nothing.
        tasks: Names (`capabilities.TASKS`) of those by which the machine is judged; by
            default what verifying needs.

    Raises:
        InputRefused: There is no task of a name.
    """
    app = application or open_application()
    machine, access = app.adapters.machine(), app.adapters.aws_access()
    try:
        return diagnose(machine.name(), machine.parts(), access.look(ask=ask), tasks)
    except ValueError as error:
        raise InputRefused(str(error)) from error


def _ignored(_: str) -> None:
    pass


def verification_history(
    reports: Sequence[str],
    *,
    confidence: float = DEFAULT_LEVEL,
    since: datetime | None = None,
    passed_over: Callable[[str], object] = _ignored,
) -> tuple[ContentHistory, ...]:
    """Say what has ever been verified, and what all runs prove together.

    Args:
        reports: JSON reports of `verify_backup`, or directories of them.
        since: Runs before are shown and not counted: what they found was put right.
        passed_over: Told which JSON files of directories are no reports, or damaged.

    Returns:
        One for each backup and content; those with differences first.

    Raises:
        InputRefused: One is no report, or a damaged one.
    """
    if not 0 < confidence < 1:
        raise InputRefused(f"{confidence} is no confidence: between 0 and 1 it must be")
    from s3export.adapters.reports.past_runs import past_runs

    return history(past_runs(_each(reports), passed_over), confidence, since)


@dataclass(frozen=True)
class ListedDevice:
    """One disk, and every reason why it may not be written to."""

    facts: DeviceFacts
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True)
class ManifestCheck:
    """All that is to be said about a manifest.

    Attributes:
        name: The manifest's path.
        manifest: What it says, as far as it can be read; ``None`` if it names no
            operation that can be carried out.
        problems: Errors, warnings and hints, in the order of the text.
        valid: Whether there is no error.
        survey: What S3 has of what it selects; ``None`` if that was not asked.
    """

    name: str
    manifest: Manifest | None
    problems: tuple[Problem, ...]
    valid: bool
    survey: Survey | None = None


def check_manifest(
    manifest_path: str,
    *,
    online: bool = False,
    device: str | None = None,
    disk_bytes: int | None = None,
    loading: bool = False,
    ignore: Sequence[str] = (),
    application: "AnyApplication | None" = None,
) -> ManifestCheck:
    """Find every problem of a manifest at once.

    Args:
        online: Ask S3, too: do the buckets exist, may they be read and the log be
            written, do they lie in one region, what is selected, and does it fit?
        device: The disk that is meant: its serial number is compared with deviceId,
            and its size is the one that has to suffice.
        disk_bytes: The size of the disk, where it is not at hand.
        loading: The manifest is for `load_device` alone: say what that needs, and not
            what AWS's jobs do.
        ignore: Names of rules to be silent about: warnings and hints.

    Raises:
        InputRefused: The file cannot be read, or a rule cannot be ignored.
        DeviceError: The device cannot be looked at.
        AwsError: S3 cannot be asked.
    """
    app = application or open_application()
    checked: CheckedManifest = app.adapters.manifests().read(manifest_path)
    if device is not None:
        facts = app.adapters.block_devices().inspect(device)
        disk_bytes = disk_bytes or facts.size_bytes or None
        checked = checked.with_problems(other_serial(checked, facts.serial))
    survey = None
    if online:
        service: SurveySelection = app.use_cases.survey_selection()
        checked, survey = service(checked, disk_bytes)
    if loading:
        checked = for_load(checked)
    checked = _quieted(app, checked, ignore)
    return ManifestCheck(
        checked.name, checked.manifest, checked.problems, checked.valid, survey
    )


def _read(app: "AnyApplication", path: str, ignore: Sequence[str]) -> CheckedManifest:
    return _quieted(app, app.adapters.manifests().read(path), ignore)


def _quieted(
    app: "AnyApplication", checked: CheckedManifest, ignore: Sequence[str]
) -> CheckedManifest:
    return checked.without({*_each(ignore), *app.settings().ignore})


def _each(texts: Sequence[str]) -> tuple[str, ...]:
    """Return several texts; one alone is one, and not its letters."""
    return (texts,) if isinstance(texts, str) else tuple(texts)


def new_manifest(draft: Draft) -> str:
    """Return a commented manifest; what the draft does not say stays to be filled in.

    >>> text = new_manifest(Draft(operations=[{"exportBucket": "my-bucket"}]))
    >>> "exportBucket: my-bucket" in text, "deviceId: [fill in]" in text
    (True, True)
    """
    return write(draft)


def manifest_schema() -> dict[str, object]:
    """Return the JSON Schema of export manifests, for editors."""
    from s3export.domain.manifests.schema import manifest_schema as made

    return made()


def plan_job(
    manifest_path: str,
    device: str,
    *,
    wishes: DiskWishes = AS_USUAL,
    resume: str | None = None,
    online: bool = False,
    several_disks: bool = False,
    ignore: Sequence[str] = (),
    application: "AnyApplication | None" = None,
) -> CreateJobPlan:
    """Check everything that `create_job` needs, AWS's consent included.

    Changes nothing, neither on the device nor at AWS: a dry run.

    Args:
        device: A disk, a partition or an image file.
        wishes: How the disk is to be taken: erased or not, with a partition table or
            without, fixed disks or not.
        resume: The id of a job that exists, and whose disk is not ready.
        online: Ask S3 what is selected, and refuse a disk that is too small for it.
        several_disks: Take it all the same: the rest goes onto other disks.
        ignore: Names of rules of manifests that the plan's remarks leave out.

    Raises:
        ManifestRejected: With every problem of the manifest.
        DeviceRefused: Writing to the device would be unsafe.
        AwsError: AWS refuses the manifest or cannot be reached.
    """
    app = application or open_application()
    checked = _read(app, manifest_path, ignore)
    facts = app.adapters.block_devices().inspect(device)
    checked = checked.with_problems(other_serial(checked, facts.serial))
    if online:
        survey: SurveySelection = app.use_cases.survey_selection()
        checked, found = survey(checked, facts.size_bytes or None)
        if found and len(found.shares) > 1 and not several_disks:
            needed = max(found.size_bytes, facts.size_bytes + 1)
            wishes = replace(wishes, needed_bytes=needed)
    service: CreateJob = app.use_cases.create_job()
    plan = service.plan(
        checked.accepted(),
        device,
        wishes,
        resume=None if resume is None else checked_job_id(resume),
    )
    remarks = _quieted(app, checked, ignore).remarks
    return replace(plan, remarks=remarks, manifest_path=manifest_path)


def create_job(
    plan: CreateJobPlan, *, application: "AnyApplication | None" = None
) -> CreatedJob:
    """Create the job of a plan, ERASE and prepare its disk, write SIGNATURE.

    The plan has been shown to whoever owns the disk.

    Raises:
        DeviceChanged, DeviceRefused: The device is not what was planned for any more;
            nothing was changed.
        AwsError: No job was created, nothing was written. `ReplyLost`: perhaps one was;
            it was looked for and not found, or found more than once.
        DiskNotReady: The job exists, the disk is not ready.
    """
    app = application or open_application()
    service: CreateJob = app.use_cases.create_job()
    return service.carry_out(plan)


def remarks_on_load(
    manifest_path: str, *, application: "AnyApplication | None" = None
) -> tuple[Problem, ...]:
    """Return what `load_device` would pass over in a manifest, in its order.

    Raises:
        ManifestRejected: It names nothing to load.
    """
    app = application or open_application()
    checked: CheckedManifest = app.adapters.manifests().read(manifest_path)
    checked.selection()
    return remarks_for_load(_quieted(app, checked, ()))


def plan_load(
    manifest_path: str,
    device: str,
    *,
    wishes: DiskWishes = AS_USUAL,
    encryption: Encryption = Encryption.TRUECRYPT,
    job_id: str | None = None,
    continue_from: bytes | str | None = None,
    start_over: bool = False,
    keys: KeyRing | None = None,
    forks: int | None = None,
    application: "AnyApplication | None" = None,
) -> LoadPlan:
    """Find out what `load_device` would load, and whether the disk may be taken.

    Changes nothing, neither on the device nor in S3: a dry run. A few objects are read
    to measure how fast they come.

    Args:
        device: A disk, a partition or an image file.
        wishes: How the disk is to be taken.
        encryption: TrueCrypt with the manifest's password by default.
        job_id: Names log and container; by default that of SIGNATURE on the disk, or a
            new one.
        continue_from: The export log of the disk before this one; or where it is: a
            file, ``s3://bucket/key``, or that disk itself.
        start_over: Erase the disk even where it holds a part of this very load.
        keys: Asked for the container's password; by default the manifest's.
        forks: Objects fetched at once.

    Raises:
        ManifestRejected: It names nothing to load.
        DeviceRefused: Writing to the device would be unsafe.
        InputRefused: Nothing is selected, or there is no password that fits.
        AwsError: S3 cannot be asked, or no object that was tried can be read.
    """
    app = application or open_application()
    checked: CheckedManifest = app.adapters.manifests().read(manifest_path)
    manifest = selection_for_load(checked)
    service: LoadDisk = app.use_cases.load_disk()
    begin = Place()
    keys = keys or GivenKeys(manifest.truecrypt_password)
    if continue_from is not None:
        if isinstance(continue_from, str):
            if _is_one_file(continue_from, device):
                raise InputRefused(
                    f"{device} is the disk to be loaded, which would be erased, and "
                    "the disk to continue from",
                    next_step="name the disk before this one, or its export log",
                )
            continue_from = _log_at(app, continue_from, keys)
        log = parse_export_log(continue_from, "the log to continue from")
        begin = place_after(log.entries, manifest.sources())
    plan = service.plan(
        manifest,
        device,
        keys,
        LoadWishes(
            wishes,
            encryption,
            None if job_id is None else checked_job_id(job_id),
            begin,
            forks or app.settings().forks or DEFAULT_AT_ONCE,
            start_over,
        ),
        misspelt=misspelt_password(checked),
    )
    if not plan.resumes and not plan.survey.objects and continue_from is not None:
        raise InputRefused(
            "the log to continue from reaches the end of what the manifest selects: "
            "no further disk is needed",
        )
    if not plan.resumes and not plan.survey.objects:
        raise InputRefused(
            f"{manifest_path} selects nothing that is there now: nothing to load",
            next_step="see what it selects: s3export check-manifest "
            f"{shlex.quote(manifest_path)} --online --for load-device",
        )
    if not plan.resumes and not plan.survey.first.objects:
        large = plan.survey.too_large[0]
        if large.size_bytes < plan.facts.size_bytes // 4:
            raise InputRefused(
                f"{device} of {plan.facts.size_bytes:,} bytes is too small: file "
                "system and container leave no room for files",
                next_step="take a disk of 100 MB at the least",
            )
        raise InputRefused(
            f"the object {large.key!r} of {large.size_bytes:,} bytes fits on no disk "
            "of this size",
            next_step="take a larger disk, or leave the object out by markers",
        )
    return plan


def load_device(
    plan: LoadPlan, *, application: "AnyApplication | None" = None
) -> LoadedDisk:
    """ERASE the disk of a plan, unless it goes on with it, and load it.

    The plan has been shown to whoever owns the disk. Run again with a new plan after
    any error or kill: it goes on.

    Raises:
        DeviceChanged, DeviceRefused: The device is not what was planned for any more;
            nothing was changed.
        AwsError, DeviceError: What was loaded until then remains.
    """
    app = application or open_application()
    service: LoadDisk = app.use_cases.load_disk()
    return service.carry_out(plan)


def read_back(
    device: str,
    *,
    keys: KeyRing | None = None,
    forks: int | None = None,
    application: "AnyApplication | None" = None,
) -> ReadBackResult:
    """Read a disk that `load_device` loaded, and compare with what was written.

    Raises:
        DeviceError: It cannot be opened, or no load is on it.
    """
    app = application or open_application()
    devices: BlockDevices = app.adapters.block_devices()
    opening: OpenBackup = app.use_cases.open_backup()
    facts = devices.inspect(device)
    with opening(facts, None, AS_IT_COMES, keys or GivenKeys()) as opened:
        if not opened.tree.has_directory(LOAD_DIRECTORY):
            raise DeviceUnreadable(f"{device} holds no load: nothing can be read back")
        written = [0, 0]
        for entry in entries_of(opened.tree):
            written[0] += entry.written
            written[1] += entry.size_bytes if entry.written else 0
        service: ReadBack = app.use_cases.read_back()
        return service(
            opened.tree,
            total=written[0],
            total_bytes=written[1],
            at_once=forks or READERS,
        )


def list_devices(
    *, application: "AnyApplication | None" = None
) -> tuple[ListedDevice, ...]:
    """Return every disk of this system, and why some may not be chosen.

    Without root less is known of what is on them.
    """
    app = application or open_application()
    return tuple(
        ListedDevice(facts, refusals_to_write(facts))
        for facts in app.adapters.block_devices().disks()
    )


def update_job(
    job_id: str,
    manifest_path: str,
    device: str | None = None,
    *,
    dry_run: bool = False,
    ignore: Sequence[str] = (),
    application: "AnyApplication | None" = None,
) -> UpdatedJob:
    """Replace a job's manifest; rewrite SIGNATURE on its device if that changed.

    Args:
        device: The job's disk, a partition or an image file.
        dry_run: End after AWS has validated the manifest.
        ignore: Names of rules of manifests that the remarks leave out.

    Raises:
        ManifestRejected: With every problem of the manifest.
        JobCancelled, JobExpired, JobNotUpdatable: The job has ended, or has started.
        DeviceRefused: Writing to the device would be unsafe, or SIGNATURE on it names
            another job. Neither job nor device was changed.
    """
    app = application or open_application()
    checked = _read(app, manifest_path, ignore)
    updated = _following(app).update(
        checked_job_id(job_id), checked.accepted(), device, dry_run=dry_run
    )
    return replace(updated, remarks=checked.remarks)


def cancel_job(job_id: str, *, application: "AnyApplication | None" = None) -> None:
    """Cancel a job, without asking anybody.

    Raises:
        JobCancelled, JobExpired, JobNotCancellable: It has ended, or AWS does not
            cancel it; the message says how it stands.
    """
    app = application or open_application()
    _following(app).cancel(checked_job_id(job_id))


def cancellable_job(
    job_id: str, *, application: "AnyApplication | None" = None
) -> JobStatus:
    """Return the status of a job that may be cancelled; changes nothing.

    A job whose transfer is under way is returned, too: AWS alone knows whether it can
    still be cancelled.

    Raises:
        JobCancelled, JobExpired, JobNotCancellable: It has ended; the message says how.
    """
    app = application or open_application()
    return _following(app).cancellable(checked_job_id(job_id))


def get_status(
    job_id: str, *, application: "AnyApplication | None" = None
) -> JobStatus:
    """Return all that AWS tells of a job; `situation_of` says what it means."""
    app = application or open_application()
    return _following(app).status(checked_job_id(job_id))


def watch_job(
    job_id: str,
    *,
    interval_seconds: float = 300,
    application: "AnyApplication | None" = None,
) -> Iterator[Observation | NoAnswer]:
    """Yield a job's status, then every change, until nothing can change any more.

    Waits between two looks. Where AWS cannot be reached meanwhile, that is yielded,
    and the watch goes on.

    Args:
        interval_seconds: Between two looks, at least 1.

    Raises:
        InputRefused: The id or the interval cannot be used.
        AwsError: The first question was not answered, or AWS refuses to answer.
    """
    if interval_seconds < 1:
        raise InputRefused("a job is looked at once a second at most")
    app = application or open_application()
    return _following(app).watch(checked_job_id(job_id), interval_seconds)


def write_signature_file(status: JobStatus, path: str) -> str:
    """Write a job's SIGNATURE file, byte for byte; return where it was written.

    Args:
        path: A file, replaced in one step, or a directory to make SIGNATURE in.

    Raises:
        AwsFailed: AWS's answer held no signature.
        FileRefused: Nothing can be written there.
    """
    from s3export.adapters.whole_files import write_whole

    content = signature_of(status)
    if path and Path(path).is_dir():
        path = str(Path(path, SIGNATURE_FILE_NAME))
    elif not path or path.endswith("/"):
        raise FileRefused(
            f"{path or 'an empty name'} is no file, and no directory that is there",
            next_step="name a file, or a directory that is there",
        )
    write_whole(path, content)
    return path


def list_jobs(*, application: "AnyApplication | None" = None) -> tuple[JobSummary, ...]:
    """Return the account's jobs, newest first; `list_job_details` with statuses."""
    app = application or open_application()
    return tuple(_following(app).jobs())


def list_job_details(
    *, forks: int | None = None, application: "AnyApplication | None" = None
) -> tuple[JobDetails | JobWithoutStatus, ...]:
    """Return the account's jobs with their statuses, newest first.

    A job whose status cannot be had is a `JobWithoutStatus`, with the reason.

    Args:
        forks: Statuses asked for at once; by default what the settings say, or 8.

    Raises:
        AwsError: The jobs cannot be listed.
    """
    app = application or open_application()
    at_once = forks or app.settings().forks or DETAILS_AT_ONCE
    return tuple(_following(app).details(at_once=at_once))


def get_shipping_label(
    job_ids: Sequence[str],
    *,
    manifest_path: str | None = None,
    application: "AnyApplication | None" = None,
) -> ShippingLabel:
    """Return where the label for one parcel can be printed from.

    Args:
        job_ids: The jobs whose devices travel in the parcel.
        manifest_path: Its return address is where the parcel comes from.
    """
    app = application or open_application()
    address = None
    if manifest_path is not None:
        checked = app.adapters.manifests().read(manifest_path)
        address = checked.accepted().return_address
    return _following(app).shipping_label(
        [checked_job_id(job_id) for job_id in _each(job_ids)], address
    )


def verify_backup(
    device: str,
    *,
    bucket: str | None = None,
    manifest_path: str | None = None,
    target_directory: str | None = None,
    sample_size: SampleSize = 100,
    seed: str | None = None,
    confidence: float = 0.95,
    max_differing: float | None = None,
    completeness: bool = True,
    whole: bool = False,
    strong: bool = False,
    exported_at: datetime | None = None,
    job_id: str | None = None,
    export_log: str | None = None,
    checksum_reports: Sequence[str] = (),
    download_unverifiable: bool = False,
    download_budget: int | None = None,
    resume: str | None = None,
    reports: Sequence[str] = (),
    all_findings: bool = False,
    opening: Opening = AS_IT_COMES,
    keys: KeyRing | None = None,
    forks: int | None = None,
    watch: Watch | None = None,
    application: "AnyApplication | None" = None,
) -> Report:
    """Compare files drawn from a disk with what S3 holds, by metadata alone.

    Args:
        device: A disk, a partition, an image file, or a directory where it is mounted.
        bucket: What it should equal; or ``manifest_path``; or the setting ``bucket``.
            A disk that `load-device` wrote says it itself, if none of them does.
        target_directory: Where the backup lies on the disk, in place of the bucket's
            name or of what the manifest says.
        sample_size: How many files to draw; ``ALL_FILES`` for every file;
            ``AS_BEFORE`` for as many as the run of ``resume``.
        seed: Repeats the draw of an earlier run; by default a new one.
        confidence: Of the statement about all files, between 0 and 1.
        max_differing: In place of ``sample_size``: draw as many as it takes to leave at
            most this share of wrong files plausible, if none is found (0.001).
        completeness: Look for every object that S3 lists, too.
        whole: All that was named must be on this disk, even if the disk says that it
            is one of a series and holds a part.
        strong: Refuse 32-bit checksums and uploaders' claims as proof.
        exported_at: When the data was taken from S3, aware: objects that are newer may
            differ. By default the export log says it, or the disk's newest write.
        job_id: Find the export log through this job.
        export_log: A file, or ``s3://bucket/key``. By default the one on the disk,
            which is the disk's own word: it names files, and proves and excuses none.
        checksum_reports: Completion reports of S3 Batch Operations "Compute checksum";
            files, or ``s3://bucket/key``.
        download_unverifiable: Settle by content what metadata cannot settle.
        download_budget: Bytes to download at most.
        resume: A report (.json) of an earlier run, to go on from.
        reports: Files to write the report to: ``.json``, ``.csv``, ``.html``. A run
            that is cut short writes what it found until then. A file that is there is
            kept beside it, under a name with its time.
        all_findings: Keep the matches in the report, too.
        opening: Which container, and how it and the device are to be opened.
        keys: Asked for a password if the backup is encrypted: `GivenKeys`. By default
            the manifest's.
        forks: Files read and requests made at once; by default chosen.
        watch: Gets the findings as they come.

    Raises:
        NothingToCompareWith: Neither bucket nor manifest is named anywhere, and the
            disk does not say it.
        InputRefused: A file that is named cannot be used.
        ContainerLocked, PasswordRefused: The backup is encrypted and stays closed.
        ReportNotWritten: All is done but for a file; the error holds the report.
        DeviceError: The device cannot be read as a whole, or is in use.
        AwsError: S3 cannot be asked; there is no verdict.
    """
    app = application or open_application()
    manifest = None
    if manifest_path:
        manifest = app.adapters.manifests().read(manifest_path).selection()
    layout = _layout(app, bucket, manifest, target_directory)
    earlier = _earlier(resume)
    if sample_size == AS_BEFORE:
        sample_size = earlier.requested if earlier else DEFAULT_SAMPLE_SIZE
    if sample_size is not None and not isinstance(sample_size, int):
        raise InputRefused(
            f"{sample_size!r} is no number of files",
            next_step="give a number, s3export.ALL_FILES or s3export.AS_BEFORE",
        )
    if sample_size is not None and sample_size < 1:
        raise InputRefused("a sample holds at least one file")
    if not 0 < confidence < 1:
        raise InputRefused("a confidence lies between 0 and 1, such as 0.95")
    if max_differing is not None and not 0 < max_differing < 1:
        raise InputRefused("a share lies between 0 and 1, such as 0.001")
    if exported_at and not isinstance(exported_at, datetime):
        raise InputRefused(f"{exported_at!r} is no datetime with a time zone")
    if exported_at and exported_at.tzinfo is None:
        raise InputRefused("the time of the export needs a time zone")
    if exported_at:
        try:
            exported_at = exported_at.astimezone(UTC)
        except OverflowError:
            raise InputRefused(f"{exported_at} is no time of an export") from None
    writer: ReportWriter = app.adapters.reports()
    reports = tuple(dict.fromkeys(_each(reports)))
    for path in reports:
        if Path(device).is_dir() and Path(os.path.realpath(path)).is_relative_to(
            os.path.realpath(device)
        ):
            raise InputRefused(
                f"{path} lies in the backup that is to be verified",
                next_step="write the report elsewhere",
            )
        writer.check(path)
    log, log_origin = _export_log(app, export_log, job_id)
    request = VerifyRequest(
        device=device,
        layout=layout,
        seed=seed or (earlier.seed if earlier else app.adapters.randomness().seed()),
        sample_size=sample_size,
        level=confidence,
        max_differing=max_differing,
        completeness=completeness,
        whole=whole,
        strong=strong,
        exported_at=exported_at,
        log=log,
        log_origin=log_origin,
        computed=_computed(app, _each(checksum_reports)),
        download=download_unverifiable,
        download_budget=download_budget,
        earlier=earlier,
        opening=opening,
        all_findings=all_findings,
    )
    at_once = forks or app.settings().forks
    if at_once:
        request = replace(request, readers=at_once, askers=at_once)
    service: VerifyBackup = app.use_cases.verify_backup()
    if keys is None:
        keys = GivenKeys(manifest.truecrypt_password if manifest else None)
    writing = _Writing(writer, reports, watch)
    report = service(request, keys, writing)
    failed = writing.write(report)
    if failed:
        raise ReportNotWritten(report, failed)
    return report


def plan_sample(
    population: int, max_differing: float, *, confidence: float = 0.95
) -> int:
    """Return how many files to draw, so that none failing proves enough.

    >>> plan_sample(123_456, 0.001, confidence=0.99)
    4499

    Args:
        population: How many files there are.
        max_differing: The largest share of wrong files that may be left plausible.
        confidence: Between 0 and 1.

    Raises:
        InputRefused: A number is out of range.
    """
    if not 0 < max_differing < 1:
        raise InputRefused("a share lies between 0 and 1, such as 0.001")
    try:
        return needed_sample_size(population, max_differing, confidence)
    except ValueError as error:
        raise InputRefused(f"the numbers do not fit: {error}") from error


def batch_checksum_manifest(report_path: str) -> str:
    """Return the manifest (CSV) for S3 Batch Operations "Compute checksum".

    It names the objects that the report calls unverifiable; `verify_backup` takes the
    completion report of that job as ``checksum_reports``.

    Raises:
        InputRefused: The file is no report.
    """
    from s3export.adapters.reports.reading import unverifiable_objects

    return batch_manifest(unverifiable_objects(report_path))


@dataclass(frozen=True)
class _Writing(Watch):
    """Writes the reports, also of a run that is cut short; passes everything on."""

    writer: ReportWriter
    paths: Sequence[str]
    watch: Watch | None

    def found(self, finding: Finding) -> None:
        if self.watch:
            self.watch.found(finding)

    def noticed(self, notice: str) -> None:
        if self.watch:
            self.watch.noticed(notice)

    def unfinished(self, report: Report) -> None:
        failed = self.write(report)
        if failed:  # what cut the run short is what must be told, not this
            told = (*report.warnings, *(error.message for error in failed))
            report = replace(report, warnings=told)
        if self.watch:
            self.watch.unfinished(report)

    def write(self, report: Report) -> list[FileRefused]:
        """Write every report that can be written; return why the others cannot."""
        failed = []
        for path in self.paths:
            try:
                older = self.writer.write(report, path)
            except FileRefused as error:
                failed.append(error)
            else:
                if older and self.watch:
                    self.watch.kept(path, older)
        return failed


def _earlier(path: str | None) -> EarlierRun | None:
    if path is None:
        return None
    from s3export.adapters.reports.reading import earlier_run

    return earlier_run(path)


def _export_log(
    app: "AnyApplication", where: str | None, job_id: str | None
) -> tuple[ExportLog, LogOrigin] | tuple[None, None]:
    """Read the export log that is named, or the one that the job names."""
    if where is None and job_id is not None:
        status = _following(app).status(checked_job_id(job_id))
        if not status.log_key:
            raise InputRefused(
                f"job {job_id} has no export log yet: it is "
                f"{status.progress_code or 'not loaded'}",
                next_step="name the time of the export with --exported-at",
            )
        where = f"s3://{status.log_bucket}/{status.log_key}"
    if where is None:
        return None, None
    log = parse_export_log(_content(app, where, "an export log"), where)
    return log, LogOrigin(where, IN_S3 if where.startswith("s3://") else IN_FILE)


def _computed(
    app: "AnyApplication", places: Sequence[str]
) -> dict[ObjectName, Computed]:
    found: dict[ObjectName, Computed] = {}
    for where in places:
        content = _content(app, where, "a completion report")
        found |= parse_checksum_report(content, where)
    return found


def _content(app: "AnyApplication", where: str, what: str) -> bytes:
    """Return what a file or an object (``s3://bucket/key``) holds."""
    if where.startswith("s3://"):
        bucket, _, key = where.removeprefix("s3://").partition("/")
        if not bucket or not key:
            raise InputRefused(
                f"{where!r} names no object", next_step="write it s3://bucket/key"
            )
        store: ObjectStore = app.adapters.object_store()
        return b"".join(store.read(bucket, key))
    from s3export.adapters.input_files import content_of

    return content_of(where, what)


def _is_one_file(one: str, other: str) -> bool:
    try:
        return Path(one).samefile(other)
    except (OSError, ValueError):
        return False


def _log_at(app: "AnyApplication", where: str, keys: KeyRing) -> bytes:
    """Return an export log: of a file, an object, or a disk that was loaded."""
    from s3export.adapters.input_files import is_a_disk

    if where.startswith("s3://") or not is_a_disk(where):
        return _content(app, where, "an export log")
    devices: BlockDevices = app.adapters.block_devices()
    opening: OpenBackup = app.use_cases.open_backup()
    with opening(devices.inspect(where), None, AS_IT_COMES, keys) as opened:
        return log_on(opened.tree, where)


def _following(app: "AnyApplication") -> FollowJobs:
    service: FollowJobs = app.use_cases.follow_jobs()
    return service


def _layout(
    app: "AnyApplication",
    bucket: str | None,
    manifest: Manifest | None,
    target_directory: str | None,
) -> BackupLayout | None:
    """Return what is named; ``None`` leaves it to the disk."""
    if bucket is not None:
        refuse_misnamed(bucket)
    if bucket and manifest:
        raise InputRefused(
            "a bucket and a manifest are both named",
            next_step="name one of them: the manifest says which buckets it exports",
        )
    recovery = DEFAULT_RECOVERY_DIRECTORY
    if manifest:
        sources = manifest.sources()
        recovery = manifest.recovery_directory
    else:
        name = bucket or app.settings().bucket
        if not name and target_directory is None:
            return None
        if not name:
            raise NothingToCompareWith("it is not said what the backup should equal")
        refuse_misnamed(name)
        sources = (Source(name, TreePath(directory_of(name))),)
    if target_directory is not None:
        directory = directory_of(target_directory)
        sources = tuple(replace(source, directory=directory) for source in sources)
    return BackupLayout(sources, directory_of(recovery))
