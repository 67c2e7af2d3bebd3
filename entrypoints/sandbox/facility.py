"""AWS's loading facility: a device arrives, is loaded, and goes home."""

from dataclasses import dataclass

from s3export.adapters.keys import GivenKeys
from s3export.adapters.yaml_manifests import YamlManifests
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import (
    DeviceError,
    DeviceUnreadable,
    FileUnreadable,
    InputRefused,
)
from s3export.domain.jobs import (
    DEVICE_ERROR,
    INVALID_SIGNATURE,
    MISSING_SIGNATURE,
    SUCCESS,
    SUCCESS_WITH_ERRORS,
    JobId,
    job_id,
)
from s3export.domain.ports import BlockDevices
from s3export.domain.services.load_device import LoadResult
from s3export.domain.services.load_disk import Encryption, LoadDisk, LoadWishes
from s3export.domain.services.ready_disk import read_signature, refuse_unsafe
from s3export.entrypoints.sandbox.importexport.dock import LoadingDock

CARRIER = "UPS"
TRACKING_NUMBER = "1Z999AA10123456784"  # UPS's own example


@dataclass(frozen=True)
class Delivery:
    """What became of a device.

    Attributes:
        result: ``None`` where the device was sent back unloaded.
    """

    job_id: JobId
    progress_code: str
    result: LoadResult | None = None


@dataclass(frozen=True)
class LoadingFacility:
    """Does with a device what AWS Import/Export did, and tells the service."""

    devices: BlockDevices
    load: LoadDisk
    dock: LoadingDock

    def receive(self, device: str, labelled: str | None = None) -> Delivery:
        """Check SIGNATURE, reformat the device, load it, log it, send it home.

        Args:
            device: A disk or an image file. All that is on it is lost.
            labelled: The job named on the parcel; by default SIGNATURE's.

        Raises:
            DeviceError: The device cannot be used; the job, if one is known, ends with
                DeviceError.
            AwsError: The service does not expect the device.
        """
        facts = self.devices.inspect(device)
        refuse_unsafe(facts)
        signature = self._signature(facts)
        name = job_id(labelled) if labelled else _job_of(signature, device)
        expected = self.dock.expected(name)
        self.dock.received(name)
        if signature != expected.signature_file.encode():
            code = INVALID_SIGNATURE if signature else MISSING_SIGNATURE
            return self._send_home(Delivery(name, code))
        self.dock.started(name)
        checked = YamlManifests().parse(expected.manifest, f"manifest of job {name}")
        manifest = checked.selection()
        password = manifest.truecrypt_password
        wishes = LoadWishes(
            encryption=Encryption.TRUECRYPT if password else Encryption.NONE,
            job_id=name,
        )
        try:
            plan = self.load.plan(manifest, device, GivenKeys(password), wishes)
            result = self.load.carry_out(plan).result
        except DeviceError:
            self._send_home(Delivery(name, DEVICE_ERROR))
            raise
        request = plan.request
        code = SUCCESS_WITH_ERRORS if result.errors else SUCCESS
        return self._send_home(
            Delivery(name, code, result), request.log_bucket, request.log_key
        )

    def _signature(self, facts: DeviceFacts) -> bytes:
        try:
            with self.devices.open_read_only(facts) as tree:
                return read_signature(tree)
        except (FileUnreadable, DeviceUnreadable):
            return b""

    def _send_home(
        self,
        delivery: Delivery,
        log_bucket: str | None = None,
        log_key: str | None = None,
    ) -> Delivery:
        self.dock.finished(
            delivery.job_id,
            delivery.progress_code,
            error_count=delivery.result.errors if delivery.result else 0,
            log_bucket=log_bucket,
            log_key=log_key,
        )
        self.dock.returned(delivery.job_id, CARRIER, TRACKING_NUMBER)
        return delivery


def _job_of(signature: bytes, device: str) -> JobId:
    for line in signature.decode(errors="replace").splitlines():
        name, _, value = line.partition(":")
        if name == "jobId":
            return job_id(value.strip())
    raise InputRefused(
        f"{device} holds no SIGNATURE that names a job",
        next_step="prepare it with create-job, or say whose it is with --job JOB",
    )
