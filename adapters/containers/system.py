"""Opens containers by whatever means this machine has: the kernel's, or our own."""

import contextlib
import errno
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from s3export.adapters.block_devices import Place, SystemBlockDevices
from s3export.adapters.byte_sources import ByteSource, FileSource, Slice
from s3export.adapters.containers.cryptsetup import CryptsetupContainers
from s3export.adapters.containers.formatting import OVERHEAD_BYTES, format_volume
from s3export.adapters.containers.fuse_mounts import FuseMounts
from s3export.adapters.containers.opening import (
    TRUECRYPT_PASSWORD_BYTES,
    find_volume,
    open_volume,
)
from s3export.adapters.containers.sector_ciphers import wipe
from s3export.adapters.file_trees.mounted import (
    DAMAGED,
    MountedTree,
    MountedWritableTree,
)
from s3export.adapters.file_trees.userspace import UserspaceTree
from s3export.adapters.live_runs import WHATEVER_USES_IT, run_that_has_open
from s3export.adapters.privileges import may_administer
from s3export.adapters.rotation import reads_at_once
from s3export.adapters.sessions import RUN_DIRECTORY
from s3export.domain.backup_layout import TreePath, shown
from s3export.domain.containers import (
    AS_IT_COMES,
    ContainerFacts,
    ContainerKey,
    Opening,
    OpenWith,
)
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import (
    ContainerDamaged,
    ContainerUnsupported,
    DeviceError,
    DeviceFailed,
    DeviceRefused,
    DeviceUnreadable,
    DiskFull,
    InputRefused,
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
_SMALLEST_BYTES = 5 * _MIB  # below, mkfs.ext4 finds no room for a journal

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
        reads_at_once: As of a `FileTree`.
    """

    name: str
    told: str
    source: ByteSource
    path: str = ""
    offset: int = 0
    size: int = 0
    reads_at_once: int | None = None

    @property
    def is_file(self) -> bool:
        return Path(self.path).is_file()

    @property
    def is_luks(self) -> bool:
        return self.source.read(0, len(_LUKS)) == _LUKS


class SystemContainers(Containers):
    """Prefers dm-crypt where the kernel has it and this user may use it.

    Args:
        devices: Finds the partition that is a container; opens the file system that
            the kernel decrypts.
        fuse: Makes a file of a volume that is to be written to where there is no
            dm-crypt.
    """

    def __init__(
        self,
        cryptsetup: CryptsetupContainers,
        devices: SystemBlockDevices,
        fuse: FuseMounts,
    ) -> None:
        self._cryptsetup = cryptsetup
        self._devices = devices
        self._fuse = fuse

    # --- reading ------------------------------------------------------------------

    @contextmanager
    def open_file(
        self, tree: FileTree, path: TreePath, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        """Open a container that is a file of a tree."""
        with ExitStack() as stack:
            if isinstance(tree, MountedTree):
                container = stack.enter_context(_file(tree, path))
            elif isinstance(tree, UserspaceTree):
                name = shown(path)
                source = stack.enter_context(tree.source(path))
                container = _Container(
                    f"/{name}", name, source, reads_at_once=tree.reads_at_once
                )
            else:
                raise TypeError(f"no container is opened in a {type(tree).__name__}")
            yield stack.enter_context(self._opened(container, key, opening))

    @contextmanager
    def open_device(
        self, facts: DeviceFacts, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        """Open a device that is a container, or whose one partition is."""
        with (
            _at(self._devices.unrecognised(facts)) as container,
            self._opened(container, key, opening) as opened,
        ):
            yield opened

    # --- making and writing -------------------------------------------------------

    def lacking(self, kind: str) -> str:
        """Ask for root, dm-crypt and, for TrueCrypt without that, FUSE."""
        if kind not in ("truecrypt", "luks2"):
            raise ValueError(f"no container of kind {kind} is made")
        if not may_administer():
            return _NOT_ROOT
        if kind == "luks2":
            return self._cryptsetup.available("luks")
        by_the_kernel = self._cryptsetup.available("tcrypt")
        in_userspace = by_the_kernel and self._fuse.available()
        return f"{by_the_kernel}, and {in_userspace}" if in_userspace else ""

    def make_room(self, tree: WritableTree, path: TreePath) -> int:
        """Return what is free without the file that a killed run left."""
        tree.remove(_incomplete(path))
        return tree.free_bytes()

    def create(
        self,
        tree: WritableTree,
        path: TreePath,
        size_bytes: int,
        password: Secret,
        label: str,
    ) -> None:
        """Make a container in place, under a hidden name as long as it is not whole."""
        size = size_bytes // _MIB * _MIB
        if size < _SMALLEST_BYTES:
            raise DiskFull(f"{size_bytes:,} bytes are too few for a file system")
        _check_password(password)
        self._demand("truecrypt")
        mounted = _mounted(tree)
        tree.make_room_for(path)
        new = _incomplete(path)
        if size > self.make_room(tree, path):
            raise DiskFull(f"no room for a container of {size_bytes:,} bytes")
        try:
            self._make(mounted, new, size, password, label)
            with mounted.system_path(new) as place:
                # Of the same file system, and the name was free.
                Path(place).rename(Path(place).parent / os.fsdecode(_name(path)))
            tree.sync()
        except BaseException:
            with contextlib.suppress(DeviceError):
                tree.remove(new)
            raise

    def _make(
        self,
        tree: MountedWritableTree,
        path: TreePath,
        size: int,
        password: Secret,
        label: str,
    ) -> None:
        volume = format_volume(size - OVERHEAD_BYTES, password, secrets.token_bytes)
        volume.sink.close()
        tree.write(path, [volume.header])
        with (
            _file(tree, path) as begun,
            _open_for_writing(begun) as file,
            _written(),
        ):
            os.posix_fallocate(file, 0, size)
            os.pwrite(file, volume.backup_header, size - len(volume.backup_header))
        with (
            _file(tree, path) as container,
            self._decrypted(container, ContainerKey(password), AS_IT_COMES) as device,
        ):
            self._devices.make_file_system(device, label)

    def create_device(self, facts: DeviceFacts, password: Secret, label: str) -> None:
        """Make a LUKS2 container of a device or its partition, through cryptsetup."""
        self._demand("luks2")
        self._cryptsetup.check_passphrase(password)
        place = self._devices.unrecognised(facts)
        with self._devices.device_at(place) as device:
            self._cryptsetup.make_luks(device, password)
        key = ContainerKey(password)
        with (
            _at(place) as container,
            self._decrypted(container, key, AS_IT_COMES) as device,
        ):
            self._devices.make_file_system(device, label)

    @contextmanager
    def open_for_writing(
        self,
        tree: WritableTree,
        path: TreePath,
        key: ContainerKey,
        opening: Opening = AS_IT_COMES,
    ) -> Iterator[WritableTree]:
        """Mount what a container that is a file holds."""
        with (
            _file(_mounted(tree), path) as container,
            self._writable(container, key, opening) as inside,
        ):
            yield inside

    @contextmanager
    def open_device_for_writing(
        self, facts: DeviceFacts, key: ContainerKey, opening: Opening = AS_IT_COMES
    ) -> Iterator[WritableTree]:
        """Mount what a container that is a device holds."""
        with (
            _at(self._devices.unrecognised(facts)) as container,
            self._writable(container, key, opening) as inside,
        ):
            yield inside

    @contextmanager
    def _writable(
        self, container: _Container, key: ContainerKey, opening: Opening
    ) -> Iterator[WritableTree]:
        with ExitStack() as stack:
            device = stack.enter_context(self._decrypted(container, key, opening))
            try:
                facts = self._devices.inspect(device)
                tree = stack.enter_context(self._devices.open_for_writing(facts))
            except DeviceUnreadable as error:
                raise _within(container, error) from error
            yield tree

    @contextmanager
    def _decrypted(
        self, container: _Container, key: ContainerKey, opening: Opening
    ) -> Iterator[str]:
        """Give the content as a block device; what is written is synced on leaving."""
        if not may_administer():
            raise PrivilegeMissing(f"writing to {container.name} needs root")
        if not opening.mounting:
            raise InputRefused("what is written to is mounted: --no-mount forbids that")
        if container.is_file:
            self._devices.check_unattached(container.path)
        kernel = self._by_the_kernel(container, opening)
        if container.is_luks and not kernel:
            raise KernelLacks(
                f"{container.name} is a LUKS container, which only the kernel opens: "
                f"{self._what_is_lacking(container, opening)}",
                next_step="run it on a kernel with dm-crypt, where cryptsetup is",
            )
        with ExitStack() as stack:
            file = stack.enter_context(
                _open_for_writing(container, exclusive=not kernel)
            )
            if kernel:
                mapping = stack.enter_context(
                    self._cryptsetup.opened(
                        container.path,
                        key,
                        kind="luks" if container.is_luks else "tcrypt",
                        hidden=opening.hidden,
                        backup_header=opening.backup_header,
                        veracrypt=opening.veracrypt,
                        offset=container.offset,
                        size=container.size,
                        read_only=False,
                    )
                )
                yield mapping.path
                return
            with _named(container):
                volume = find_volume(
                    container.source,
                    key,
                    hidden=True if opening.hidden else None,
                    backup_header=opening.backup_header,
                    veracrypt=opening.veracrypt,
                )
            try:
                path = stack.enter_context(
                    self._fuse.presented(file, volume, base=container.offset)
                )
            finally:
                wipe(volume.keys)
            yield stack.enter_context(self._devices.attach_image(path))

    def _demand(self, kind: str) -> None:
        """Raise an error for what is lacking to make a container."""
        lacking = self.lacking(kind)
        if not lacking:
            return
        if lacking == _NOT_ROOT:
            raise PrivilegeMissing(f"no {kind} container can be made: {lacking}")
        raise KernelLacks(
            f"no {kind} container can be made: {lacking}",
            next_step="run it where cryptsetup is installed, on a kernel with dm-crypt",
        )

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
            with UserspaceTree(plain, container.reads_at_once) as tree:
                facts = ContainerFacts(
                    volume.kind, container.told, volume.cipher, "userspace"
                )
                yield OpenedContainer(tree, facts)
        except DeviceUnreadable as error:
            raise _within(container, error) from error
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


def _within(container: _Container, error: DeviceUnreadable) -> DeviceUnreadable:
    return DeviceUnreadable(
        f"within {container.name}: {error.message}", next_step=error.next_step
    )


@contextmanager
def _file(tree: MountedTree, path: TreePath) -> Iterator[_Container]:
    name = shown(path)
    # Through a descriptor, as the tree opens files: no link is followed.
    with tree.system_path(path) as place, FileSource(place) as source:
        yield _Container(
            f"/{name}", name, source, place, reads_at_once=tree.reads_at_once
        )


@contextmanager
def _at(place: Place) -> Iterator[_Container]:
    with FileSource(place.device) as whole:
        size = place.size or whole.size_bytes
        source = Slice(whole, place.offset, size) if place.offset else whole
        yield _Container(
            place.device,
            place.device,
            source,
            place.device,
            place.offset,
            place.size,
            reads_at_once(place.device),
        )


def _mounted(tree: WritableTree) -> MountedWritableTree:
    if not isinstance(tree, MountedWritableTree):
        raise TypeError(f"no container is written in a {type(tree).__name__}")
    return tree


@contextmanager
def _open_for_writing(
    container: _Container, *, exclusive: bool = True
) -> Iterator[int]:
    """Give a descriptor that nobody else has locked; on leaving, all is on the disk.

    Who inherits the descriptor has the lock as well, and keeps it when we are killed.

    Args:
        exclusive: Claim a block device, as mounting it would.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    if exclusive and not container.is_file:
        flags |= os.O_EXCL
    try:
        file = os.open(container.path, flags)
    except OSError as error:
        if error.errno == errno.EBUSY:
            raise _in_use(container) from error
        kind = DeviceUnreadable if error.errno in DAMAGED else DeviceFailed
        raise kind(
            f"{container.name} cannot be written to: {error.strerror}"
        ) from error
    try:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise _in_use(container) from error
        try:
            yield file
        finally:
            with _written():
                os.fsync(file)
    finally:
        os.close(file)


def _in_use(container: _Container) -> DeviceRefused:
    run = run_that_has_open(container.path, RUN_DIRECTORY)
    by = f" by {run}" if run else ""
    return DeviceRefused(
        f"{container.name} is in use: it is being written to{by}",
        next_step=run.way_out if run else WHATEVER_USES_IT,
    )


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise DiskFull(f"no room for the container: {reason}") from error
        kind = DeviceUnreadable if error.errno in DAMAGED else DeviceFailed
        raise kind(f"writing to the container failed: {reason}") from error


def _name(path: TreePath) -> bytes:
    return path.rpartition(b"/")[2]


def _incomplete(path: TreePath) -> TreePath:
    """Return the name that a container has until it is whole."""
    directory, slash, name = path.rpartition(b"/")
    return TreePath(directory + slash + b"." + name[:200] + b".incomplete")


def _check_password(password: Secret) -> None:
    size = len(password.reveal().encode("utf-8", "surrogateescape"))
    if not 0 < size <= TRUECRYPT_PASSWORD_BYTES:
        raise InputRefused(
            f"a TrueCrypt password has 1 to {TRUECRYPT_PASSWORD_BYTES} bytes, "
            f"and this one has {size}"
        )


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
