"""Passwords that were given, or that somebody can be asked for."""

from collections.abc import Callable

from s3export.domain.containers import ContainerKey
from s3export.domain.ports import KeyRing
from s3export.domain.secret import Secret

PASSWORD_VARIABLE = "S3EXPORT_TRUECRYPT_PASSWORD"
"""Has a password for the command line; no settings file has it."""

Ask = Callable[[str], Secret | None]
"""Asks for a password; ``None`` where nobody can be asked."""


class GivenKeys(KeyRing):
    """One key for whatever it is asked for.

    Args:
        password: ``None`` to ask for it, once, when it is needed.
        keyfiles: Paths of key files.
        pim: VeraCrypt's; 0 for its default.
        tell: Told that two passwords were not the same.
    """

    def __init__(
        self,
        password: Secret | None = None,
        *,
        keyfiles: tuple[str, ...] = (),
        pim: int = 0,
        ask: Ask = lambda what: None,
        tell: Callable[[str], object] = lambda text: None,
    ) -> None:
        self._password = password
        self._keyfiles = keyfiles
        self._pim = pim
        self._ask = ask
        self._tell = tell
        self._typed_once = False

    def key_for(self, what: str) -> ContainerKey | None:
        """Return the key, asking for what is missing of it."""
        if self._password is None:
            self._password = self._ask(what)
            self._typed_once = self._password is not None
        if self._password is None and not self._keyfiles:
            return None
        password = self._password or Secret("")
        return ContainerKey(password, self._keyfiles, self._pim)

    def key_for_new(self, what: str) -> ContainerKey | None:
        """Return the key; have a password that was typed typed again."""
        key = self.key_for(what)
        while self._typed_once:
            if self._password == self._ask(f"{what}, again"):
                self._typed_once = False
            else:
                self._tell("the two are not the same")
                self._password = None
                key = self.key_for(what)
        return key
