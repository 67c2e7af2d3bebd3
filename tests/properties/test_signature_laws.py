"""Signatures are those of botocore."""

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote

from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from s3export.adapters.sigv4 import Signer

KEYS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
WORDS = st.text("AZaz09+/=", min_size=1, max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(["range", "if-match", "x-amz-checksum-mode", "x-amz-a", "x-a"]),
    WORDS,
)
REGIONS = st.sampled_from(["us-east-1", "eu-central-1"])


@given(KEYS, st.none() | KEYS, HEADERS, REGIONS, WORDS, WORDS, st.none() | WORDS)
def test_a_request_is_signed_as_botocore_signs_it(
    key: str,
    version: str | None,
    headers: dict[str, str],
    region: str,
    access_key: str,
    secret_key: str,
    token: str | None,
) -> None:
    """Whatever the key, the query, the headers, the region and the credentials are."""
    credentials = ReadOnlyCredentials(access_key, secret_key, token)
    path = f"/bucket/{quote(key, safe='/~')}"
    query = "" if version is None else f"versionId={quote(version, safe='-_.~')}"
    signer = Signer(region)
    signer.signed(ReadOnlyCredentials("a", "other", None), path, query, {})

    ours = signer.signed(
        credentials, path, query, {"host": "s3.example.com", **headers}
    )

    url = f"https://s3.example.com{path}" + (f"?{query}" if query else "")
    request = AWSRequest(method="GET", url=url, headers=headers)
    when = datetime.strptime(ours["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    with mock.patch("botocore.auth.get_current_datetime", return_value=when):
        S3SigV4Auth(credentials, "s3", region).add_auth(request)
    theirs = {name.lower(): value for name, value in request.headers.items()}
    assert ours == {"host": "s3.example.com", **theirs}
