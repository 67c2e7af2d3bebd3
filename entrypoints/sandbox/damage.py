"""A disk tampered with: what a demonstration and a test must find again."""

from collections.abc import Iterator
from contextlib import contextmanager

from s3export.domain.backup_layout import TreePath, is_container
from s3export.domain.containers import ContainerKey
from s3export.domain.ports import BlockDevices, Containers, WritableTree
from s3export.domain.secret import Secret


@contextmanager
def tampered(
    devices: BlockDevices, containers: Containers, disk: str, password: Secret
) -> Iterator[WritableTree]:
    """Give the files of a loaded disk for writing, those in its container if any."""
    with devices.open_for_writing(devices.inspect(disk)) as outer:
        names = (TreePath(name) for name in outer.names(TreePath(b"")))
        container = next(filter(is_container, names), None)
        if container is None:
            yield outer
            return
        key = ContainerKey(password)
        with containers.open_for_writing(outer, container, key) as inside:
            yield inside
