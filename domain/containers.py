"""What opens an encrypted container."""

from dataclasses import dataclass, field

from s3export.domain.secret import Secret


@dataclass(frozen=True)
class ContainerKey:
    """What the owner of an encrypted container knows or has.

    Attributes:
        passphrase: May be empty where there are key files.
        keyfiles: Paths of key files. TrueCrypt and VeraCrypt mix them into the
            passphrase, in any order; a LUKS key file stands in its place.
        pim: VeraCrypt's personal iterations multiplier; 0 for its default.

    """

    passphrase: Secret
    keyfiles: tuple[str, ...] = ()
    pim: int = field(default=0, repr=False)
