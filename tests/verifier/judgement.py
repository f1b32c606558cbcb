"""Judges the entries of a log in their order (log-format.md, "How an entry is judged")."""

import hashlib

import authority
import findings
import sshsig
from document import read_document, split_text
from enrolment import check_enrolment
from fault import Fault
from kinds import happens_in_extract
from state import State


def vault_link(vault):
    """Link 0."""
    return hashlib.sha256(f"keymuster/{vault}\n".encode()).hexdigest()


def next_link(link, digest):
    """The link after one, made of the digest of the document."""
    return hashlib.sha256(f"{link} {digest}\n".encode()).hexdigest()


def head(vault, number, link):
    return f"keymuster/{vault}\n{number}\n{link}\n".encode()


class Judgement:
    """What the entries come to that were judged so far, all without a fault.

    `take` judges the next entry, or raises the Fault of it; nothing may be judged after that.
    """

    def __init__(self, vault, extract=False):
        self.vault = vault
        self.extract = extract
        self.state = State()
        self.number = 0
        self.link = vault_link(vault)
        self.documents = {}  # by the entry's number, of those that are shown
        self.withheld = 0
        self.signatures = []
        self._findings = []  # pairs of an entry's number and a kind
        self._counters = findings.Counters()

    def withhold(self, digest):
        """Takes the next entry as withheld: of its document there is only the digest."""
        self.number += 1
        self.link = next_link(self.link, digest)
        self.withheld += 1

    def take_text(self, text):
        """Judges the next entry, of which there is the whole text, as in a vault."""
        document, armours = split_text(text)
        signers = read_document(document).signers
        if len(signers) != len(armours):
            raise Fault("form", "there aren't as many signatures as signers")
        # If a signer is named twice, that is a fault before any signature is asked for.
        self.take(document, dict(zip(signers, armours)).get)

    def take(self, octets, armour_of):
        """Judges the next entry.

        `octets` is its document. `armour_of` takes the name of a signer and gives the armour of
        their signature in bytes, or None if there is none that may be looked at.
        """
        number = self.number + 1
        document = read_document(octets)
        self._check_place(document, number)
        self._check_events(document, number)
        authority.check_signers(self.state, document)
        link = next_link(self.link, hashlib.sha256(octets).hexdigest())
        signatures = self._verify(document, head(self.vault, number, link), armour_of)
        found = list(findings.of_signers(self.state, document))
        if number > 1:
            rule = authority.Authority(self.state, document, self.extract)
            for event in document.events:
                rule.check(event)
        for event in document.events:
            found += self._happen(event, document)
        if number == 1:
            authority.check_founding(self.state, document)
        found += self._counters.of_entry(document, signatures)

        self.number, self.link = number, link
        self.documents[number] = document
        self.signatures += signatures
        self._findings += [(number, kind) for kind in found]

    def findings(self, now):
        """All findings of the log: pairs of an entry's number and a kind, in their order."""
        numbers = list(self.documents)
        times = [document.time for document in self.documents.values()]
        of_times = [(numbers[place], kind) for place, kind in findings.of_times(times, now)]
        return sorted(self._findings + of_times, key=lambda finding: finding[0])

    def _check_place(self, document, number):
        if document.vault != self.vault:
            raise Fault("vault", "the document is of another vault")
        if document.number != number:
            raise Fault("number", f"the document is of entry {document.number}")
        if document.previous != self.link:
            raise Fault("link", "the document follows another past")

    def _check_events(self, document, number):
        if not document.events:
            raise Fault("event", "there is no event")
        if number == 1 and document.events[0]["kind"] != "vault-created":
            raise Fault("event", "the log doesn't begin with vault-created")
        application = sshsig.application(self._demo(document))
        for event in document.events:
            if event["kind"] == "key-enrolled":
                check_enrolment(event, application)

    def _demo(self, document):
        """Whether the vault is a demo; in entry 1, what that says."""
        return self.state.demo if self.state.vault else document.events[0]["demo"]

    def _verify(self, document, entry_head, armour_of):
        policy = self.state.policy if self.state.vault else document.events[0]
        space = sshsig.namespace(self._demo(document))
        signatures = []
        public_keys = authority.public_keys(self.state, document)
        for signer, public_key in zip(document.signers, public_keys):
            armour = armour_of(signer)
            if armour is None:
                raise Fault("signature", f"there is no signature of {signer}")
            signatures.append(sshsig.verify(
                armour,
                public_key,
                entry_head,
                space,
                policy["user_verification"] == "required",
            ))
        return signatures

    def _happen(self, event, document):
        """Makes an event happen, and gives back what is odd about it."""
        if self.extract and not happens_in_extract(event["kind"]):
            return []
        found = list(findings.before_event(self.state, event))
        self.state.happen(event, document)
        return found + list(findings.after_event(self.state, event))
