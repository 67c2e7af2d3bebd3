"""What holds of every manifest that is shown with its secrets hidden."""

import json
import re

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from strategies import SETTINGS

from s3export.domain.masking import MASK, masked, masked_difference

secrets = st.text(
    st.one_of(
        st.sampled_from("ab \"'#:,{}[]\\|>-&*!?%@` =ü日\t"),
        st.characters(codec="utf-8", exclude_characters="\r\n"),
    ),
    min_size=4,
    max_size=24,
)
"""Passwords on one line: any characters, those that mean something in YAML likely."""

words = st.text(
    st.sampled_from("abcdefgXYZ0123456789"), min_size=4, max_size=12
).filter(lambda word: word.lower() not in "password passwd pincode")
names = st.sampled_from(
    [
        "trueCryptPassword",
        "pinCode",
        "TrueCrypt_Password",
        "PIN-CODE",
        "pin code",
        "old passwd",
        "pin",
        "p i n",
    ]
)

BEFORE = "manifestVersion: 2.0\ndeviceId: HD001\n"
AFTER = "operations:\n  - exportBucket: foo-bucket\n    prefix: a\n"


def double(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def single(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


ONE_LINE = {
    "block": "{name}: {plain}\n",
    "no blank": "{name}:{plain}\n",
    "blank before the colon": "{name} : {plain}\n",
    "double quoted": "{name}: {double}\n",
    "single quoted": "{name}: {single}\n",
    "raw in quotes": '{name}: "{plain}"\n',
    "quoted name": '"{name}": {plain}\n',
    "comment": "# {name}: {plain}\n",
    "comment at the end": "fileSystem: EXT4  # {name}: {plain}\n",
    "list item": "- {name}: {plain}\n",
    "flow": "{{{name}: {double}, fileSystem: EXT4}}\n",
    "JSON": '{{"deviceId": "x", "{name}": {double}, "fileSystem": "EXT4"}}\n',
    "tag": "{name}: !!str {double}\n",
    "CR LF": "{name}: {plain}\r\n",
    "explicit name": "? {name}\n: {plain}\n",
}
SEVERAL_LINES = {
    "literal": "{name}: |\n  {first}\n  {second}\n",
    "folded": "{name}: >-\n  {first}\n\n  {second}\n",
    "plain": "{name}: {first}\n  {second}\n",
    "on the next line": "{name}:\n    {first} {second}\n",
    "double quoted": '{name}: "{first}\n  {second}"\n',
    "double quoted, not indented": '{name}: "{first}\n{second}: x"\n',
    "single quoted": "{name}: '{first}\n  {second}'\n",
    "list item": "- {name}: |\n    {first}\n    {second}: x\n",
    "comment": "# {name}: |\n#   {first}\n#   {second}: x\n",
    "JSON": '{{\n"{name}":\n"{first} {second}"\n}}\n',
    "flow": "x: {{{name}: {first}\n{second}: y, z: a}}\n",
    "alias": "x: &a {first}{second}\n{name}: *a\n",
    "behind a comment": "{name}:\n# why\n  {first} {second}\n",
    "as a list": "{name}:\n- {first}\n- {second}\n",
}


@pytest.mark.parametrize("form", ONE_LINE)
@SETTINGS
@given(name=names, secret=secrets)
@example(name="trueCryptPassword", secret="a: b # c")
@example(name="pinCode", secret="\"'\"'")
@example(name="pinCode", secret="\u2003\u2003\u2003\u2003")
def test_no_secret_is_shown(form: str, name: str, secret: str) -> None:
    """Whatever it consists of, however it is written; and no line comes or goes."""
    text = BEFORE + ONE_LINE[form].format(
        name=name, plain=secret, double=double(secret), single=single(secret)
    )
    text += AFTER
    rest = MASK + masked(text.replace(secret, "").replace(double(secret), '"wxyz"'))
    assume(secret.strip(" \t") == secret and secret not in rest)

    shown = masked(text)

    assert secret not in shown
    assert MASK in shown
    assert len(re.findall(r"\r\n|\r|\n", shown)) == len(re.findall(r"\r\n|\r|\n", text))


@pytest.mark.parametrize("form", ONE_LINE)
@SETTINGS
@given(name=names, secret=words)
def test_what_surrounds_a_secret_is_shown(form: str, name: str, secret: str) -> None:
    """The lines before and behind it are as they were."""
    text = ONE_LINE[form].format(
        name=name, plain=secret, double=double(secret), single=single(secret)
    )
    assume(secret not in BEFORE + AFTER)

    shown = masked(BEFORE + text + AFTER)

    assert shown.startswith(BEFORE) and shown.endswith(AFTER)


@pytest.mark.parametrize("form", SEVERAL_LINES)
@SETTINGS
@given(name=names, first=words, second=words)
def test_no_part_of_a_long_secret_is_shown(
    form: str, name: str, first: str, second: str
) -> None:
    """Not one of its lines, and what follows it is shown."""
    text = SEVERAL_LINES[form].format(name=name, first=first, second=second)
    rest = BEFORE + name + AFTER + MASK
    assume(first not in rest and second not in rest)

    shown = masked(BEFORE + text + AFTER)

    assert first not in shown and second not in shown
    assert shown.startswith(BEFORE) and shown.endswith(AFTER)
    assert shown.count("\n") == (BEFORE + text + AFTER).count("\n")


words_of_yaml = ["trueCryptPassword", "pinCode", '"pinCode"', "k", "x: ", "SECRET", "a"]
blanks = [":", ": ", ":\n", " ", "  ", "\n", "\n  ", "\n    ", "\r\n", "\t", "\x85"]
marks = ["- ", "? ", "\n: ", "{", "}", "[", "]", ",", ", ", "|", "|-", ">", "|2"]
others = ["#", " # ", "# ", '"', "'", "\\", "''", "!!str ", "&a ", "*a", "---\n", "="]
pieces = st.lists(
    st.one_of(
        st.sampled_from(words_of_yaml),
        st.sampled_from(blanks),
        st.sampled_from(marks),
        st.sampled_from(others),
    ),
    min_size=2,
    max_size=16,
)
beginnings = st.sampled_from(["", "x: 1\n", "{ a: b, ", "- ", " "])
values = st.sampled_from([":", ": ", ":\n", ": |\n ", ": >\n  ", ": '", ': "'])


def secrets_of(node: yaml.Node, under: bool = False) -> list[str]:
    """Return the scalars below the names of secrets, as PyYAML reads them."""
    if isinstance(node, yaml.ScalarNode):
        return [node.value] if under else []
    if isinstance(node, yaml.SequenceNode):
        return [text for item in node.value for text in secrets_of(item, under)]
    found = []
    for name, value in node.value:
        key = name.value.lower() if isinstance(name, yaml.ScalarNode) else ""
        secret = under or "password" in key or "pincode" in key
        found += secrets_of(value, secret)
    return found


@settings(SETTINGS, max_examples=600)
@given(beginnings, st.sampled_from(["pinCode", '"pinCode"']), values, pieces)
def test_what_a_yaml_parser_takes_for_a_secret_is_hidden(
    beginning: str, name: str, value: str, rest: list[str]
) -> None:
    """However oddly it is written, in blocks, in brackets, quoted or in between."""
    text = beginning + name + value + "".join(rest)
    try:
        root = yaml.compose(text)
        found = secrets_of(root) if root else []
    except (yaml.YAMLError, ValueError, RecursionError):
        return

    for secret in found:
        if 0 < secret.count("SECRET") == text.count("SECRET"):
            assert "SECRET" not in masked(text)


@SETTINGS
@given(secret=secrets, name=names)
def test_a_secret_is_hidden_wherever_else_it_stands(secret: str, name: str) -> None:
    """In a comment, in another field, before and behind its own."""
    secret = secret.strip()
    assume(len(secret) >= 4 and "\\" not in secret)
    text = f"generator: {secret}\n{name}: {single(secret)}\n# it was {secret}!\n"
    assume(secret not in f"generator: \n{name}: {MASK}\n# it was {MASK}!\n")

    assert secret not in masked(text)


@SETTINGS
@given(st.text(max_size=200))
def test_a_text_without_secrets_is_shown_as_it_is(text: str) -> None:
    """Of whatever characters and line ends it is made."""
    letters = re.sub(r"[\s_-]", "", text.lower())
    assume("pass" not in letters and "pin" not in letters)

    assert masked(text) == text


@SETTINGS
@given(st.text(st.sampled_from("pinPIN pasword:=\n\r\t\"'{}[],#-|>&*!a1"), max_size=80))
def test_any_text_can_be_masked(text: str) -> None:
    """Lines are neither added nor removed, whether or not it is YAML."""
    breaks = re.findall(r"\r\n|\r|\n", text)

    assert re.findall(r"\r\n|\r|\n", masked(text)) == breaks


def test_a_short_secret_is_hidden_in_its_place_only() -> None:
    """Elsewhere three digits are chance."""
    shown = masked("pinCode: 123\ndeviceId: HD123\n")

    assert shown == f"pinCode: {MASK}\ndeviceId: HD123\n"


def test_the_fields_beside_a_secret_are_shown() -> None:
    """Names that only look like a PIN's or a password's hide nothing."""
    text = "shippingAddress: x\npinewood: y\nspin: z\npinCode: 0123\nfileSystem: EXT4\n"

    assert masked(text) == text.replace("0123", MASK)


@pytest.mark.parametrize("quote", ["", '"', "'"])
def test_an_empty_secret_hides_no_other_field(quote: str) -> None:
    """The next field is not its value."""
    shown = masked(f"pinCode: {quote}{quote}\nfileSystem: EXT4\n")

    assert "fileSystem: EXT4" in shown


def test_a_changed_secret_is_seen_to_have_changed() -> None:
    """Both lines look the same, and one replaces the other."""
    lines = masked_difference("a: 1\npinCode: 1111\n", "a: 1\npinCode: 2222\n")

    assert lines == (
        "@@ -1,2 +1,2 @@",
        " a: 1",
        f"-pinCode: {MASK}",
        f"+pinCode: {MASK}",
    )


def test_a_difference_has_two_lines_around_it() -> None:
    """As a unified diff, without the lines that are far from it."""
    old = "".join(f"field{number}: x\n" for number in range(9))

    lines = masked_difference(old, old.replace("field4: x", "field4: y"))

    assert lines == (
        "@@ -3,5 +3,5 @@",
        " field2: x",
        " field3: x",
        "-field4: x",
        "+field4: y",
        " field5: x",
        " field6: x",
    )


@SETTINGS
@given(st.lists(st.text("ab: #", max_size=6), max_size=8))
def test_line_ends_and_byte_order_marks_are_no_difference(lines: list[str]) -> None:
    """What differs in nothing else is equal."""
    unix = "".join(f"{line}\n" for line in lines)

    assert masked_difference(unix, "\ufeff" + unix.replace("\n", "\r\n")) == ()
    assert masked_difference("\ufeff" + unix, unix) == ()


@SETTINGS
@given(words, words)
def test_a_difference_shows_neither_the_old_secret_nor_the_new(
    old: str, new: str
) -> None:
    """Not even where one manifest has the other's secret in another place."""
    assume(old not in new and new not in old)
    assume(old not in "generator pinCode" and new not in "generator pinCode")
    before = f"pinCode: {old}\ngenerator: x {new}\n"
    after = f"pinCode: {new}\ngenerator: x {old}\n"

    shown = "\n".join(masked_difference(before, after))

    assert old not in shown and new not in shown
    assert shown.count("-") >= 2
