"""Judges the entries of a log in their order (log-format.md, "How an entry is judged")."""

from typing import NamedTuple

import authority
import findings
import sshsig
from document import Part, read_text
from enrolment import check_enrolment
from fault import Fault
from beside import Foundations, check_transcript
from kinds import happens_in_extract
from links import head, next_link
from slips import Past
from state import State


class _Placed(NamedTuple):
    """A part of an entry in its place."""

    part: Part
    link: str  # that its document makes
    known: int  # the number of the last entry that its signers knew
    space: bytes  # the namespace of its signatures


class Judgement:
    """What the entries come to that were judged so far, all without a fault.

    `take` judges the next entry, or raises the Fault of it; nothing may be judged after that.
    """

    def __init__(self, vault, extract=False):
        self.vault = vault
        self.extract = extract
        self.state = State()
        self.number = 0
        self.entries = {}  # by their numbers, those that are shown
        self.withheld = 0
        self.signatures = []
        self._findings = []  # pairs of an entry's number and a kind
        self._past = Past(vault)
        self._foundations = Foundations()
        self._counters = findings.Counters()
        self._signed_heads = findings.SignedHeads()

    @property
    def link(self):
        """The link of the last entry."""
        return self._past.links[-1]

    def withhold(self, digest):
        """Takes the next entry as withheld: of its document there is only the digest."""
        self.number += 1
        self._past.withhold(digest)
        self.withheld += 1

    def take_text(self, text):
        """Judges the next entry, of which there is the whole text, as in a vault."""
        self.take(read_text(text))

    def take(self, entry):
        """Judges the next entry."""
        number = self.number + 1
        self._check_place(entry.own.document, number)
        admitted = self._past.admit(entry, self.state.policy)
        self._check_events(entry, number)
        for part in entry.parts:
            authority.check_signers(self.state, part.document)
        placed = self._place(entry, admitted)
        signatures = [self._verify(entry, *one) for one in placed]
        if number > 1:
            self._check_authority(entry)
        self._foundations.check(placed[:-1])
        if not self.extract:
            for part in entry.parts:
                check_transcript(part.document)
        found = []
        for document, occasion in entry.occasions():
            found += findings.of_signers(self.state, document)
            for event in document.events:
                found += self._happen(event, occasion)
        if number == 1:
            authority.check_founding(self.state, entry.own.document)
        for one, made in zip(placed, signatures):
            found += self._look_at_signatures(number, one, made)

        self.number = number
        self._past.links.append(placed[-1].link)
        self.entries[number] = entry
        self._foundations.note(entry.events, number)
        self.signatures += [signature for made in signatures for signature in made]
        self._findings += [(number, kind) for kind in found]

    def findings(self, now):
        """All findings of the log: pairs of an entry's number and a kind, in their order."""
        numbers = list(self.entries)
        times = [entry.time for entry in self.entries.values()]
        of_times = [(numbers[place], kind) for place, kind in findings.of_times(times, now)]
        return sorted(self._findings + of_times, key=lambda finding: finding[0])

    def _check_place(self, document, number):
        if document.vault != self.vault:
            raise Fault("vault", "the document is of another vault")
        if document.number != number:
            raise Fault("number", f"the document is of entry {document.number}")
        if document.previous != self.link:
            raise Fault("link", "the document follows another past")

    def _check_events(self, entry, number):
        own = entry.own.document
        if not own.events and not entry.slips:
            raise Fault("event", "there is no event")
        # An entry that only took in slips says nothing itself, also where it lost its number.
        if not all(slip.document.events or slip.document.slips for slip in entry.slips):
            raise Fault("event", "there is no event in a slip")
        if number == 1 and own.events[0]["kind"] != "vault-created":
            raise Fault("event", "the log doesn't begin with vault-created")
        application = sshsig.application(self._demo(entry))
        for event in entry.events:
            if event["kind"] == "key-enrolled":
                check_enrolment(event, application)

    def _demo(self, entry):
        """Whether the vault is a demo; in entry 1, what that says."""
        return self.state.demo if self.state.vault else entry.events[0]["demo"]

    def _place(self, entry, admitted):
        """The parts of the entry, in their order. `admitted` are its slips."""
        demo = self._demo(entry)
        slips = [
            _Placed(part, slip.link, slip.follows, _space_of_slip(part, demo))
            for part, slip in zip(entry.slips, admitted)
        ]
        link = next_link(self.link, entry.own.document.digest)
        return [*slips, _Placed(entry.own, link, self.number, sshsig.namespace(demo))]

    def _verify(self, entry, part, link, _, space):
        """Verifies all signatures under a document of the entry."""
        policy = self.state.policy if self.state.vault else entry.events[0]
        document = part.document
        signatures = []
        public_keys = authority.public_keys(self.state, document)
        for signer, public_key in zip(document.signers, public_keys):
            armour = part.armour_of(signer)
            if armour is None:
                raise Fault("signature", f"there is no signature of {signer}")
            signatures.append(sshsig.verify(
                armour,
                public_key,
                head(self.vault, document.number, link),
                space,
                policy["user_verification"] == "required",
            ))
        return signatures

    def _check_authority(self, entry):
        """Whether the signers suffice for all events, before any of them happens."""
        for document, occasion in entry.occasions():
            rule = authority.Authority(self.state, document, occasion.signers, self.extract)
            for event in document.events:
                rule.check(event)

    def _happen(self, event, occasion):
        """Makes an event happen, and gives back what is odd about it."""
        if self.extract and not happens_in_extract(event["kind"]):
            return []
        found = list(findings.before_event(self.state, event))
        self.state.happen(event, occasion)
        if event["kind"] == "head-abandoned":
            self._past.abandon(event)
        return found + list(findings.after_event(self.state, event))

    def _look_at_signatures(self, number, placed, signatures):
        """What is odd about genuine signatures under a document, in the order of signers."""
        document = placed.part.document
        signs_heads = placed.space == sshsig.namespace(self.state.demo)
        for name, signature in zip(document.signers, signatures):
            yield from self._counters.of_signature(name, signature.counter, placed.known, number)
            if signs_heads:
                yield from self._signed_heads.of_signature(name, document.number, placed.link)


def _space_of_slip(slip, demo):
    """The namespace of a slip's signatures: that of heads if the first of them is of it."""
    armour = slip.armour_of(slip.document.signers[0])
    heads = sshsig.namespace(demo)
    if armour is not None and sshsig.namespace_of(armour) == heads:
        return heads
    return sshsig.slip_namespace(demo)
