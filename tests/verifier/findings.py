"""What is odd about an entry and no fault (log-format.md, "Findings")."""

from bisect import bisect_right
from typing import NamedTuple

from state import ACTIVE, DAYS, owner_of

_ABOUT_CUSTODY = ("key-handed-over", "bag-sealed", "bag-opened")


def of_signers(state, document):
    """What is odd about the signers of a document, by the state before it."""
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


class _Counted(NamedTuple):
    """A signature of a key, as it came into the log."""

    entry: int  # with which it came
    counter: int
    mark: int  # of the key from then on


class Counters:
    """The counters of the keys. It is told each signature, as they come into the log."""

    def __init__(self):
        self._counted = {}  # of each key, its signatures

    def of_signature(self, name, counter, known, entry):
        """What is odd about the counter of a signature that comes with that entry.

        `known` is the number of the last entry that its signer knew.
        """
        counted = self._counted.setdefault(name, [])
        came_later = bisect_right(counted, known, key=lambda one: one.entry)
        mark = counted[came_later - 1].mark if came_later else 0
        is_low = counter <= mark and bool(counter or mark)
        is_repeated = counter != 0 and any(one.counter == counter for one in counted[came_later:])
        now = counter if is_low or not counted else max(counter, counted[-1].mark)
        counted.append(_Counted(entry, counter, now))
        if is_low or is_repeated:
            yield "counter"


class SignedHeads:
    """The heads that each key signed, in the namespace of heads."""

    def __init__(self):
        self._links = {}  # of each key and number

    def of_signature(self, name, number, link):
        """Whether the same key signed another head of that number before."""
        links = self._links.setdefault((name, number), set())
        if links - {link}:
            yield "two-heads"
        links.add(link)


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
