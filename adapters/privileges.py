"""What this process may do."""

import os
from pathlib import Path

_CAP_SYS_ADMIN = 21  # capabilities(7): mounting, attaching loop devices, mapping


def may_administer() -> bool:
    """Say whether devices can be mounted and attached: root, and not a confined one.

    Root within a container as a rule is confined.
    """
    if os.geteuid() != 0:
        return False
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == "CapEff":
            return bool(int(value, 16) >> _CAP_SYS_ADMIN & 1)
    return True  # a kernel without capabilities
