"""The types of values and how each is written (log-format.md, "Values"; events.md, "Types").

A value was read from a document already: it is a str, an int, a bool, a Time, or a list of
these. Each type has a function that tells whether a value is one of it.
"""

import base64
import binascii
import calendar
import re

U32_MAX = 2**32 - 1
I64_MAX = 2**63 - 1

HANDLE = "[a-z0-9][a-z0-9-]{0,31}"
KEY_NAME = f"{HANDLE}/{HANDLE}"


class Time(int):
    """A moment: the seconds since 1970-01-01T00:00:00Z."""

    @property
    def day(self):
        """The days since 1970-01-01."""
        return self // 86400


_TIME = re.compile("([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z")


def read_time(text):
    """The Time that the text writes, or None if it writes none of the years 2000 to 9999."""
    match = _TIME.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second = map(int, match.groups())
    if year < 2000 or not 1 <= month <= 12 or hour > 23 or minute > 59 or second > 59:
        return None
    if not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    return Time(calendar.timegm((year, month, day, hour, minute, second)))


# Base64

def read_base64(text):
    """The bytes that the text stands for, or None if it isn't their one spelling."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return octets if base64.b64encode(octets).decode() == text else None


# Lines of text

def _characters(table):
    """The inside of a character class of a regular expression: "0000-001F 00AD" and so on."""
    ranges = (item.partition("-") for item in table.split())
    return "".join(
        f"\\U{int(first, 16):08x}-\\U{int(last or first, 16):08x}" for first, _, last in ranges
    )


WHITE_SPACE = _characters(
    "0009-000D 0020 0085 00A0 1680 2000-200A 2028 2029 202F 205F 3000"
)
FORBIDDEN = _characters(
    "0000-001F 007F-009F 00AD 034F 061C 115F-1160 17B4-17B5 180B-180F 200B 200E-200F"
    " 2028-202E 2060-206F 2800 3164 FE00-FE0E FEFF FFA0 FFF0-FFFB 1BCA0-1BCA3 1D173-1D17A"
    " E0000-E0FFF"
)
JOINING = _characters("0600-0DFF 1000-109F 1780-18AF")
PICTURES = _characters(
    "00A9 00AE 203C 2049 2122 2139 2190-21FF 2300-27BF 2900-297F 2B00-2BFF 3030 303D 3297 3299"
    " 1F000-1FAFF"
)
EMOJI_SELECTOR = "\ufe0f"
JOINER = "\u200d"
NON_JOINER = "\u200c"

_NO_LINE = re.compile(f"[{FORBIDDEN}]|\\A[{WHITE_SPACE}]|[{WHITE_SPACE}]\\Z")
_JOINING = re.compile(f"[{JOINING}]")
_PICTURE = re.compile(f"[{PICTURES}]")
_SHOWS_ONLY_SOMEWHERE = re.compile(f"[{EMOJI_SELECTOR}{JOINER}{NON_JOINER}]")


def _each_shows(text):
    """Whether each selector, joiner and non-joiner stands where it shows."""
    before = ""
    for place, character in enumerate(text):
        after = text[place + 1:place + 2]
        pictures = [bool(_PICTURE.match(one)) for one in (before, after)]
        joining = [bool(_JOINING.match(one)) for one in (before, after)]
        if character == EMOJI_SELECTOR and (not pictures[0] or after == EMOJI_SELECTOR):
            return False
        if character == JOINER and not (all(pictures) or all(joining)):
            return False
        if character == NON_JOINER and not all(joining):
            return False
        if character != EMOJI_SELECTOR:
            before = character
    return True


def is_line(value):
    return (
        type(value) is str
        and 1 <= len(value) <= 500
        and not _NO_LINE.search(value)
        and (not _SHOWS_ONLY_SOMEWHERE.search(value) or _each_shows(value))
    )


def is_tag(value):
    return is_line(value) and len(value) <= 128 and not set(value) & {",", ";"}


# People and how to reach them

_ATOM = "[A-Za-z0-9!#$%&'*+\\-/=?^_`{|}~]+"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_EMAIL = re.compile(f"({_ATOM}(?:\\.{_ATOM})*)@{_LABEL}(?:\\.{_LABEL})+")
_TELEPHONE = re.compile("\\+[0-9]+(?: [0-9]+)*")


def is_email(value):
    if type(value) is not str or len(value) > 254:
        return False
    match = _EMAIL.fullmatch(value)
    return bool(match) and len(match[1]) <= 64


def is_telephone(value):
    if type(value) is not str or not _TELEPHONE.fullmatch(value):
        return False
    return 7 <= sum(character.isdigit() for character in value) <= 15


def is_contact(value):
    """E-MAIL, or NAME <E-MAIL>, either with a blank and TELEPHONE behind it or without."""
    if type(value) is not str:
        return False
    if "<" in value:
        name, _, rest = value.partition(" <")
        email, closed, rest = rest.partition(">")
        if not closed or not is_line(name) or "<" in name:
            return False
    else:
        email, blank, rest = value.partition(" ")
        rest = blank + rest
    return is_email(email) and (not rest or rest[0] == " " and is_telephone(rest[1:]))


# All types

def _matches(pattern):
    expression = re.compile(pattern)
    return lambda value: type(value) is str and bool(expression.fullmatch(value))


def _integer(least, most):
    return lambda value: type(value) is int and least <= value <= most


def is_bytes(value):
    return type(value) is str and read_base64(value) is not None


def is_public_key(value):
    """The type in front and base64 behind it. What the base64 holds isn't looked at."""
    if type(value) is not str:
        return False
    kind, blank, encoded = value.partition(" ")
    return (
        kind in PUBLIC_KEY_TYPES and bool(blank) and len(encoded) <= 1024 and is_bytes(encoded)
    )


_SECRET_VALUE = re.compile(f"{HANDLE}\\.([1-9][0-9]{{0,9}})")


def is_secret_value(value):
    match = type(value) is str and _SECRET_VALUE.fullmatch(value)
    return bool(match) and int(match[1]) <= U32_MAX


PUBLIC_KEY_TYPES = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")

TYPES = {
    "boolean": lambda value: type(value) is bool,
    "time": lambda value: type(value) is Time,
    "u32": _integer(0, U32_MAX),
    "count": _integer(1, U32_MAX),
    "u64": _integer(0, I64_MAX),
    "i64": _integer(-I64_MAX - 1, I64_MAX),
    "handle": _matches(HANDLE),
    "key-name": _matches(KEY_NAME),
    "device": _matches(f"{KEY_NAME}|{HANDLE}"),
    "part": _matches(f"{HANDLE}={HANDLE}"),
    "secret-value": is_secret_value,
    "line": is_line,
    "tag": is_tag,
    "digest": _matches("[0-9a-f]{64}"),
    "vault-id": _matches("[0-9a-f]{32}"),
    "salt": _matches("[0-9a-f]{32}"),
    "aaguid": _matches("[0-9a-f]{32}"),
    "fingerprint": _matches("[0-9a-f]{32}"),
    "bytes": is_bytes,
    "public-key": is_public_key,
    "recipient": _matches("age1[a-z0-9]{58}"),
    "email": is_email,
    "telephone": is_telephone,
    "contact": is_contact,
}
