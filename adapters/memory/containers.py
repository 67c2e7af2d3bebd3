"""Encrypted containers in memory, and the keys to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3export.adapters.memory.file_tree import MemoryFileTree, MemoryWritableTree
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
    DeviceFailed,
    DeviceRefused,
    DiskFull,
    FileUnreadable,
    InputRefused,
    KernelLacks,
    PasswordRefused,
)
from s3export.domain.ports import (
    Containers,
    FileTree,
    KeyRing,
    OpenedContainer,
    WritableTree,
)
from s3export.domain.secret import Secret

_MIB = 1 << 20
_SMALLEST_BYTES = 5 * _MIB
_LONGEST_PASSWORD = 64


class MemoryContainers(Containers):
    """Containers that were put here: by their path, with their password.

    Attributes:
        open_now: The paths of those that are open.
        lacks: What `lacking` says, by kind.
    """

    def __init__(self) -> None:
        self._inside: dict[str, tuple[str, MemoryFileTree, str]] = {}
        self.open_now: list[str] = []
        self.lacks: dict[str, str] = {}

    def put(
        self, path: str, password: str, tree: MemoryFileTree, kind: str = "truecrypt"
    ) -> None:
        """Make a container at a path: of a file in the root, or of a device."""
        self._inside[path] = (password, tree, kind)

    @contextmanager
    def open_file(
        self, tree: FileTree, path: TreePath, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        """Open a container that is a file."""
        with tree.open(path), self._open(shown(path), key, opening) as opened:
            yield opened

    @contextmanager
    def open_device(
        self, facts: DeviceFacts, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        """Open a device that is a container."""
        with self._open(facts.path, key, opening) as opened:
            yield opened

    def lacking(self, kind: str) -> str:
        """Say what a test has put there."""
        if kind not in ("truecrypt", "luks2"):
            raise ValueError(f"no container of kind {kind} is made")
        return self.lacks.get(kind, "")

    def make_room(self, tree: WritableTree, path: TreePath) -> int:
        """Return what is free: nothing is ever left half made."""
        return tree.free_bytes()

    def create(
        self,
        tree: WritableTree,
        path: TreePath,
        size_bytes: int,
        password: Secret,
        label: str,
    ) -> None:
        """Make a container; in the tree stands a file of its size."""
        size = size_bytes // _MIB * _MIB
        if size < _SMALLEST_BYTES or size > tree.free_bytes():
            raise DiskFull(f"no room for {size_bytes:,} bytes")
        if not 0 < len(password.reveal().encode()) <= _LONGEST_PASSWORD:
            raise InputRefused(f"a password has 1 to {_LONGEST_PASSWORD} bytes")
        self._demand("truecrypt")
        tree.write(path, [bytes(size)])
        self.put(shown(path), password.reveal(), MemoryWritableTree(room_bytes=size))

    @contextmanager
    def open_for_writing(
        self,
        tree: WritableTree,
        path: TreePath,
        key: ContainerKey,
        opening: Opening = AS_IT_COMES,
    ) -> Iterator[WritableTree]:
        """Hand out what was made."""
        with tree.open(path), self._open_writable(shown(path), key, opening) as inside:
            yield inside

    def create_device(self, facts: DeviceFacts, password: Secret, label: str) -> None:
        """Make a container of a device."""
        self._demand("luks2")
        if not password.reveal() or "\n" in password.reveal():
            raise InputRefused("a password is one line")
        tree = MemoryWritableTree(room_bytes=facts.size_bytes)
        self.put(facts.path, password.reveal(), tree, kind="luks")

    @contextmanager
    def open_device_for_writing(
        self, facts: DeviceFacts, key: ContainerKey, opening: Opening = AS_IT_COMES
    ) -> Iterator[WritableTree]:
        """Hand out what was made."""
        with self._open_writable(facts.path, key, opening) as inside:
            yield inside

    def _demand(self, kind: str) -> None:
        if self.lacking(kind):
            raise KernelLacks(f"no {kind} container can be made: {self.lacking(kind)}")

    @contextmanager
    def _open_writable(
        self, path: str, key: ContainerKey, opening: Opening
    ) -> Iterator[WritableTree]:
        if not opening.mounting:
            raise InputRefused("what is written to is mounted")
        if path in self.open_now:
            raise DeviceRefused(f"{path} is in use")
        with self._open(path, key, opening) as opened:
            if not isinstance(opened.tree, MemoryWritableTree):
                raise DeviceFailed(f"{path} cannot be written to")
            yield opened.tree

    @contextmanager
    def _open(
        self, path: str, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        if path not in self._inside:
            raise FileUnreadable(f"/{path} is no container")
        password, tree, kind = self._inside[path]
        if key.passphrase != Secret(password):
            raise PasswordRefused(f"{path} does not open with this password")
        chosen = opening.open_with
        means = OpenWith.USERSPACE if chosen is OpenWith.AUTO else chosen
        self.open_now.append(path)
        try:
            facts = ContainerFacts(kind, path, "aes-xts", means.value)
            yield OpenedContainer(tree, facts)
        finally:
            self.open_now.remove(path)


class FixedKeys(KeyRing):
    """Gives one password, or none, whatever it is asked for.

    Attributes:
        asked: What it was asked for.
    """

    def __init__(self, password: str | None = None) -> None:
        self._password = password
        self.asked: list[str] = []

    def key_for(self, what: str) -> ContainerKey | None:
        """Return the key."""
        self.asked.append(what)
        return None if self._password is None else ContainerKey(Secret(self._password))

    def key_for_new(self, what: str) -> ContainerKey | None:
        """Return the same key."""
        return self.key_for(what)
