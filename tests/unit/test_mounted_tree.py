"""A mounted tree keeps to its root, whatever paths a disk names."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from s3export.adapters.file_trees.mounted import MountedWritableTree
from s3export.domain.backup_layout import TreePath
from s3export.domain.errors import PathUnusable

OUTSIDE = TreePath(b"below/../../outside")


@pytest.fixture
def tree(tmp_path: Path) -> Iterator[MountedWritableTree]:
    (tmp_path / "root" / "below").mkdir(parents=True)
    (tmp_path / "outside").write_bytes(b"kept")
    tree = MountedWritableTree(str(tmp_path / "root"))
    yield tree
    tree.close()


def test_nothing_outside_is_removed_or_written(
    tree: MountedWritableTree, tmp_path: Path
) -> None:
    """A journal on a disk may name what it likes."""
    tree.remove(OUTSIDE)
    with pytest.raises(PathUnusable):
        tree.append(OUTSIDE, b"lost")
    with pytest.raises(PathUnusable):
        tree.write(TreePath(b"../outside"), [b"lost"])

    assert (tmp_path / "outside").read_bytes() == b"kept"


def test_nothing_outside_is_looked_at(tree: MountedWritableTree) -> None:
    """Neither its size nor its names."""
    assert tree.size_of(OUTSIDE) is None
    assert not tree.has_directory(TreePath(b".."))
    assert not tree.names(TreePath(b".."))
