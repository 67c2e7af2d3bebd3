"""Things that many tests need: a manifest, a disk, the original program's example."""

from pathlib import Path

from s3export.adapters.memory import (
    MemoryBlockDevices,
    MemoryDisk,
    MemoryManifests,
    MemoryObjectStore,
    MemoryWritableTree,
)
from s3export.domain.devices import DeviceFacts, DeviceKind
from s3export.domain.errors import Problem, Severity
from s3export.domain.manifests import CheckedManifest

MANIFEST = """\
manifestVersion: 2.0
deviceId: HD001
fileSystem: EXT4
logBucket: export-log-bucket
logPrefix: logs/
pinCode: 0123
notificationEmail: operator@example.com
operations:
  - exportBucket: foo-bucket
returnAddress:
  name: Jo Operator
  street1: 1 Example Street
  city: Seattle
  stateOrProvince: WA
  postalCode: 98101
  phoneNumber: 206-555-1000
  country: USA
"""

CUSTOMS = """\
customs:
  dataDescription: Backups
  encryptedData: yes
  encryptionClassification: 5D992
  exportCertifierName: Jo Operator
  requiresExportLicense: no
  deviceValue: 250.00
  deviceCountryOfOrigin: Brazil
  deviceType: externalStorageDevice
"""

DISK = "/dev/sdz"


def checked(text: str) -> CheckedManifest:
    """Read and check a manifest."""
    return MemoryManifests({"m.yml": text}).read("m.yml")


def problems(text: str) -> tuple[Problem, ...]:
    """Return the errors of a manifest."""
    found = checked(text).problems
    return tuple(p for p in found if p.severity is Severity.ERROR)


def manifest_file(name: str) -> str:
    """Return one of the manifests as they are found, line ends and all."""
    path = Path(__file__).with_name("data") / "manifests" / name
    return path.read_bytes().decode()


def disk_facts(path: str = DISK, size_bytes: int = 1 << 30) -> DeviceFacts:
    """Return the facts of an empty disk that may be erased."""
    return DeviceFacts(
        path=path,
        kind=DeviceKind.DISK,
        size_bytes=size_bytes,
        serial="S3R1AL",
        model="Test Disk",
        removable=True,
    )


def loaded_disk(files: dict[bytes, bytes]) -> MemoryBlockDevices:
    """Return devices with one disk that holds the files."""
    tree = MemoryWritableTree()
    for path, content in files.items():
        tree.replace(path, content)  # type: ignore[arg-type]
    return MemoryBlockDevices(MemoryDisk(disk_facts(), tree=tree))


def original_example() -> tuple[MemoryBlockDevices, MemoryObjectStore]:
    """Return the original program's example: 7 assertions, 5 of them true."""
    devices = loaded_disk(
        {
            b"my-bucket/foo/foo": b"one",
            b"my-bucket/foo/bar": b"two",
            b"my-bucket/bar/foo": b"three",
            b"my-bucket/bar/bar": b"four",
        }
    )
    store = MemoryObjectStore("my-bucket")
    store.put("my-bucket", "foo/foo", b"one")
    store.put("my-bucket", "foo/bar", b"two")
    store.put("my-bucket", "bar/foo", b"THREE")
    return devices, store
