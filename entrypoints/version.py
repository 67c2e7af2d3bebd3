"""The version of the installed package."""

from importlib.metadata import PackageNotFoundError, version


def installed_version() -> str:
    """Return it, or a mark for a source tree that was never installed."""
    try:
        return version("s3export")
    except PackageNotFoundError:
        return "0+source"
