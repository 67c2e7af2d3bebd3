"""The plainest walk of a directory: what every other walk is compared with."""

import os
import stat

KINDS = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "named pipe",
    stat.S_IFSOCK: "socket",
}

Seen = tuple[bytes, tuple[int, int, int, int] | str]


def plain_walk(root: bytes) -> list[Seen]:
    """Return every entry that is no directory, sorted by path.

    Of a file with its size, times and inode, of others with their kind.
    """
    seen: list[Seen] = []
    for directory, directories, names in os.walk(root):
        links = [n for n in directories if os.path.islink(os.path.join(directory, n))]  # noqa: PTH114, PTH118
        for name in names + links:
            place = os.path.join(directory, name)  # noqa: PTH118
            found = os.lstat(place)
            path = os.path.relpath(place, root)
            if stat.S_ISREG(found.st_mode):
                times = found.st_mtime_ns, found.st_ctime_ns
                seen.append((path, (found.st_size, *times, found.st_ino)))
            else:
                seen.append((path, KINDS[stat.S_IFMT(found.st_mode)]))
    return sorted(seen)
