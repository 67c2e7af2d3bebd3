"""Where a device is sent back to.

Source: AWS Import/Export Developer Guide, "Manifest file options common to all job
types" (returnAddress) and "Errors". The guide enumerates no countries: the spellings
of the two whose addresses need a state or province are ours, without regard to case
and dots. No other country's addresses are checked further.
"""

import re
from collections.abc import Mapping

from s3export.entrypoints.sandbox.importexport.exceptions import refused
from s3export.entrypoints.sandbox.importexport.manifest_text import (
    check_given,
    check_texts,
)

_REQUIRED = ("name", "street1", "city", "postalCode", "phoneNumber", "country")
_TEXTS = (*_REQUIRED, "company", "street2", "street3", "stateOrProvince")
_USA = ("USA", "US", "UNITED STATES", "UNITED STATES OF AMERICA")
_CANADA = ("CANADA", "CA", "CAN")
_PO_BOX = re.compile(r"\b(?:P\.?\s*O\.?|POST\s+OFFICE)\s*BOX\b", re.IGNORECASE)


def check_address(address: object, *, missing: str) -> None:
    """Refuse an address that no parcel reaches: InvalidAddress.

    Args:
        missing: The code for a field that is not there.
    """
    if not isinstance(address, Mapping):
        raise refused("InvalidAddress", "returnAddress is not fields")
    check_given(address, _REQUIRED, missing, "returnAddress.")
    check_texts(address, _TEXTS, "InvalidAddress", "returnAddress.")
    if _spelt(address["country"]) in (*_USA, *_CANADA):
        check_given(address, ("stateOrProvince",), missing, "returnAddress.")
    if any(_PO_BOX.search(address.get(f"street{n}", "")) for n in (1, 2, 3)):
        raise refused("InvalidAddress", "returnAddress is a PO box")


def is_abroad(country: str) -> bool:
    """Tell whether a device that goes there passes customs.

    The guide says: where it goes to another country than the facility's that loads it.
    Ours is that all devices are loaded in the USA, whatever region the buckets are in.
    """
    return _spelt(country) not in _USA


def _spelt(country: str) -> str:
    return " ".join(country.replace(".", "").upper().split())
