"""The blank after a field's colon, put in where a manifest leaves it out.

AWS's own template and the guide's samples write ``key:value``, which to YAML is a text
and no field; the service took it. How it did so is not documented. Here the names of
the guide's manifest references are fields at the beginning of a line or of a list's
item, with or without the blank; any other name needs it. What lies within a value (a
block, a text in quotes, brackets, lines indented below a text) is not touched, nor is
a comment.
"""

import re

_NAMES = (
    # of every manifest
    "manifestVersion|generator|accessKeyId|deviceId|fileSystem|serviceLevel|logBucket|"
    "logPrefix|notificationEmail|trueCryptPassword|pinCode|targetDirectory|"
    "recoveryDirectory|operations|substitutions|"
    "exportBucket|prefix|beginMarker|endMarker|"
    # of its address and customs
    "returnAddress|name|company|street[123]|city|stateOrProvince|postalCode|"
    "phoneNumber|country|customs|dataDescription|encryptedData|"
    "encryptionClassification|exportCertifierName|requiresExportLicense|deviceValue|"
    "deviceCountryOfOrigin|deviceType|deviceHTS|typeOfExport|"
    # of imports, which the service reads, too
    "bucket|eraseDevice|acl|cacheControl|contentDisposition|contentLanguage|"
    "contentTypes|diskTimestampMetadataKey|expires|ignore|"
    "setContentEncodingForGzFiles|staticMetadata|storageClass|destination|source|"
    "region|deviceCapacityGreaterThan1TB|vaultName|archiveComment"
)
_INDENT = re.compile(r" *(?:- +)*")
_FIELD = re.compile(rf"(?:{_NAMES}) *:(?=\S)")
_KEY = re.compile(
    r""" (?: "(?:[^"\\]|\\.)*"[ \t]* | '(?:[^']|'')*'[ \t]* | [^\s"'\#\[{].*? )
         :(?=\s|$)[ \t]* """,
    re.VERBOSE,
)
_PROPERTIES = re.compile(r"(?:[!&]\S*[ \t]+)*(?:[!&]\S*$)?")  # a tag, an anchor


def with_blanks(text: str) -> str:
    """Return the text with ``key: value`` for ``key:value``; lines stay lines."""
    value = _Value()
    return "".join(value.read(line) for line in text.splitlines(keepends=True))


class _Value:
    """The value that the lines read so far end with, which may go on.

    Attributes:
        column: Of the field that has it; lines indented further belong to the value.
            ``None``: no value has begun.
        quote: The quotation mark that is still to come.
        depth: How many brackets are still to be closed.
    """

    def __init__(self) -> None:
        self.column: int | None = None
        self.quote = ""
        self.depth = 0

    def read(self, line: str) -> str:
        """Read the next line, and return it with its blank."""
        bare = line.lstrip(" ")
        if self.quote or self.depth:
            self._follow(line)
            return line
        if bare.strip() == "":
            return line
        if self.column is not None and len(line) - len(bare) > self.column:
            return line
        indent = _INDENT.match(line)
        assert indent is not None  # it matches nothing, too
        start = indent.end()
        if field := _FIELD.match(line, start):
            line = f"{line[: field.end()]} {line[field.end() :]}"
        if key := _KEY.match(line, start):
            self._begin(line[key.end() :], start)
        else:
            self._begin(line[start:], len(line) - len(bare))
        return line

    def _begin(self, value: str, column: int) -> None:
        properties = _PROPERTIES.match(value.rstrip())
        assert properties is not None  # it matches nothing, too
        value = value[properties.end() :]
        if value.strip() == "" or value.startswith("#"):
            self.column = None  # the lines below may be fields
            return
        self.column = column
        if value[0] in "\"'[{":
            self._follow(value)

    def _follow(self, text: str) -> None:
        """Follow quotes and brackets to the end of a line, or to where all closed."""
        before, position = "[", 0  # a quotation mark opens where an item may begin
        while position < len(text):
            character, following = text[position], text[position + 1 : position + 2]
            position += 1
            if self.quote:
                if character == "\\" and self.quote == '"':
                    position += 1
                elif character == following == self.quote == "'":
                    position += 1  # two of them stand for one
                elif character == self.quote:
                    self.quote = ""
            elif character == "#" and text[position - 2 : position - 1].isspace():
                return
            elif character in "\"'" and before in "[{,:":
                self.quote = character
            elif character in "[{":
                self.depth += 1
            elif character in "]}":
                self.depth -= 1
            if not self.quote and not self.depth:
                return
            if not character.isspace():
                before = character
