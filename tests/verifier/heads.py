"""Heads that somebody kept elsewhere, and what they say of the end of a log (log-format.md)."""

import re
from typing import NamedTuple

from links import vault_link
from values import I64_MAX

_HEAD = re.compile(rb"keymuster/([0-9a-f]{32})\n(0|[1-9][0-9]{0,18})\n([0-9a-f]{64})\n")
_LONGEST = 200


class Head(NamedTuple):
    file: str
    vault: str
    number: int
    link: str


class HeadError(Exception):
    """A file that was given as a head is none."""


def read_head(path):
    try:
        with open(path, "rb") as file:
            match = _HEAD.fullmatch(file.read(_LONGEST))
    except OSError as error:
        raise HeadError(f"{path}: {error.strerror}") from None
    if not match or int(match[2]) > I64_MAX:
        raise HeadError(f"{path} is no head")
    return Head(str(path), match[1].decode(), int(match[2]), match[3].decode())


def completeness(bundle, heads):
    """The verdict of completeness.

    Where heads contradict the log, it names the first entry of which one does, and all such
    heads; where the log is anchored, the last entry that is, and the heads of that.
    """
    for head in heads:
        if head.vault != bundle.vault:
            raise HeadError(f"{head.file} has the head of another vault")
    links = bundle.links({head.number for head in heads})
    links[0] = vault_link(bundle.vault)
    contradicting = [
        head for head in heads if head.link != links.get(head.number)
    ]
    if contradicting:
        entry = min(head.number for head in contradicting)
        return _verdict("contradicted", entry, contradicting)
    entry = max((head.number for head in heads), default=0)
    if entry == 0:
        return {"verdict": "unanchored"}
    return _verdict("anchored", entry, [head for head in heads if head.number == entry])


def _verdict(verdict, entry, heads):
    return {"verdict": verdict, "entry": entry, "by": [head.file for head in heads]}
