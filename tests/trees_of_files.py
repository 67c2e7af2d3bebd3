"""Directories full of whatever a file system can hold."""

import os
from pathlib import Path

from hypothesis import strategies as st

names = st.binary(min_size=1, max_size=8).filter(
    lambda name: not {0, 47} & set(name) and name not in (b".", b"..")
)
"""Whatever can be a name on ext4."""

Node = int | str | dict[bytes, "Node"]  # a file's size, what is no file, a directory

trees = st.recursive(
    st.integers(0, 5000) | st.sampled_from(["link", "fifo", "hard"]),
    lambda below: st.dictionaries(names, below, max_size=5),
    max_leaves=25,
).map(lambda node: node if isinstance(node, dict) else {b"one": node})


def build(directory: bytes, nodes: dict[bytes, Node]) -> None:
    """Make a tree in a directory that is there."""
    for name, node in nodes.items():
        place = directory + b"/" + name
        if isinstance(node, dict):
            os.mkdir(place)  # noqa: PTH102
            build(place, node)
        elif node == "link":
            os.symlink(b"..", place)  # noqa: PTH211
        elif node == "fifo":
            os.mkfifo(place)
        else:
            Path(os.fsdecode(place)).write_bytes(bytes(int(node != "hard" and node)))
            if node == "hard":
                os.link(place, place + b"+")
