"""Opens containers by whatever means this machine has: the kernel's, or our own."""

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.byte_sources import ByteSource, FileSource, Slice
from s3export.adapters.containers.cryptsetup import CryptsetupContainers
from s3export.adapters.containers.formatting import OVERHEAD_BYTES, format_volume
from s3export.adapters.containers.opening import open_volume
from s3export.adapters.file_trees.mounted import MountedTree
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.adapters.privileges import may_administer
from s3export.domain.backup_layout import TreePath, shown
from s3export.domain.containers import ContainerFacts, ContainerKey, Opening, OpenWith
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import (
    ContainerDamaged,
    ContainerUnsupported,
    DeviceUnreadable,
    DiskFull,
    KernelLacks,
    PasswordRefused,
    PrivilegeMissing,
)
from s3export.domain.ports import (
    Containers,
    FileTree,
    OpenedContainer,
    WritableTree,
)
from s3export.domain.secret import Secret

_MIB = 1 << 20
_SMALLEST_BYTES = 4 * _MIB  # below, mkfs.ext4 finds no room for a journal

_LUKS = b"LUKS\xba\xbe"
"""How LUKS1 and LUKS2 begin (cryptsetup, "LUKS2 On-Disk Format Specification")."""


@dataclass(frozen=True)
class _Container:
    """The bytes of a container, and where the system has them.

    Attributes:
        name: For people.
        told: For the report: the path of a file on the disk, or the device's.
        path: A device or file of the system; empty where there is none.
        offset, size: The range of it; a size of 0 is all of it.
    """

    name: str
    told: str
    source: ByteSource
    path: str = ""
    offset: int = 0
    size: int = 0

    @property
    def is_luks(self) -> bool:
        return self.source.read(0, len(_LUKS)) == _LUKS


class SystemContainers(Containers):
    """Prefers dm-crypt where the kernel has it and this user may use it.

    Args:
        devices: Finds the partition that is a container; opens the file system that
            the kernel decrypts.
    """

    def __init__(
        self, cryptsetup: CryptsetupContainers, devices: SystemBlockDevices
    ) -> None:
        self._cryptsetup = cryptsetup
        self._devices = devices

    @contextmanager
    def open_file(
        self, tree: FileTree, path: TreePath, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        """Open a container that is a file of a tree."""
        name = shown(path)
        with ExitStack() as stack:
            if isinstance(tree, MountedTree):
                # Through a descriptor, as the tree opens files: no link is followed.
                system_path = stack.enter_context(tree.system_path(path))
                source: ByteSource = stack.enter_context(FileSource(system_path))
                container = _Container(f"/{name}", name, source, system_path)
            elif isinstance(tree, UserspaceTree):
                source = stack.enter_context(tree.source(path))
                container = _Container(f"/{name}", name, source)
            else:
                raise TypeError(f"no container is opened in a {type(tree).__name__}")
            yield stack.enter_context(self._opened(container, key, opening))

    @contextmanager
    def open_device(
        self, facts: DeviceFacts, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        """Open a device that is a container, or whose one partition is."""
        place = self._devices.unrecognised(facts)
        with FileSource(place.device) as whole:
            size = place.size or whole.size_bytes
            source = Slice(whole, place.offset, size) if place.offset else whole
            container = _Container(
                place.device,
                place.device,
                source,
                place.device,
                place.offset,
                place.size,
            )
            with self._opened(container, key, opening) as opened:
                yield opened

    @contextmanager
    def create(
        self,
        tree: WritableTree,
        path: TreePath,
        size_bytes: int,
        password: Secret,
        label: str,
    ) -> Iterator[WritableTree]:
        """Fill an ext4 image beside the disk, then encrypt it in userspace."""
        content = size_bytes // _MIB * _MIB - OVERHEAD_BYTES
        if content < _SMALLEST_BYTES or size_bytes > tree.free_bytes():
            raise DiskFull(f"no room for a container of {size_bytes:,} bytes")
        with TemporaryDirectory(prefix="s3export-container-") as directory:
            image = Path(directory, "plain.img")
            with image.open("wb") as file:
                file.truncate(content)
            image.chmod(0o600)
            with self._devices.new_file_system(str(image), label) as inside:
                yield inside
            tree.write(path, encrypted(image, content, password))
            tree.sync()

    @contextmanager
    def _opened(
        self, container: _Container, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        if self._by_the_kernel(container, opening):
            with self._decrypted_by_the_kernel(container, key, opening) as opened:
                yield opened
            return
        if container.is_luks:
            raise ContainerUnsupported(
                f"{container.name} is a LUKS container, which only the kernel opens: "
                f"{self._what_is_lacking(container, opening)}",
                next_step="run it as root on a kernel with dm-crypt",
            )
        with _named(container):
            volume, plain = open_volume(
                container.source,
                key,
                hidden=True if opening.hidden else None,
                backup_header=opening.backup_header,
                veracrypt=opening.veracrypt,
            )
        try:
            with UserspaceTree(plain) as tree:
                facts = ContainerFacts(
                    volume.kind, container.told, volume.cipher, "userspace"
                )
                yield OpenedContainer(tree, facts)
        except DeviceUnreadable as error:
            raise DeviceUnreadable(
                f"within {container.name}: {error.message}", next_step=error.next_step
            ) from error
        finally:
            plain.close()

    def _by_the_kernel(self, container: _Container, opening: Opening) -> bool:
        """Choose the means; a wish that cannot be met is an error."""
        if opening.open_with is OpenWith.USERSPACE:
            return False
        lacking = self._what_is_lacking(container, opening)
        if lacking and opening.open_with is OpenWith.CRYPTSETUP:
            kind = PrivilegeMissing if lacking == _NOT_ROOT else KernelLacks
            raise kind(f"cryptsetup cannot open {container.name}: {lacking}")
        return not lacking

    def _what_is_lacking(self, container: _Container, opening: Opening) -> str:
        if not opening.mounting:
            return "it would be mounted, which --no-mount forbids"
        if not container.path:
            return "it lies in a file system that is not mounted"
        if not may_administer():
            return _NOT_ROOT
        return self._cryptsetup.available("luks" if container.is_luks else "tcrypt")

    @contextmanager
    def _decrypted_by_the_kernel(
        self, container: _Container, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        with self._cryptsetup.opened(
            container.path,
            key,
            kind=None,
            hidden=opening.hidden,
            backup_header=opening.backup_header,
            veracrypt=opening.veracrypt,
            offset=container.offset,
            size=container.size,
        ) as mapping:
            facts = self._devices.inspect(mapping.path)
            with self._devices.open_read_only(facts) as tree:
                found = ContainerFacts(
                    mapping.kind, container.told, mapping.cipher, "cryptsetup"
                )
                yield OpenedContainer(tree, found)


_NOT_ROOT = "that needs root"


@contextmanager
def _named(container: _Container) -> Iterator[None]:
    """Name the container in the error for what does not open it."""
    try:
        yield
    except (ContainerDamaged, PasswordRefused) as error:
        raise type(error)(
            f"{container.name}: {error.message}", next_step=error.next_step
        ) from error


def encrypted(image: Path, size_bytes: int, password: Secret) -> Iterator[bytes]:
    """Yield a TrueCrypt volume with an image's content, MiB by MiB."""
    volume = format_volume(size_bytes, password, secrets.token_bytes)
    try:
        yield volume.header
        with image.open("rb") as plain:
            for start in range(0, size_bytes, _MIB):
                yield volume.sink.encrypt(start, plain.read(_MIB))
        yield volume.backup_header
    finally:
        volume.sink.close()
