"""What botocore raises, as errors of the domain: the one mapping for both services."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from botocore import exceptions as aws
from botocore.parsers import ResponseParserError

from s3export.domain import errors

CLIENT_ERRORS: Mapping[str, type[errors.AwsError]] = {
    "AccessDenied": errors.PermissionMissing,
    "AccessDeniedException": errors.PermissionMissing,
    "AllAccessDisabled": errors.PermissionMissing,
    "403": errors.PermissionMissing,
    "Forbidden": errors.PermissionMissing,
    "ExpiredToken": errors.CredentialsRejected,
    "ExpiredTokenException": errors.CredentialsRejected,
    "InvalidAccessKeyId": errors.CredentialsRejected,
    "InvalidClientTokenId": errors.CredentialsRejected,
    "InvalidToken": errors.CredentialsRejected,
    "RequestTimeTooSkewed": errors.CredentialsRejected,
    "SignatureDoesNotMatch": errors.CredentialsRejected,
    "UnrecognizedClientException": errors.CredentialsRejected,
    "NoSuchBucket": errors.NoSuchBucket,
    "NoSuchKey": errors.NoSuchObject,
    "429": errors.Throttled,
    "503": errors.Throttled,
    "RequestLimitExceeded": errors.Throttled,
    "RequestThrottled": errors.Throttled,
    "ServiceUnavailable": errors.Throttled,
    "SlowDown": errors.Throttled,
    "Throttling": errors.Throttled,
    "ThrottlingException": errors.Throttled,
    "TooManyRequestsException": errors.Throttled,
}

_REFUSED_UNSAID = {
    code: "see whether the credentials are known there (s3export doctor); if they are, "
    "let the account's administrator allow s3:ListBucket and s3:GetObject"
    for code in ("403", "Forbidden")
}
"""An answer to HEAD has no body that would say which of the two it is."""

_UNNAMED = ("500", "502", "504")
"""Errors that S3 itself names in words; 500 is botocore's for an answer of no XML."""

_MOST_SAID = 100  # letters of what cannot be understood

_LOOK_IT_UP = "look the code in brackets up in the documentation of AWS"

_NOT_AWS = (
    "see whether the endpoint's URL names the API of the service, and not a console or "
    "a proxy before it: s3export config show"
)

_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.CredentialRetrievalError,
    aws.TokenRetrievalError,
    aws.UnauthorizedSSOTokenError,
)
_SETTINGS = (
    aws.ProfileNotFound,
    aws.NoRegionError,
    aws.InvalidRegionError,
    aws.InvalidConfigError,
    aws.ConfigParseError,
)


@contextmanager
def translated(
    what: str, own_codes: Mapping[str, type[errors.AwsError]] | None = None
) -> Iterator[None]:
    """Turn botocore's exceptions into errors of the domain.

    Args:
        what: The thing asked about, such as ``s3://bucket/key``; begins the message.
        own_codes: A service's own error codes, looked up first.
    """
    try:
        yield
    except aws.ClientError as error:
        raise of_client_error(what, error, own_codes or {}) from error
    except _CREDENTIALS as error:
        raise errors.CredentialsMissing(f"{what}: {_sentence(error)}") from error
    except _SETTINGS as error:
        raise errors.SettingsRejected(
            f"{what}: {_sentence(error)}",
            next_step="check --profile, --region and the AWS configuration file",
        ) from error
    except (aws.HTTPClientError, aws.ConnectionError) as error:
        raise errors.Unreachable(f"{what}: {_sentence(error)}") from error
    except aws.ParamValidationError as error:
        raise errors.AwsFailed(f"{what}: {_sentence(error)}") from error
    except ResponseParserError as error:
        raise errors.AwsFailed(
            f"{what}: the answer is not one of AWS: {_sentence(error)[:_MOST_SAID]}",
            next_step=_NOT_AWS,
        ) from error
    except KeyError as error:  # of botocore's answers: what S3 always tells
        raise not_of_aws(what, str(error.args[0])) from error
    except (aws.BotoCoreError, ValueError) as error:
        # botocore raises ValueError for an endpoint that is no URL
        raise errors.AwsFailed(f"{what}: {_sentence(error)}") from error


def not_of_aws(what: str, lacking: str) -> errors.AwsFailed:
    """Return the error for an answer that lacks what every answer of AWS has."""
    return errors.AwsFailed(
        f"{what}: the answer is not one of AWS: it tells no {lacking}",
        next_step=_NOT_AWS,
    )


def of_client_error(
    what: str,
    error: aws.ClientError,
    own_codes: Mapping[str, type[errors.AwsError]],
) -> errors.AwsError:
    """Return the error of the domain for an error answer of a service."""
    answer = error.response.get("Error", {})
    code = str(answer.get("Code", ""))
    said = str(answer.get("Message", "")) or str(error)
    kind = own_codes.get(code) or CLIENT_ERRORS.get(code, errors.AwsFailed)
    next_step = _REFUSED_UNSAID.get(code) or kind.default_next_step or _LOOK_IT_UP
    if code in _UNNAMED and kind is errors.AwsFailed:
        next_step = f"try again later; if it stays, {_NOT_AWS}"
    return kind(f"{what}: {_one_line(said)} ({code})", next_step=next_step)


def _sentence(error: Exception) -> str:
    return _one_line(str(error))


def _one_line(text: str) -> str:
    return " ".join(text.split())
