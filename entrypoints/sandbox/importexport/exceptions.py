"""The service's errors: codes of botocore's model, one line of text each."""

from moto.core.exceptions import ServiceException


class ImportExportError(ServiceException):
    """An error of the service.

    A class of its own, so that moto looks its code up in the service's model, and not
    in one guessed from the module of the base class.
    """


def refused(name: str, message: str) -> ImportExportError:
    """Return the error of a name such as ``InvalidJobId``; HTTP status 400."""
    return ImportExportError(f"{name}Exception", " ".join(message.split()))
