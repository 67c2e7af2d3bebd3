"""What may not be read or written is found before a disk is sent: moto's own IAM."""

import json
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest
from moto.core.base_backend import BackendDict
from samples import MANIFEST, checked

from s3export.domain.errors import Problem
from s3export.entrypoints.container import application
from s3export.entrypoints.sandbox.actions import s3_client
from s3export.entrypoints.sandbox.server import REGION, SandboxServer, running
from s3export.entrypoints.settings import Settings

ALL = ["s3:ListBucket", "s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
ALL += ["s3:HeadBucket"]  # moto's name for what AWS allows by s3:ListBucket
SOUND = MANIFEST.replace("pinCode: 0123", "pinCode: '58201937'")


@pytest.fixture
def server() -> Iterator[SandboxServer]:
    """A server with the sample manifest's buckets, and an object to export."""
    with running() as started:
        BackendDict.reset()
        s3 = s3_client(started)
        for bucket in ("foo-bucket", "export-log-bucket"):
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket="foo-bucket", Key="key", Body=b"content")
        yield started


@contextmanager
def policies_count(server: SandboxServer, *, after: float) -> Iterator[None]:
    """Have the server ask IAM for every request, as AWS does."""

    def tell(requests: float) -> None:
        call = urllib.request.Request(
            f"{server.endpoint_url}/moto-api/reset-auth",
            data=str(requests).encode(),
            headers={"Content-Type": "text/plain"},
            method="POST",
        )
        urllib.request.urlopen(call).close()

    tell(after)
    try:
        yield
    finally:
        tell(float("inf"))


def keys_of_a_user(server: SandboxServer, actions: list[str]) -> dict[str, str]:
    """Make a user who may do some things on all buckets; return its key."""
    iam: Any = boto3.client("iam", endpoint_url=server.endpoint_url, region_name=REGION)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    iam.create_user(UserName="operator")
    iam.put_user_policy(
        UserName="operator", PolicyName="some", PolicyDocument=json.dumps(policy)
    )
    key = iam.create_access_key(UserName="operator")["AccessKey"]
    return {
        "AWS_ACCESS_KEY_ID": key["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"],
    }


def problems_of(server: SandboxServer) -> tuple[Problem, ...]:
    """Return what S3 makes of the manifest for whoever asks."""
    app = application(Settings(endpoint_url=server.endpoint_url))
    survey = app.use_cases.survey_selection()
    found, _ = survey(checked(SOUND))
    return tuple(found.problems)


@pytest.mark.parametrize(
    ("missing", "fields"),
    [
        ([], []),
        (["s3:PutObject"], ["logBucket"]),
        (["s3:GetObject"], ["operations[0].exportBucket"]),
        (["s3:ListBucket"], ["operations[0].exportBucket"]),
        (["s3:HeadBucket"], []),
        (["s3:AbortMultipartUpload"], []),
    ],
)
def test_a_missing_permission_is_named_with_its_field(
    server: SandboxServer,
    monkeypatch: pytest.MonkeyPatch,
    missing: list[str],
    fields: list[str],
) -> None:
    """Listing, reading, writing the log; what is not needed is not asked for."""
    for name, value in keys_of_a_user(
        server, [action for action in ALL if action not in missing]
    ).items():
        monkeypatch.setenv(name, value)

    with policies_count(server, after=0):
        found = problems_of(server)

    assert [(p.rule, p.field) for p in found] == [("permission", f) for f in fields]
