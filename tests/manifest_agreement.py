"""Holds the product's reading of manifests against the emulated service's."""

from moto.core.exceptions import ServiceException
from samples import checked

from s3export.domain.errors import Severity
from s3export.domain.manifests.rules import RULES
from s3export.entrypoints.sandbox.importexport.manifest import accept


def refusal(text: str) -> str:
    """Return the code that the service refuses a manifest with; empty for none."""
    try:
        accept(text)
    except ServiceException as error:
        assert error.code is not None
        return error.code.removesuffix("Exception")
    return ""


def assert_agreement(text: str) -> None:
    """Both refuse for the same reason, or the product's is one of its own.

    What is no YAML for the service may be odd YAML for the product, and is refused.
    """
    found = checked(text).problems
    codes = {RULES[p.rule].code for p in found}
    errors = {RULES[p.rule].code for p in found if p.severity is Severity.ERROR}
    code = refusal(text)
    if code == "MalformedManifest":
        assert errors, found
    elif code:
        assert code in codes or "" in errors, (code, found)
    else:
        assert errors <= {""}, found
