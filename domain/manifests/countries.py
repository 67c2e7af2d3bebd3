"""Countries as people write them in addresses; AWS's guide has no list of names."""

_USA = frozenset({"USA", "US", "UNITED STATES", "UNITED STATES OF AMERICA"})
_CANADA = frozenset({"CANADA", "CA", "CAN"})


def is_usa(country: str) -> bool:
    """Say whether a country is the one of AWS's facilities in the USA."""
    return _plain(country) in _USA


def has_states(country: str) -> bool:
    """Say whether an address needs ``stateOrProvince``: in the USA and Canada.

    AWS Import/Export Developer Guide, "Manifest file options: common".
    """
    return _plain(country) in _USA | _CANADA


def _plain(country: str) -> str:
    return " ".join(country.replace(".", "").upper().split())
