"""Encrypted containers in memory, and the keys to them."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3export.adapters.memory.file_tree import MemoryFileTree, MemoryWritableTree
from s3export.domain.backup_layout import TreePath, shown
from s3export.domain.containers import ContainerFacts, ContainerKey, Opening, OpenWith
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import DiskFull, FileUnreadable, PasswordRefused
from s3export.domain.ports import (
    Containers,
    FileTree,
    KeyRing,
    OpenedContainer,
    WritableTree,
)
from s3export.domain.secret import Secret


class MemoryContainers(Containers):
    """Containers that were put here: by their path, with their password.

    Attributes:
        open_now: The paths of those that are open.
    """

    def __init__(self) -> None:
        self._inside: dict[str, tuple[str, MemoryFileTree]] = {}
        self.open_now: list[str] = []

    def put(self, path: str, password: str, tree: MemoryFileTree) -> None:
        """Make a container at a path: of a file in the root, or of a device."""
        self._inside[path] = (password, tree)

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

    @contextmanager
    def create(
        self,
        tree: WritableTree,
        path: TreePath,
        size_bytes: int,
        password: Secret,
        label: str,
    ) -> Iterator[WritableTree]:
        """Make a container; in the tree stands a file of its size."""
        if size_bytes > tree.free_bytes():
            raise DiskFull(f"no room for {size_bytes:,} bytes")
        inside = MemoryWritableTree(room_bytes=size_bytes)
        yield inside
        tree.write(path, [bytes(size_bytes)])
        self.put(shown(path), password.reveal(), inside)

    @contextmanager
    def _open(
        self, path: str, key: ContainerKey, opening: Opening
    ) -> Iterator[OpenedContainer]:
        if path not in self._inside:
            raise FileUnreadable(f"/{path} is no container")
        password, tree = self._inside[path]
        if key.passphrase != Secret(password):
            raise PasswordRefused(f"{path} does not open with this password")
        chosen = opening.open_with
        means = OpenWith.USERSPACE if chosen is OpenWith.AUTO else chosen
        self.open_now.append(path)
        try:
            facts = ContainerFacts("truecrypt", path, "aes-xts", means.value)
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
