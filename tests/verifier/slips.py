"""Which slips may be admitted, and what was given up (log-format.md, "Slips")."""

from typing import NamedTuple

from fault import Fault
from links import next_link, vault_link

SECONDS_OF_A_DAY = 86400
MOST_SECONDS_AHEAD = 86400


class Admitted(NamedTuple):
    """A slip that was admitted."""

    number: int  # that of its document
    link: str
    follows: int  # the number of the entry that it follows


class Past:
    """What slips are held against: the links of the log, of slips, and of what was given up.

    As everything else of a judgement, it isn't put back where an entry turns out to be faulty.
    """

    def __init__(self, vault):
        self._vault = vault
        self._has_withheld = False
        self.links = [vault_link(vault)]  # link 0 first
        self._admitted = {}  # by their links
        self._abandoned = set()

    def withhold(self, digest):
        """Takes the next entry as withheld."""
        self.links.append(next_link(self.links[-1], digest))
        self._has_withheld = True

    def admit(self, entry, policy):
        """Admits the slips of the next entry, or raises a Fault of slip.

        `policy` is that after the entry before. Gives back what was admitted, in the order in
        which the entry names it.
        """
        return [self._admit(slip.document, entry.time, policy) for slip in entry.slips]

    def abandon(self, event):
        """Makes a head-abandoned happen, or refuses it."""
        number, link = event["number"], event["link"]
        if link in self.links[number:number + 1]:
            raise Fault("event", "what it gives up is an entry of the log")
        if link in self._admitted:
            raise Fault("event", "what it gives up was admitted")
        if link in self._abandoned:
            raise Fault("event", "it was given up already")
        self._abandoned.add(link)

    def _admit(self, document, time, policy):
        if document.vault != self._vault:
            raise Fault("slip", "a slip is of another vault")
        if document.number < 2:
            raise Fault("slip", "a slip is of no entry that could follow another")
        follows = self._followed_by(document)
        if follows is None:
            raise Fault("slip", "a slip follows neither the log nor a slip that was admitted")
        link = next_link(document.previous, document.digest)
        if link in self.links[document.number:document.number + 1]:
            raise Fault("slip", "a slip is an entry of the log")
        if link in self._admitted:
            raise Fault("slip", "a slip was admitted before")
        if link in self._abandoned:
            raise Fault("slip", "a slip was given up")
        # In the first entry, where there is no policy yet, there is nothing that one could follow.
        if time - document.time > policy["slip_days"] * SECONDS_OF_A_DAY:
            raise Fault("slip", "a slip is too old")
        if document.time - time > MOST_SECONDS_AHEAD:
            raise Fault("slip", "a slip is too far ahead")
        self._admitted[link] = Admitted(document.number, link, follows)
        return self._admitted[link]

    def _followed_by(self, document):
        """The number of the entry that a slip follows, or None where it follows nothing known."""
        before = document.number - 1
        if document.previous in self.links[before:before + 1]:
            return before
        slip = self._admitted.get(document.previous)
        if slip:
            return slip.follows if slip.number == before else None
        # What it follows may be a slip of an entry that is withheld.
        known = document.previous in self._abandoned or document.previous in self.links
        return 0 if self._has_withheld and not known else None
