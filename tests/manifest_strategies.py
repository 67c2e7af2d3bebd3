"""Manifests that AWS would take, and ways to spoil one."""

import string

from hypothesis import strategies as st

from s3export.domain.manifests import (
    Address,
    Customs,
    Manifest,
    Operation,
    Substitution,
)
from s3export.domain.secret import Secret

_sendable = st.characters(
    codec="utf-8",
    exclude_characters=[chr(n) for n in range(32) if chr(n) not in "\t\n\r"]
    + ["\ufffe", "\uffff"],
)

words = st.text(
    st.one_of(st.sampled_from(" :#'\"\\,&%-!|>?ab\t\nß日😀"), _sendable),
    min_size=1,
    max_size=30,
).filter(
    lambda text: (
        not (text[0] in "[*<" or "@" in text or "***" in text or "box" in text.lower())
    )
)
"""Values of fields: any text that can be sent and looks like no placeholder."""

_secret_texts = st.one_of(
    words,
    st.text(_sendable, min_size=1, max_size=16),
    st.sampled_from(
        ["yes", "0123", "2.0", "~", "[x]", "@x@", "*x", "#x", "<a>", "a: b"]
    ),
)
secrets = _secret_texts.filter(lambda text: len(text.encode()) <= 64).map(Secret)
"""Passwords: whatever somebody may think of, up to 64 bytes."""

_name = st.text(string.ascii_lowercase + string.digits, min_size=3, max_size=12)
buckets = st.builds("{}{}".format, st.sampled_from(["", "a.", "b-"]), _name)
directories = st.lists(_name, max_size=3).map("/".join)


@st.composite
def operations(draw: st.DrawFn) -> Operation:
    """An operation that selects at least one key that there could be."""
    key = draw(words)
    smaller = draw(st.sampled_from(["", key[:-1], "\t"]))
    return Operation(
        draw(buckets),
        prefix=key[: draw(st.integers(0, len(key)))],
        begin_marker=smaller if smaller < key else "",
        end_marker=draw(st.sampled_from(["", key, key + "x", "zzz" + key]))
        if "zzz" + key >= key
        else key,
        target_directory=draw(st.none() | directories),
    )


addresses = st.builds(
    Address,
    name=words,
    street1=words,
    city=words,
    postal_code=words,
    phone_number=words,
    country=st.sampled_from(["USA", "Canada", "Germany", "Côte d'Ivoire"]),
    company=st.just("") | words,
    street2=st.just("") | words,
    street3=st.just("") | words,
    state_or_province=words,
)

customs = st.builds(
    Customs,
    data_description=words,
    encrypted_data=st.booleans(),
    export_certifier_name=words,
    requires_export_license=st.booleans(),
    device_value=st.decimals(0, 9999, places=2).map(str),
    device_country_of_origin=words,
    device_type=st.sampled_from(
        ["externalStorageDevice", "usbFlashDrive", "sataDrive"]
    ),
    encryption_classification=words,
    device_hts=st.just("") | words,
    type_of_export=st.sampled_from(["", "return", "permanent", "temporary"]),
)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """A manifest without an error; warnings it may have."""
    password = draw(st.none() | secrets)
    return Manifest(
        operations=tuple(draw(st.lists(operations(), min_size=1, max_size=3))),
        return_address=draw(addresses),
        version="2.0",
        device_id=draw(words),
        file_system=draw(st.sampled_from(["EXT4", "NTFS"])),
        log_bucket=draw(buckets),
        log_prefix=draw(st.just("") | words),
        notification_email="jo@example.com; joe@example.com",
        truecrypt_password=password,
        pin_code=draw(secrets) if password is None else draw(st.none() | secrets),
        recovery_directory=draw(_name),
        service_level=draw(st.sampled_from(["standard", "expeditedShipping"])),
        generator=draw(st.just("") | words),
        access_key_id=draw(st.just("") | words),
        substitutions=tuple(
            Substitution(part, instead)
            for part, instead in draw(
                st.dictionaries(st.text(_sendable, max_size=9), words, max_size=3)
            ).items()
        ),
        customs=draw(st.none() | customs),
    )
