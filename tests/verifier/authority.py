"""Who may sign an entry and who must (log-format.md, from "How an entry is judged" on)."""

from fault import Fault
from state import ACTIVE, RECORDS, SEEDS, SUSPENDED, owner_of, parts

_ONE_CUSTODIAN = {
    "custodian-changed", "key-moved", "account-changed", "token-moved", "contacts-reviewed",
    "mailbox-tested", "phone-tested", "sign-in-proven", "totp-checked", "secret-stored",
    "action-opened", "action-closed", "drill-step", "drill-exception", "drill-interrupted",
    "part-taken", "evidence-kept", "slip-endorsed",
}
_QUORUM = {
    "policy-changed", "custodian-added", "custodian-left", "reader-added", "reader-removed",
    "key-retired", "members-chosen", "compartment-sealed", "account-added", "account-removed",
    "root-user-changed", "device-linked", "device-unlinked", "runbook-adopted",
    "runbook-withdrawn", "waiver-given", "head-abandoned",
}
_EVERYBODY_IN = {
    "key-handed-over": ("giver", "taker"),
    "bag-sealed": ("sealer", "witness"),
    "bag-opened": ("opener", "witness"),
    "secret-opened": ("opener",),
    "duties-acknowledged": ("custodian",),
    "drill-reviewed": ("reviewer",),
}
_EVERYBODY_IN_ROSTER = {"drill-started", "drill-finished", "drill-abandoned"}


def check_signers(state, document):
    """There is a signer of a document, none is named twice, and each may sign here."""
    signers = document.signers
    if not signers:
        raise Fault("signers", "nobody signed")
    if len(set(signers)) != len(signers):
        raise Fault("signers", "a signer is named twice")
    enrolled = _enrolled(document)
    only_restores = not document.slips and {"key-restored"} == {
        event["kind"] for event in document.events
    }
    for name in signers:
        key = state.keys.get(name)
        if key is None:
            may_sign = name in enrolled
        else:
            may_sign = key.state == ACTIVE or key.state == SUSPENDED and only_restores
        if not may_sign:
            raise Fault("signers", f"{name} may not sign here")


def public_keys(state, document):
    """The public key lines of the signers, who may sign, in their order."""
    enrolled = _enrolled(document)
    return [
        state.keys[name].public_key if name in state.keys else enrolled[name]["public_key"]
        for name in document.signers
    ]


def _enrolled(document):
    """The key-enrolled of a document by the key's name; of one name, the last."""
    return {event["key"]: event for event in document.events if event["kind"] == "key-enrolled"}


class Authority:
    """Judges whether the signers suffice for what a document says, by the state before the entry.

    `signers` are the keys that sign for its events: under it, and under what endorses it.
    """

    def __init__(self, state, document, signers, extract):
        self._state = state
        self._signers = signers
        # A name that is unknown is among them only where what it signed enrols it.
        self._enrolled = {name for name in signers if name not in state.keys}
        self._extract = extract
        self._signing = self._owners(ACTIVE)

    def check(self, event):
        """Whether the signers suffice for an event, by a Fault of authority if not."""
        if not self._suffice(event):
            raise Fault("authority", f"the signers don't suffice for {event['kind']}")

    def _owners(self, *states):
        """The custodians of whom a key in one of these states is among the signers."""
        keys = self._state.keys
        return {
            owner_of(name) for name in self._signers
            if name in keys and keys[name].state in states
        } & self._state.custodians.keys()

    def _is_quorum(self, signing):
        return len(signing) >= self._state.quorum

    def _suffice(self, event):
        kind = event["kind"]
        if kind in _ONE_CUSTODIAN:
            return bool(self._signing)
        if kind in _QUORUM:
            return self._is_quorum(self._signing)
        if kind in _EVERYBODY_IN:
            return {event[field] for field in _EVERYBODY_IN[kind]} <= self._signing
        if kind in _EVERYBODY_IN_ROSTER:
            return {person for _, person in parts(event["roster"])} <= self._signing
        if kind == "key-checked":
            key = self._state.keys.get(event["key"])
            return event["key"] in self._signers and key is not None and key.state == ACTIVE
        if kind == "key-enrolled":
            return event["key"] in self._signers and self._is_quorum(self._signing)
        if kind in ("identity-sealed", "recipient-changed"):
            return self._custodian_speaks(event) and self._is_quorum(self._signing)
        if kind in ("key-lost", "key-compromised"):
            return self._report_suffices(event)
        if kind == "key-restored":
            return self._is_quorum(self._owners(ACTIVE, SUSPENDED))
        if kind == "secret-replaced":
            return self._replacement_suffices(event)
        return False  # vault-created, which happens in the first entry only

    def _custodian_speaks(self, event):
        """Whether the custodian of an identity signs, be it with a key that is enrolled here."""
        custodian = event["custodian"]
        if custodian in self._signing:
            return True
        new = {name for name in self._enrolled if owner_of(name) == custodian}
        if event["kind"] == "identity-sealed" and f"{custodian}/{event['slot']}" in new:
            return True
        return bool(new) and custodian not in self._state.able()

    def _report_suffices(self, event):
        reporter = event["reporter"]
        if reporter not in self._signing:
            return False
        own = reporter == owner_of(event["key"])
        return own or not self._state.custodians[reporter].overruled or len(self._signing) >= 2

    def _replacement_suffices(self, event):
        if self._extract:
            return bool(self._signing)
        if self._is_quorum(self._signing):
            return True
        secret = self._state.secrets.get(event["secret"])
        if secret is None:
            return False
        openers = self._state.openers(secret.values[-1].compartment)
        return bool(self._signing & openers & self._state.openers(event["compartment"]))


def check_founding(state, document):
    """Whether the signers of the first entry founded the vault, by the state after it."""
    signing = {owner_of(name) for name in document.signers}
    able = state.able()
    if not state.custodians:
        raise Fault("authority", "there is no custodian")
    for event in document.events:
        if event["kind"] == "custodian-added":
            custodian = event["custodian"]
            if custodian not in signing or custodian not in able:
                raise Fault("authority", f"{custodian} didn't sign, or has no active key")
        if event["kind"] == "key-enrolled" and event["key"] not in document.signers:
            raise Fault("authority", f"{event['key']} didn't sign")
    for compartment in (RECORDS, SEEDS):
        if compartment not in state.compartments:
            raise Fault("authority", f"{compartment} isn't sealed")
