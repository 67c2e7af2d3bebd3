"""The system's containers hold to the contract of their port, on a real file system."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from contracts.containers_contract import ContainersContract

from s3export.domain.devices.preparation import Preparation
from s3export.domain.ports import Containers, WritableTree
from s3export.entrypoints.container import application
from s3export.entrypoints.settings import Settings

pytestmark = pytest.mark.loop


@dataclass
class Arranged:
    containers: Containers
    tree: WritableTree


class TestSystemContainers(ContainersContract):
    @pytest.fixture
    def arranged(self, tmp_path: Path) -> Iterator[Arranged]:
        image = tmp_path / "disk.img"
        with image.open("wb") as file:
            file.truncate(48 << 20)
        adapters = application(Settings()).adapters
        adapters.run_directory.override(str(tmp_path / "run"))
        devices = adapters.block_devices()
        whole = Preparation("x", whole_disk=True)
        devices.prepare(devices.inspect(str(image)), whole)
        with devices.open_for_writing(devices.inspect(str(image))) as tree:
            yield Arranged(adapters.disk_containers(), tree)
        assert not list((tmp_path / "run").glob("*"))
