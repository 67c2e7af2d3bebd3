"""Open what a backup lies in: a device, and the container on it if there is one."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass

from s3export.domain.backup_layout import (
    LOAD_DIRECTORY,
    ROOT,
    BackupLayout,
    TreePath,
    is_container,
    join,
    shown,
)
from s3export.domain.containers import (
    PLAIN,
    ContainerFacts,
    ContainerKey,
    Opening,
    chosen_container,
)
from s3export.domain.devices import DeviceFacts
from s3export.domain.errors import ContainerLocked, DeviceUnreadable, NoFileSystem
from s3export.domain.load_marker import MARKER
from s3export.domain.ports import BlockDevices, Containers, FileTree, KeyRing


@dataclass(frozen=True)
class OpenedBackup:
    """The tree that the backup's directories are in.

    Attributes:
        container: ``None`` where the files lie in plain sight.

    """

    tree: FileTree
    container: ContainerFacts | None
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class OpenBackup:
    """Opens backups read-only; nobody needs to know beforehand what is on a disk."""

    devices: BlockDevices
    containers: Containers

    @contextmanager
    def __call__(
        self,
        facts: DeviceFacts,
        layout: BackupLayout | None,
        opening: Opening,
        keys: KeyRing,
    ) -> Iterator[OpenedBackup]:
        """Open a device, and what is in it; release all of it in reverse.

        Args:
            layout: Tells a backup in plain sight; ``None`` where it is not known yet.

        Raises:
            ContainerLocked: A password is needed, and there is none.
            ContainerUnclear: There are several containers.
            DeviceError: It cannot be opened.

        """
        with ExitStack() as stack:
            try:
                tree = stack.enter_context(
                    self.devices.open_read_only(facts, mounting=opening.mounting)
                )
            except NoFileSystem as error:
                # Encrypted disks are not recognised: that is the point of them.
                key = keys.key_for(facts.path)
                if key is None:
                    raise ContainerLocked(
                        f"{error.message}: is it the right one? If it is encrypted, "
                        "its password is needed",
                        next_step="name the disk or image that holds the backup; or, "
                        "if this one is encrypted, give its password with "
                        "--password-file FILE, --password-stdin, or in "
                        "S3EXPORT_TRUECRYPT_PASSWORD",
                    ) from error
                opened = stack.enter_context(
                    self.containers.open_device(facts, key, opening)
                )
                yield OpenedBackup(
                    opened.tree, opened.facts, tuple(opened.tree.warnings)
                )
                return
            path = self._container(tree, layout, opening)
            if path is None:
                yield OpenedBackup(tree, None, tuple(tree.warnings))
                return
            key = _key(keys, path)
            opened = stack.enter_context(
                self.containers.open_file(tree, path, key, opening)
            )
            warnings = (*tree.warnings, *opened.tree.warnings)
            yield OpenedBackup(opened.tree, opened.facts, warnings)

    @staticmethod
    def _container(
        tree: FileTree, layout: BackupLayout | None, opening: Opening
    ) -> TreePath | None:
        # What load-device keeps lies beside the data, within the container if any.
        wanted = layout.directories() if layout else ()
        # The root itself is always there: it says nothing.
        has_backup = any(path and tree.has_directory(path) for path in wanted)
        # Beside a container lies the marker alone; the other notes are with the files.
        with suppress(DeviceUnreadable):  # whoever reads the notes says so
            notes = {join(LOAD_DIRECTORY, name) for name in tree.names(LOAD_DIRECTORY)}
            has_backup = has_backup or bool(notes - {MARKER})
        names = [
            name
            for name in map(TreePath, tree.names(ROOT))
            if not (is_container(name) and tree.has_directory(name))
        ]
        return chosen_container(names, opening, has_backup=has_backup)


def _key(keys: KeyRing, path: TreePath) -> ContainerKey:
    key = keys.key_for(f"/{shown(path)}")
    if key is None:
        raise ContainerLocked(
            f"the backup is in an encrypted container, /{shown(path)}: its password "
            "is needed",
            next_step=f"{ContainerLocked.default_next_step}; or {PLAIN}",
        )
    return key
