"""What AWS's own chain says of profile, region and endpoint; nobody is asked."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.configprovider import ConfiguredEndpointProvider

from s3export.adapters.aws_errors import translated
from s3export.domain.errors import S3ExportError

DEFAULT_REGION = "us-east-1"

_PROFILES = ("AWS_DEFAULT_PROFILE", "AWS_PROFILE")  # as botocore looks them up
_REGIONS = ("AWS_DEFAULT_REGION",)
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")


@dataclass(frozen=True)
class Found:
    """What is in force where s3export's own settings say nothing, and by whose word."""

    name: str
    value: str
    origin: str


def found_by_chain(profile: str | None, region: str | None) -> Iterator[Found]:
    """Yield profile, region and S3 endpoint, as far as they can be told.

    Args:
        profile, region: Of our own settings; they go before the chain's.

    """
    try:
        with translated("AWS settings"):
            session = boto3.Session(profile_name=profile, region_name=region)
            named = str(session.profile_name)
            yield Found("profile", named, _variable(_PROFILES) or "AWS's default")
            of_profile = f"profile {named} of AWS's configuration"
            if session.region_name:
                origin = _variable(_REGIONS) or of_profile
                yield Found("region", str(session.region_name), origin)
            else:
                yield Found("region", DEFAULT_REGION, "s3export's default")
            yield Found("endpoint_url", *_endpoint(session, of_profile))
    except S3ExportError:
        return  # a profile that is not there: the commands that need it say so


def _endpoint(session: Any, of_profile: str) -> tuple[str, str]:
    """Return the address of S3; no credentials are looked for."""
    client = session.client(
        "s3",
        region_name=session.region_name or DEFAULT_REGION,
        aws_access_key_id="none",
        aws_secret_access_key="none",
    )
    address = str(client.meta.endpoint_url)
    core = session._session  # boto3 passes none of this on
    if core.get_config_variable("ignore_configured_endpoint_urls"):
        return address, "AWS's own, of the region"
    if variable := _variable(_ENDPOINTS):
        return address, variable
    told = ConfiguredEndpointProvider(
        full_config=core.full_config,
        scoped_config=core.get_scoped_config(),
        client_name="s3",
    ).provide()
    return address, of_profile if told else "AWS's own, of the region"


def _variable(names: tuple[str, ...]) -> str:
    found = next((name for name in names if os.environ.get(name)), "")
    return f"environment {found}" if found else ""
