"""The system's containers hold to the contract of their port, on a real file system."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from contracts.containers_contract import ContainersContract

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
        with adapters.block_devices().new_file_system(str(image), "x") as tree:
            yield Arranged(adapters.disk_containers(), tree)
