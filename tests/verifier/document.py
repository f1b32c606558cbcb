"""Reads an entry by the grammar of log-format.md ("An entry's text", "The document", "Slips").

There is one spelling of each document, so whatever the grammar doesn't have breaks form.
"""

import hashlib
import re
from typing import NamedTuple

from fault import Fault
from kinds import EVENTS, HEADER
from values import Time, read_time

MAX_TEXT_BYTES = 33_554_432
MAX_SIGNATURES = 256
MAX_SLIPS = 256

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

    digest: str  # of its bytes
    vault: str
    number: int
    previous: str
    time: Time
    signers: list
    slips: list  # digests
    events: list


class Part(NamedTuple):
    """A document of an entry, its own or that of a slip, with the signatures under it.

    `armour_of` takes the name of a signer and gives the armour of their signature in bytes, or
    None if there is none that may be looked at.
    """

    document: Document
    armour_of: object


class Occasion(NamedTuple):
    """At which entry the events of a document happen, and which keys sign for them."""

    number: int
    time: Time
    signers: set


class Entry(NamedTuple):
    own: Part
    slips: list  # of parts

    @property
    def number(self):
        return self.own.document.number

    @property
    def time(self):
        return self.own.document.time

    @property
    def parts(self):
        """All of its parts in the order in which they happen."""
        return [*self.slips, self.own]

    @property
    def events(self):
        """All that happens with it, in that order."""
        return [event for part in self.parts for event in part.document.events]

    def occasions(self):
        """The documents in the order in which they happen, each with the occasion of its events."""
        endorsing = {}  # of each digest, who signed that they endorse it
        for document, _ in self.parts:
            for event in document.events:
                if event["kind"] == "slip-endorsed":
                    endorsing.setdefault(event["slip"], set()).update(document.signers)
        # The digest of an entry's own document rests on those of its slips: nothing can endorse it.
        return [
            (document, Occasion(
                self.number,
                self.time,
                endorsing.get(document.digest, set()).union(document.signers),
            ))
            for document, _ in self.parts
        ]


def read_text(text):
    """Reads an entry's whole text: its own document and signatures, then those of its slips."""
    if len(text) > MAX_TEXT_BYTES:
        raise Fault("form", "the text is too large")
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        raise Fault("form", "the text isn't UTF-8") from None
    own, place = _read_part(text, 0)
    slips = []
    for digest in own.document.slips:
        slip, place = _read_part(text, place)
        if slip.document.digest != digest:
            raise Fault("form", "a slip isn't the one that the entry names")
        slips.append(slip)
    if place != len(text):
        raise Fault("form", "something stands behind the last signature")
    return Entry(own, slips)


def _read_part(text, begin):
    """The document that begins there with its signatures, and where these end."""
    place = text.find(b"\n" + SIGNATURE_BEGIN, begin) + 1 or len(text)
    document = read_document(text[begin:place])
    armours = []
    for _ in document.signers:
        if not text.startswith(SIGNATURE_BEGIN, place):
            raise Fault("form", "there aren't as many signatures as signers")
        end = text.find(SIGNATURE_END, place + len(SIGNATURE_BEGIN))
        if end < 0:
            raise Fault("form", "a signature has no end")
        end += len(SIGNATURE_END)
        armours.append(text[place:end])
        place = end
    # If a signer is named twice, that is a fault before any signature is asked for.
    return Part(document, dict(zip(document.signers, armours)).get), place


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
    if len(header["signers"]) > MAX_SIGNATURES:
        raise Fault("form", "there are too many signers")
    if len(header["slips"]) > MAX_SLIPS:
        raise Fault("form", "there are too many slips")
    return Document(
        hashlib.sha256(octets).hexdigest(),
        header["vault"],
        header["number"],
        header["previous"],
        header["time"],
        header["signers"],
        header["slips"],
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
