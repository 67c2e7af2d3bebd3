"""A disk tampered with: what a demonstration and a test must find again."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from s3export.adapters.block_devices import SystemBlockDevices
from s3export.adapters.byte_sources import ByteSource, FileSource
from s3export.adapters.containers.opening import open_volume
from s3export.adapters.containers.system import encrypted
from s3export.adapters.file_trees.mounted import MountedWritableTree
from s3export.domain.backup_layout import TreePath, is_container
from s3export.domain.containers import ContainerKey
from s3export.domain.ports import WritableTree
from s3export.domain.secret import Secret

_MIB = 1 << 20


@contextmanager
def tampered(
    devices: SystemBlockDevices, disk: str, password: Secret | None
) -> Iterator[WritableTree]:
    """Give the files of a loaded disk for writing, those in its container if any."""
    with devices.open_for_writing(devices.inspect(disk)) as outer:
        names = (TreePath(name) for name in outer.names(TreePath(b"")))
        container = next(filter(is_container, names), None)
        if container is None or password is None:
            yield outer
            return
        assert isinstance(outer, MountedWritableTree)  # the system's devices mount
        with (
            TemporaryDirectory(prefix="s3export-tampered-") as directory,
            outer.system_path(container) as path,
        ):
            image = Path(directory, "plain.img")
            with FileSource(path) as source:
                volume, plain = open_volume(source, ContainerKey(password))
                _copy(plain, image)
            with devices.open_for_writing(devices.inspect(str(image))) as inside:
                yield inside
            with Path(path).open("r+b") as file:
                for chunk in encrypted(image, volume.size_bytes, password):
                    file.write(chunk)


def _copy(source: ByteSource, image: Path) -> None:
    if shutil.disk_usage(image.parent).free < source.size_bytes:
        raise OSError(f"{image.parent} has no room for {source.size_bytes:,} bytes")
    with image.open("wb") as file:
        for start in range(0, source.size_bytes, _MIB):
            file.write(source.read(start, _MIB))
