"""What a slip may not say behind others' backs (log-format.md, "How an entry is judged", events)."""

from fault import Fault

_OF_MEMBERS = {
    "custodian-added", "custodian-left", "recipient-changed", "reader-added", "reader-removed",
    "key-enrolled", "members-chosen", "compartment-sealed",
}
_ENDS_OF_DRILLS = {"drill-finished", "drill-abandoned"}
_TRANSCRIPT = {"drill-step", "drill-exception", "drill-interrupted", "part-taken", "evidence-kept"}


class Foundations:
    """What sealings rest on, and the entries in which that changed last."""

    def __init__(self):
        self._members = 0
        self._recipients = {}  # by custodian

    def note(self, events, number):
        """Notes what an entry said."""
        for event in events:
            if event["kind"] in _OF_MEMBERS:
                self._members = number
            if event["kind"] in ("custodian-added", "recipient-changed"):
                self._recipients[event["custodian"]] = number

    def check(self, placed):
        """Raises a Fault where a slip seals something of which the ground changed since.

        `placed` are the slips of an entry: with a document, the link that it makes, and the entry
        that it follows: 0 in an extract, where that is withheld. What was known there isn't asked.
        """
        for place, slip in enumerate(placed):
            behind = [
                event for other in placed[:place] if not _follows(placed, slip, other)
                for event in other.part.document.events
            ]
            for event in slip.part.document.events:
                if self._changed(event, slip.known, behind):
                    raise Fault("event", f"{event['kind']}: what it was sealed for changed since")

    def _changed(self, event, known, behind):
        if event["kind"] == "compartment-sealed":
            return 0 < known < self._members or any(it["kind"] in _OF_MEMBERS for it in behind)
        if event["kind"] == "identity-sealed":
            custodian = event["custodian"]
            return 0 < known < self._recipients.get(custodian, 0) or any(
                it["kind"] in ("custodian-added", "recipient-changed")
                and it["custodian"] == custodian
                for it in behind
            )
        return False


def _follows(placed, slip, other):
    """Whether a slip follows another of the same entry, directly or not."""
    previous = slip.part.document.previous
    while True:
        parents = [one for one in placed if one.link == previous]
        if not parents:
            return False
        if parents[0].link == other.link:
            return True
        previous = parents[0].part.document.previous


def check_transcript(document):
    """Whether what a document tells of a drill stands behind the end of that drill in it."""
    ended = set()
    for event in document.events:
        if event["kind"] in _ENDS_OF_DRILLS:
            ended.add(event["drill"])
        elif event["kind"] in _TRANSCRIPT and event["drill"] not in ended:
            raise Fault("event", f"{event['kind']}: the end of its drill isn't in the document")
