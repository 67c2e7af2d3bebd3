"""Run within user-mode Linux: s3export's own command, against a server beside it."""

import json
import os
import subprocess
import sys
from pathlib import Path

from fixtures.aws_s3 import AwsS3
from fixtures.aws_s3_objects import Stored

from s3export.entrypoints.cli import main


def objects(number: int) -> dict[str, bytes]:
    """Return what the bucket holds, the same inside and outside."""
    return {
        f"d{n % 7}/file {n:03}": bytes([n % 251]) * (n * 101) for n in range(number)
    }


def held() -> dict[str, list[str]]:
    """Return what the system holds: mappings, loop devices, mounts of ours."""
    mappings = sorted(path.name for path in Path("/dev/mapper").glob("s3export*"))
    loops = subprocess.run(
        ["losetup", "--list", "--noheadings", "--output", "NAME"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    mounts = [
        line
        for line in Path("/proc/mounts").read_text().splitlines()
        if "/s3export/" in line
    ]
    return {"mappings": mappings, "loops": loops, "mounts": mounts}


def run() -> None:
    """Serve the bucket, verify the disk, tell what is left."""
    with AwsS3() as server:
        server.create_bucket("bucket")
        for key, body in objects(300).items():
            server.put("bucket", key, Stored(body, checksum="CRC64NVME"))
        os.environ |= {
            "AWS_ENDPOINT_URL": server.endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        code = main([*sys.argv[1:], "--report=report.json"])
    sys.stderr.write(f"{json.dumps({'code': code, 'held': held()})}\n")
    sys.exit(code)


if __name__ == "__main__":
    subprocess.run(["ip", "link", "set", "lo", "up"], check=False)
    run()
