"""Reads an entry by the grammar of log-format.md ("An entry's text", "The document").

There is one spelling of each document, so whatever the grammar doesn't have breaks form.
"""

import re
from typing import NamedTuple

from fault import Fault
from kinds import EVENTS, HEADER
from values import Time, read_time

MAX_TEXT_BYTES = 33_554_432
MAX_SIGNATURES = 256

SIGNATURE_BEGIN = b"-----BEGIN SSH SIGNATURE-----\n"
SIGNATURE_END = b"-----END SSH SIGNATURE-----\n"

# No type has a string with more escapes or an integer with more characters.
_MOST_ESCAPES = 500
_LONGEST_INTEGER = 20

_PLAIN = r'[^"\\\x00-\x1f\x7f-\x9f]*'
_SCALAR = re.compile(
    rf'(?P<string>"{_PLAIN}(?:\\["\\]{_PLAIN}){{0,{_MOST_ESCAPES}}}")'
    r"|(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z)"
    r"|(?P<integer>0|-?[1-9][0-9]*)"
    r"|(?P<boolean>true|false)"
)
_ESCAPE = re.compile(r"\\(.)")
_KIND_LINES = {f'kind = "{kind}"': kind for kind in EVENTS}


class Document(NamedTuple):
    """What a document says. An event is a dict of its fields, `kind` among them."""

    vault: str
    number: int
    previous: str
    time: Time
    signers: list
    events: list


def split_text(text):
    """Takes an entry's text apart: the document and the armoured signatures, all in bytes."""
    if len(text) > MAX_TEXT_BYTES:
        raise Fault("form", "the text is too large")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("form", "the text isn't UTF-8") from None
    begin = text.find(b"\n" + SIGNATURE_BEGIN)
    if begin < 0:
        return text, []
    document = text[:begin + 1]
    signatures = []
    begin += 1
    while begin < len(text):
        if not text.startswith(SIGNATURE_BEGIN, begin):
            raise Fault("form", "something stands between or behind the signatures")
        end = text.find(SIGNATURE_END, begin + len(SIGNATURE_BEGIN))
        if end < 0:
            raise Fault("form", "a signature has no end")
        if len(signatures) == MAX_SIGNATURES:
            raise Fault("form", "there are too many signatures")
        end += len(SIGNATURE_END)
        signatures.append(text[begin:end])
        begin = end
    return document, signatures


def read_document(octets):
    """Reads a document, or says why it is none by a Fault of form."""
    try:
        text = octets.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("form", "the document isn't UTF-8") from None
    lines = text.split("\n")
    if lines.pop() != "":
        raise Fault("form", "the document doesn't end with a line feed")
    header = _read_fields(lines[:len(HEADER)], HEADER, "the header")
    if header["format"] != 1:
        raise Fault("form", "it is of another format")
    if header["slips"]:
        raise Fault("form", "there are slips")
    if len(header["signers"]) > MAX_SIGNATURES:
        raise Fault("form", "there are too many signers")
    return Document(
        header["vault"],
        header["number"],
        header["previous"],
        header["time"],
        header["signers"],
        _read_events(lines[len(HEADER):]),
    )


def _read_events(lines):
    if lines == ["event = []"]:
        return []
    if not lines:
        raise Fault("form", "the events are missing")
    events = []
    place = 0
    while place < len(lines):
        if lines[place] or lines[place + 1:place + 2] != ["[[event]]"]:
            raise Fault("form", "an event doesn't begin as it should")
        first = place + 2
        place = first
        while place < len(lines) and lines[place]:
            place += 1
        events.append(_read_event(lines[first:place]))
    return events


def _read_event(lines):
    kind = _KIND_LINES.get(lines[0]) if lines else None
    if kind is None:
        raise Fault("form", "an event is of no known kind")
    return {"kind": kind, **_read_fields(lines[1:], EVENTS[kind], kind)}


def _read_fields(lines, fields, where):
    """The values of the fields, each of which stands in its place on a line of its own."""
    values = {}
    place = 0
    for field in fields:
        key = f"{field.name} = "
        if place < len(lines) and lines[place].startswith(key):
            value = _read_value(lines[place][len(key):])
            if not field.admits(value):
                raise Fault("form", f"{field.name} of {where} isn't of its type")
            values[field.name] = value
            place += 1
        elif not field.optional:
            raise Fault("form", f"{field.name} of {where} is missing or not in its place")
    if place != len(lines):
        raise Fault("form", f"{where} has a line that is none of its fields in their order")
    return values


def _read_value(text):
    if not text.startswith("["):
        value, end = _read_scalar(text, 0)
        if end != len(text):
            raise Fault("form", "something stands behind a value")
        return value
    if text == "[]":
        return []
    values = []
    end = len("[")
    while True:
        value, end = _read_scalar(text, end)
        values.append(value)
        if not text.startswith(", ", end):
            break
        end += len(", ")
    if text[end:] != "]":
        raise Fault("form", "an array isn't written as it should be")
    return values


def _read_scalar(text, begin):
    """The string, integer, boolean or time that begins there, and where it ends."""
    match = _SCALAR.match(text, begin)
    if not match:
        raise Fault("form", "a value isn't written as it should be")
    token = match[0]
    if match.lastgroup == "string":
        value = _ESCAPE.sub(r"\1", token[1:-1])
    elif match.lastgroup == "integer":
        if len(token) > _LONGEST_INTEGER:
            raise Fault("form", "an integer is out of any range")
        value = int(token)
    elif match.lastgroup == "boolean":
        value = token == "true"
    else:
        value = read_time(token)
        if value is None:
            raise Fault("form", "there is no such time")
    return value, match.end()
