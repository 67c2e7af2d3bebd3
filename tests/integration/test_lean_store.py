"""Bodies and listings that are fetched past boto3."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import UNSIGNED
from botocore.config import Config
from botocore.credentials import Credentials
from contracts.object_store_contract import (
    BUCKET,
    ODD_KEYS,
    Arranged,
    ObjectStoreContract,
    all_of,
)
from fixtures.aws_s3 import AwsS3
from fixtures.aws_s3_objects import Stored

from s3export.adapters.lean_store import LeanS3Store
from s3export.domain import errors
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.contents import put_in_parts
from s3export.entrypoints.sandbox.server import (
    ACCESS_KEY,
    SECRET_KEY,
    SandboxServer,
)

KEY_ID, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


def learnt(store: LeanS3Store, bucket: str = BUCKET) -> LeanS3Store:
    """Return the store after it has learned where the bucket is."""
    list(store.list_objects(bucket, prefix="nothing begins so"))
    return store


def lean_store(endpoint_url: str, token: str = "", **config: Any) -> LeanS3Store:
    """Return a store that talks to a server."""
    client = boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=SECRET,
        aws_session_token=token or None,
        config=Config(
            s3={"addressing_style": "path"},
            response_checksum_validation="when_required",
            retries={"mode": "standard", "total_max_attempts": 2},
            **config,
        ),
    )
    credentials = Credentials(KEY_ID, SECRET, token or None)
    return LeanS3Store(client, credentials=lambda: credentials)


@dataclass
class OnMoto:
    store: LeanS3Store
    client: Any

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None:
        if part_sizes:
            put_in_parts(self.client, BUCKET, key, body, part_sizes)
        else:
            self.client.put_object(Bucket=BUCKET, Key=key, Body=body)


class TestLeanS3StoreOnMoto(ObjectStoreContract):
    """The contract, over HTTP."""

    @pytest.fixture
    def arranged(self, server: SandboxServer) -> Iterator[OnMoto]:
        client = s3_client(server)
        client.create_bucket(Bucket=BUCKET)
        credentials = Credentials(ACCESS_KEY, SECRET_KEY)
        store = LeanS3Store(s3_client(server), credentials=lambda: credentials)
        yield OnMoto(learnt(store), client)
        store.close()


@dataclass
class OnAws:
    store: LeanS3Store
    aws: AwsS3

    def put(self, key: str, body: bytes, part_sizes: Sequence[int] = ()) -> None:
        now = datetime.now(UTC).replace(microsecond=0)
        stored = Stored(body, part_sizes=tuple(part_sizes), modified_at=now)
        self.aws.put(BUCKET, key, stored)


@pytest.fixture
def aws() -> Iterator[AwsS3]:
    with AwsS3() as server:
        server.create_bucket(BUCKET)
        server.create_bucket("versions", versioned=True)
        yield server


@pytest.fixture
def on_aws(aws: AwsS3) -> Iterator[OnAws]:
    store = learnt(lean_store(aws.endpoint_url))
    yield OnAws(store, aws)
    store.close()


class TestLeanS3StoreOnAws(ObjectStoreContract):
    """The contract, with the answers of AWS."""

    @pytest.fixture
    def arranged(self, on_aws: OnAws) -> Arranged:
        return on_aws
