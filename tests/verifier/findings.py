"""What is odd about an entry and no fault (log-format.md, "Findings")."""

from state import ACTIVE, DAYS, owner_of

_ABOUT_CUSTODY = ("key-handed-over", "bag-sealed", "bag-opened")


def of_signers(state, document):
    """What is odd about the signers, by the state before the entry."""
    told = {event["key"] for event in document.events if event["kind"] in _ABOUT_CUSTODY}
    for name in document.signers:
        if name in state.keys and name not in told:
            key = state.keys[name]
            if key.holder != owner_of(name):
                yield "held-by-another"
            if key.bag is not None:
                yield "out-of-its-bag"


def before_event(state, event):
    """What is odd about an event, by the state just before it."""
    if event["kind"] == "policy-changed":
        policy = state.policy
        if (policy["user_verification"] == "required"
                and event.get("user_verification") == "waived"):
            yield "policy-loosened"
        for name in DAYS:
            if name != "warn_days" and event.get(name, 0) > policy[name]:
                yield "policy-loosened"
        if policy["duties"] and event.get("duties") == []:
            yield "policy-loosened"
    elif event["kind"] == "bag-opened":
        if event["key"] in state.keys and event["bag"] != state.keys[event["key"]].bag:
            yield "other-bag"
        if not event["intact"]:
            yield "broken-seal"


def after_event(state, event):
    """What is odd about an event, by the state right after it."""
    if event["kind"] in ("key-lost", "key-compromised") and event["key"] in state.keys:
        key = state.keys[event["key"]]
        claimed = any(claim.reporter == event["reporter"] for claim in key.claims)
        if key.state == ACTIVE and claimed:
            yield "only-claimed"


class Counters:
    """The counters of the keys, as of their last signatures."""

    def __init__(self):
        self._last = {}

    def of_entry(self, document, signatures):
        """What is odd about the counters in the signatures, in the order of signers."""
        for name, signature in zip(document.signers, signatures):
            before = self._last.get(name, 0)
            self._last[name] = signature.counter
            if signature.counter <= before and (signature.counter or before):
                yield "counter"


def of_times(times, now):
    """What is odd about the times of the entries that are shown: pairs of a place and a kind."""
    latest = None
    last_with_latest = None
    for place, time in enumerate(times):
        if latest is not None and time < latest:
            yield place, "time-goes-back"
        else:
            latest, last_with_latest = time, place
    if latest is not None and latest > now:
        yield last_with_latest, "ahead-of-the-clock"
