"""What the checking benchmark runs in processes of their own; see `checking.py`."""

import hashlib
import sys
from pathlib import Path
from typing import Any

from benchmarks.fast_s3 import BUCKET


def list_ours() -> int:
    """List the bucket as verify-backup does; return how many keys there are."""
    from s3export.domain.services.verify_request import VerifyRequest
    from s3export.entrypoints.container import application

    store = application().adapters.object_store()
    at_once = VerifyRequest.askers
    return sum(1 for _ in store.list_unordered(BUCKET, at_once=at_once))


def _boto3() -> Any:
    import os

    import boto3

    return boto3.client("s3", endpoint_url=os.environ["S3EXPORT_ENDPOINT_URL"])


def list_boto3() -> int:
    """List the bucket with boto3's paginator."""
    pages = _boto3().get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return sum(len(page["Contents"]) for page in pages)


def heads_boto3(tree: Path, chosen: Path) -> int:
    """Compare some files with their objects, one after the other."""
    client = _boto3()
    keys = chosen.read_text().split()
    for key in keys:
        etag = client.head_object(Bucket=BUCKET, Key=key)["ETag"].strip('"')
        content = (tree / BUCKET / key).read_bytes()
        if hashlib.md5(content, usedforsecurity=False).hexdigest() != etag:
            sys.exit(f"{key} differs")
    return len(keys)


if __name__ == "__main__":
    what, *words = sys.argv[1:]
    if what == "heads-boto3":
        tree, chosen = map(Path, words)
        print(heads_boto3(tree, chosen))
    else:
        print(list_ours() if what == "list-ours" else list_boto3())
