"""Looks at the way to S3: what AWS's chain finds, and what one request tells."""

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

from botocore import exceptions as aws
from botocore.awsrequest import AWSRequest
from botocore.httpsession import URLLib3Session
from botocore.utils import get_environ_proxies

from s3export.adapters.aws_errors import not_of_aws, of_client_error, translated
from s3export.domain.capabilities import Access
from s3export.domain.errors import (
    AwsError,
    CredentialsMissing,
    CredentialsRejected,
    S3ExportError,
)
from s3export.domain.ports import AwsAccess, Clock

_SECONDS = (5, 10)  # to connect, to be answered

_REFUSALS = ("401", "403")
"""What a gateway before S3 may say without S3's words; other errors have a code."""

_ORIGINS: Mapping[str, str] = {
    "env": "the environment (AWS_ACCESS_KEY_ID)",
    "shared-credentials-file": "the shared credentials file",
    "config-file": "the AWS configuration file",
    "custom-process": "the profile's credential_process",
    "assume-role": "a role that the profile assumes",
    "assume-role-with-web-identity": "a web identity",
    "sso": "single sign-on (aws sso login)",
    "login": "a login (aws login)",
    "container-role": "the container's role",
    "iam-role": "the machine's role (EC2 metadata)",
    "boto-config": "a boto configuration file",
    "ec2-credentials-file": "AWS_CREDENTIAL_FILE",
}
"""botocore's names of its providers, in words."""


class ChainAccess(AwsAccess):
    """What the standard AWS chain finds here.

    Args:
        session: Makes a boto3 session.
        client: Makes an S3 client; asked only if requests can be signed or addressed.
        given_region: Of our own settings; empty to leave it to the chain.
    """

    def __init__(
        self,
        session: Callable[[], Any],
        client: Callable[[], Any],
        clock: Clock,
        *,
        profile: str | None = None,
        given_region: str | None = None,
    ) -> None:
        self._session = session
        self._client = client
        self._clock = clock
        self._profile = profile or ""
        self._given_region = given_region

    def look(self, *, ask: bool) -> Access:
        """Find the settings, the credentials, and ask."""
        found = Access(profile=self._profile)
        try:
            with translated("AWS settings"):
                session = self._session()
                region, origin = self._region(session)
                found = replace(
                    found,
                    profile=str(session.profile_name),
                    region=region,
                    region_origin=origin,
                )
        except S3ExportError as error:
            return replace(found, credentials_problem=error.message)
        found = _with_credentials(found, session)
        try:
            with translated("the S3 endpoint"):
                client = self._client()
        except S3ExportError as error:
            return replace(found, asked=ask, problem=error.message)
        found = replace(found, endpoint=str(client.meta.endpoint_url))
        return self._asked(found, client) if ask else found

    def _region(self, session: Any) -> tuple[str, str]:
        if self._given_region:
            return self._given_region, "the settings of s3export"
        if session.region_name:
            origin = "AWS's configuration: AWS_DEFAULT_REGION, or the profile"
            return str(session.region_name), origin
        return "us-east-1", "nothing says it: the default"

    def _asked(self, found: Access, client: Any) -> Access:
        found = replace(found, asked=True)
        try:
            with translated("S3"):
                if not found.credentials:
                    return self._asked_by_nobody(found)
                try:
                    answer = client.list_buckets(MaxBuckets=1)
                except aws.ClientError as error:
                    return self._refused(found, error)
                if not {"Buckets", "Owner"} & answer.keys():
                    raise not_of_aws("S3", "Buckets")
                return self._answered(found, answer)
        except CredentialsMissing as error:
            return replace(found, credentials_problem=error.message)
        except AwsError as error:
            return replace(found, problem=error.message)

    def _refused(self, found: Access, error: aws.ClientError) -> Access:
        """Take it for an answer; only what it says of the key is trouble."""
        kind = of_client_error("S3", error, {})
        code = str(error.response.get("Error", {}).get("Code", ""))
        if code.isdigit() and code not in _REFUSALS:
            raise not_of_aws("S3", "code of its error")
        problem = kind.message if isinstance(kind, CredentialsRejected) else ""
        found = replace(found, credentials_problem=problem)
        return self._answered(found, error.response)

    def _asked_by_nobody(self, found: Access) -> Access:
        """Send a request that is not signed: S3 refuses it, and says the time."""
        web = URLLib3Session(
            verify=os.environ.get("AWS_CA_BUNDLE") or True,
            proxies=get_environ_proxies(found.endpoint),
            timeout=_SECONDS,
        )
        request = AWSRequest(method="HEAD", url=found.endpoint).prepare()
        try:
            answer = web.send(request)
        finally:
            web.close()
        return self._at(found, answer.headers.get("date", ""))

    def _answered(self, found: Access, answer: Any) -> Access:
        headers = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {})
        return self._at(found, headers.get("date", ""))

    def _at(self, found: Access, date: str) -> Access:
        return replace(found, server_time=_time(date), local_time=self._clock.now())


def _with_credentials(found: Access, session: Any) -> Access:
    try:
        with translated("credentials"):
            credentials = session.get_credentials()
            if credentials is None:
                return found
            key = str(credentials.get_frozen_credentials().access_key)
            return replace(
                found,
                credentials=_ORIGINS.get(credentials.method, str(credentials.method)),
                access_key_id=key[-4:],
            )
    except S3ExportError as error:
        return replace(found, credentials_problem=error.message)


def _time(date: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return moment if moment.tzinfo else None
