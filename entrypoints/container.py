"""The composition root: which adapter stands behind which port.

One container of adapters per environment, one of use cases that takes any of them. The
production adapters also serve the sandbox and the loop-device tests: there the endpoint
is a server on this machine, and the disk is a file.
"""

import boto3
from botocore.config import Config
from dependency_injector import containers, providers

from s3export.adapters.aws_access import ChainAccess
from s3export.adapters.aws_errors import translated
from s3export.adapters.aws_export import AwsExportService
from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.clock import SystemClock
from s3export.adapters.commands import Commands
from s3export.adapters.containers.cryptsetup import CryptsetupContainers
from s3export.adapters.containers.fuse_mounts import FuseMounts
from s3export.adapters.containers.system import SystemContainers
from s3export.adapters.hash_functions import InstalledHashes
from s3export.adapters.interruption import Interruption
from s3export.adapters.lean_store import LeanS3Store
from s3export.adapters.machine import SystemMachine
from s3export.adapters.memory import (
    FixedClock,
    FixedRandomness,
    InlineWorkers,
    MemoryAwsAccess,
    MemoryBlockDevices,
    MemoryContainers,
    MemoryExportService,
    MemoryMachine,
    MemoryManifests,
    MemoryObjectStore,
    MemoryReports,
    MemoryScratch,
    SilentProgress,
)
from s3export.adapters.randomness import SystemRandomness
from s3export.adapters.reports.writing import ReportFiles
from s3export.adapters.scratch import TemporaryScratch
from s3export.adapters.sessions import RUN_DIRECTORY
from s3export.adapters.workers import ThreadWorkers
from s3export.adapters.yaml_manifests import YamlManifests
from s3export.domain.ports import Progress
from s3export.domain.services.create_job import CreateJob
from s3export.domain.services.follow_jobs import FollowJobs
from s3export.domain.services.load_device import LoadDevice
from s3export.domain.services.load_disk import LoadDisk
from s3export.domain.services.load_survey import SurveyLoad
from s3export.domain.services.open_backup import OpenBackup
from s3export.domain.services.read_back import ReadBack
from s3export.domain.services.survey_selection import SurveySelection
from s3export.domain.services.verification_run import Parts
from s3export.domain.services.verify_backup import VerifyBackup
from s3export.entrypoints.settings import Settings, load_settings
from s3export.entrypoints.version import installed_version

GLOBAL_REGION = "us-east-1"
"""Where the export service, which is global, is signed for."""

DEFAULT_ASKERS = 32
"""Requests under way at once where nothing is said."""


def _session(settings: Settings) -> boto3.Session:
    with translated("AWS settings"):
        return boto3.Session(profile_name=settings.profile, region_name=settings.region)


def _client(
    session: boto3.Session, service: str, settings: Settings, *, attempts: int
) -> object:
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        connect_timeout=10,  # seconds
        read_timeout=60,  # seconds
        max_pool_connections=max(settings.forks or 0, DEFAULT_ASKERS) * 2,
        # S3Store asks for checksums itself, and does without where they are withheld
        response_checksum_validation="when_required",
        user_agent_extra=f"s3export/{installed_version()}",
        # A server in AWS's place has no host name for each bucket.
        s3={"addressing_style": "path"} if settings.endpoint_url else None,
    )
    region = session.region_name or GLOBAL_REGION
    with translated(f"the {service} endpoint"):
        return session.client(
            service,
            region_name=region,
            endpoint_url=settings.endpoint_url,
            config=config,
        )


class SystemAdapters(containers.DeclarativeContainer):
    """The real parts: AWS or a server in its place, and this system's devices."""

    settings = providers.Dependency(instance_of=Settings)
    progress = providers.Dependency(instance_of=Progress)  # type: ignore[type-abstract]
    interruption = providers.Dependency(instance_of=Interruption)
    run_directory = providers.Object(RUN_DIRECTORY)

    session = providers.Singleton(_session, settings)
    export_service = providers.Singleton(
        AwsExportService,
        client=providers.Factory(
            _client, session, "importexport", settings, attempts=5
        ),
        once=providers.Factory(_client, session, "importexport", settings, attempts=1),
        credentials=session.provided.get_credentials,
    )
    object_store = providers.Singleton(
        LeanS3Store,
        client=providers.Factory(_client, session, "s3", settings, attempts=5),
        credentials=session.provided.get_credentials,
        request_payer=settings.provided.request_payer,
        customer_key=settings.provided.sse_c_key,
    )
    block_devices = providers.Singleton(
        SystemBlockDevices,
        providers.Factory(Commands, shield=interruption.provided.shield),
        shield=interruption.provided.shield,
        run_directory=run_directory,
        backup_directory=settings.provided.backup_directory,
    )
    cryptsetup = providers.Singleton(
        CryptsetupContainers,
        providers.Factory(Commands, shield=interruption.provided.shield),
        shield=interruption.provided.shield,
        run_directory=run_directory,
    )
    fuse_mounts = providers.Singleton(
        FuseMounts,
        providers.Factory(Commands, shield=interruption.provided.shield),
        shield=interruption.provided.shield,
        run_directory=run_directory,
    )
    disk_containers = providers.Singleton(
        SystemContainers, cryptsetup, block_devices, fuse_mounts
    )
    manifests = providers.Singleton(YamlManifests)
    hashes = providers.Singleton(InstalledHashes)
    scratch = providers.Singleton(TemporaryScratch)
    reports = providers.Singleton(ReportFiles)
    workers = providers.Singleton(ThreadWorkers)
    randomness = providers.Singleton(SystemRandomness)
    clock = providers.Singleton(SystemClock)
    machine = providers.Singleton(
        SystemMachine,
        providers.Factory(Commands, shield=interruption.provided.shield),
    )
    aws_access = providers.Singleton(
        ChainAccess,
        session=session.provider,
        client=providers.Factory(_client, session, "s3", settings, attempts=1).provider,
        clock=clock,
        profile=settings.provided.profile,
        given_region=settings.provided.region,
    )


class MemoryAdapters(containers.DeclarativeContainer):
    """Every port in memory, for tests of programs that embed s3export."""

    settings = providers.Dependency(instance_of=Settings)

    export_service = providers.Singleton(MemoryExportService)
    object_store = providers.Singleton(MemoryObjectStore)
    block_devices = providers.Singleton(MemoryBlockDevices)
    disk_containers = providers.Singleton(MemoryContainers)
    manifests = providers.Singleton(MemoryManifests, providers.Dict())
    hashes = providers.Singleton(InstalledHashes)
    scratch = providers.Singleton(MemoryScratch)
    reports = providers.Singleton(MemoryReports)
    workers = providers.Singleton(InlineWorkers)
    randomness = providers.Singleton(FixedRandomness)
    clock = providers.Singleton(FixedClock)
    machine = providers.Singleton(MemoryMachine)
    aws_access = providers.Singleton(MemoryAwsAccess)
    progress = providers.Singleton(SilentProgress)


class UseCases(containers.DeclarativeContainer):
    """The services of the domain, over whichever adapters they are given."""

    adapters = providers.DependenciesContainer()

    create_job = providers.Factory(
        CreateJob,
        export=adapters.export_service,
        devices=adapters.block_devices,
        clock=adapters.clock,
    )
    follow_jobs = providers.Factory(
        FollowJobs,
        export=adapters.export_service,
        devices=adapters.block_devices,
        clock=adapters.clock,
        workers=adapters.workers,
    )
    survey_selection = providers.Factory(
        SurveySelection,
        store=adapters.object_store,
        export=adapters.export_service,
        progress=adapters.progress,
    )
    load_device = providers.Factory(
        LoadDevice,
        store=adapters.object_store,
        hashes=adapters.hashes,
        workers=adapters.workers,
        clock=adapters.clock,
        progress=adapters.progress,
    )
    load_disk = providers.Factory(
        LoadDisk,
        devices=adapters.block_devices,
        containers=adapters.disk_containers,
        load=load_device,
        survey=providers.Factory(
            SurveyLoad,
            store=adapters.object_store,
            workers=adapters.workers,
            clock=adapters.clock,
            progress=adapters.progress,
        ),
        randomness=adapters.randomness,
    )
    read_back = providers.Factory(
        ReadBack,
        hashes=adapters.hashes,
        workers=adapters.workers,
        progress=adapters.progress,
    )
    open_backup = providers.Factory(
        OpenBackup,
        devices=adapters.block_devices,
        containers=adapters.disk_containers,
    )
    verify_backup = providers.Factory(
        VerifyBackup,
        devices=adapters.block_devices,
        open_backup=open_backup,
        parts=providers.Factory(
            Parts,
            store=adapters.object_store,
            hashes=adapters.hashes,
            scratch=adapters.scratch,
            workers=adapters.workers,
            clock=adapters.clock,
            progress=adapters.progress,
        ),
        version=providers.Callable(installed_version),
    )


class Application(containers.DeclarativeContainer):
    """Settings, adapters and use cases of one program."""

    settings = providers.Dependency(instance_of=Settings)
    progress = providers.Dependency(
        instance_of=Progress,  # type: ignore[type-abstract]
        default=providers.Singleton(SilentProgress),
    )
    interruption = providers.Dependency(
        instance_of=Interruption, default=providers.Singleton(Interruption)
    )
    adapters = providers.Container(
        SystemAdapters,
        settings=settings,
        progress=progress,
        interruption=interruption,
    )
    use_cases = providers.Container(UseCases, adapters=adapters)


class MemoryApplication(containers.DeclarativeContainer):
    """The same with every port in memory."""

    settings = providers.Dependency(instance_of=Settings)
    adapters = providers.Container(MemoryAdapters, settings=settings)
    use_cases = providers.Container(UseCases, adapters=adapters)


def application(settings: Settings | None = None) -> Application:
    """Wire the real parts together.

    Args:
        settings: By default those of the file and the environment.
    """
    return Application(settings=providers.Object(settings or load_settings()))


def memory_application(settings: Settings | None = None) -> MemoryApplication:
    """Wire parts in memory together."""
    return MemoryApplication(settings=providers.Object(settings or Settings()))
