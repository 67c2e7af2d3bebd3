"""Sizes for people."""

from s3export.domain.counting import counted


def size(size_bytes: int) -> str:
    """Return a size in the decimal units of disks' labels: ``4.00 TB``."""
    number = float(size_bytes)
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            bare = unit == "bytes"
            return counted(size_bytes, "byte") if bare else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.2f} TB"
