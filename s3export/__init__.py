"""Take S3 buckets to a disk and prove that the disk is right.

The functions and results of every command, the errors, and the ports. Adapters that
hold everything in memory are in ``s3export.adapters.memory``.
"""

from s3export.adapters.keys import GivenKeys
from s3export.domain.containers import ContainerKey, Opening, OpenWith
from s3export.domain.devices import DeviceFacts, DeviceKind
from s3export.domain.errors import (
    AwsError,
    DeviceError,
    InputRefused,
    ManifestRejected,
    Problem,
    S3ExportError,
)
from s3export.domain.job_states import Change, Situation, Turn, situation_of
from s3export.domain.jobs import CreatedJob, JobId, JobStatus, JobSummary, ShippingLabel
from s3export.domain.ports import (
    BlockDevices,
    Clock,
    Containers,
    ExportService,
    FileTree,
    HashFunctions,
    KeyRing,
    ManifestReader,
    ObjectStore,
    Progress,
    Randomness,
    ReportWriter,
    Scratch,
    Workers,
    WritableTree,
)
from s3export.domain.secret import Secret
from s3export.domain.services.create_job import CreateJobPlan
from s3export.domain.services.follow_jobs import (
    JobDetails,
    JobWithoutStatus,
    UpdatedJob,
)
from s3export.domain.services.job_watch import NoAnswer, Observation
from s3export.domain.services.verify_request import Watch
from s3export.domain.verification import Finding, Outcome, Report, Verdict
from s3export.entrypoints.library import (
    ALL_FILES,
    batch_checksum_manifest,
    cancel_job,
    cancellable_job,
    create_job,
    get_shipping_label,
    get_status,
    list_job_details,
    list_jobs,
    open_application,
    plan_job,
    plan_sample,
    update_job,
    verify_backup,
    watch_job,
    write_signature_file,
)

__all__ = [
    "ALL_FILES",
    "AwsError",
    "BlockDevices",
    "Change",
    "Clock",
    "ContainerKey",
    "Containers",
    "CreateJobPlan",
    "CreatedJob",
    "DeviceError",
    "DeviceFacts",
    "DeviceKind",
    "ExportService",
    "FileTree",
    "Finding",
    "GivenKeys",
    "HashFunctions",
    "InputRefused",
    "JobDetails",
    "JobId",
    "JobStatus",
    "JobSummary",
    "JobWithoutStatus",
    "KeyRing",
    "ManifestReader",
    "ManifestRejected",
    "NoAnswer",
    "ObjectStore",
    "Observation",
    "OpenWith",
    "Opening",
    "Outcome",
    "Problem",
    "Progress",
    "Randomness",
    "Report",
    "ReportWriter",
    "S3ExportError",
    "Scratch",
    "Secret",
    "ShippingLabel",
    "Situation",
    "Turn",
    "UpdatedJob",
    "Verdict",
    "Watch",
    "Workers",
    "WritableTree",
    "batch_checksum_manifest",
    "cancel_job",
    "cancellable_job",
    "create_job",
    "get_shipping_label",
    "get_status",
    "list_job_details",
    "list_jobs",
    "open_application",
    "plan_job",
    "plan_sample",
    "situation_of",
    "update_job",
    "verify_backup",
    "watch_job",
    "write_signature_file",
]
