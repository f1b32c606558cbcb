"""What was to be done and what became of it (schedule.md, "Exactly").

A day is a whole number, the days since 1970-01-01. An obligation is known by a tuple of the words
of its name, such as ("sign-in", "prod", "phone").
"""

from bisect import bisect_right
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import NamedTuple

from state import ACTIVE, REPORTED, RETIRED, SUSPENDED, PAPER, State

MOST_SLOTS = 3700

# The fields of the policy that say how often what recurs is to be done.
EVERY = {
    "key-check": "check_days",
    "sign-in": "check_days",
    "totp": "check_days",
    "acknowledgement": "acknowledgement_days",
    "contacts": "contacts_days",
    "mailbox": "contacts_days",
    "phone": "contacts_days",
}
RUNBOOK = "runbook"
ACTION = "action"

# Events after which no other obligation is owed than before.
_OWES_NOTHING = {
    "key-checked", "duties-acknowledged", "custodian-changed", "key-moved", "token-moved",
    "contacts-reviewed", "mailbox-tested", "phone-tested", "sign-in-proven", "totp-checked",
    "secret-opened", "drill-step", "drill-exception", "drill-interrupted", "part-taken",
    "evidence-kept", "waiver-given", "action-opened", "action-closed", "slip-endorsed",
    "head-abandoned",
}


# Spans

@dataclass
class Span:
    begin: int
    end: int = None
    done: list = field(default_factory=list)  # the days of the entries noted in it
    due: int = None  # the day that an action-opened says


class Waiver(NamedTuple):
    given: int
    until: int

    def covers(self, due, seen_on):
        return self.given <= seen_on and self.until > due


class Rule(NamedTuple):
    day: int
    every: int  # None for work, which doesn't recur
    warn: int
    grace: int


class Rules:
    """The rules of an obligation, in the order of the log."""

    def __init__(self, rules):
        self._rules = rules
        self._days = [rule.day for rule in rules]

    def on(self, day):
        """R(day): the last rule on a day up to that, or the first if there is none."""
        return self._rules[max(bisect_right(self._days, day) - 1, 0)]

    def changes(self):
        """The rules but the first of all."""
        return self._rules[1:]


class History:
    """What the schedule asks of the past and the state doesn't keep."""

    def __init__(self):
        self.sealed_to = set()  # the keys that identities were sealed to, with the recipients
        self.epochs = {}  # of each compartment, its epochs with their recipients
        self.whose = {}  # of each recipient that somebody ever had, their handle

    def note(self, event, state):
        """Notes an event that has just happened."""
        kind = event["kind"]
        if kind in ("custodian-added", "recipient-changed"):
            self.whose[event["recipient"]] = event["custodian"]
        elif kind == "reader-added":
            self.whose[event["recipient"]] = event["reader"]
        elif kind == "identity-sealed" and event["slot"] != PAPER:
            name = f"{event['custodian']}/{event['slot']}"
            self.sealed_to.add((name, state.copies[name].recipient))
        elif kind == "compartment-sealed":
            recipients = set(state.compartments[event["compartment"]].recipients.values())
            self.epochs.setdefault(event["compartment"], []).append((event["epoch"], recipients))

    def who_opens(self, value):
        """The recipients that open a value of a secret."""
        return set().union(*(
            recipients for epoch, recipients in self.epochs[value.compartment]
            if epoch >= value.epoch
        ))


def _is_astray(key):
    return key.state in (SUSPENDED, REPORTED) or key.state == RETIRED and bool(key.claims)


def _recipients_astray(state, history):
    sealed = {
        recipient for name, recipient in history.sealed_to if _is_astray(state.keys[name])
    }
    return sealed | {recipient for _, recipient in state.papers}


def _is_outdated(state, compartment):
    now = {member: state.recipient(member) for member in state.members(compartment)}
    return bool(state.openers(compartment)) and now != state.compartments[compartment].recipients


def _secrets_open_to_others(state, history, astray):
    """The secrets within reach of recipients that are astray, or of people who aren't members."""
    opens = {}  # of each value, who opens it
    opens_seed = {}  # of each fingerprint, who opens any value that has it
    for secret in state.secrets.values():
        for value in secret.values:
            if value not in opens:
                opens[value] = history.who_opens(value)
            if value.fingerprint is not None:
                opens_seed.setdefault(value.fingerprint, set()).update(opens[value])
    members = {name: set(state.members(name)) for name in state.compartments}
    for name, secret in state.secrets.items():
        value = secret.values[-1]
        reach = opens[value] | opens_seed.get(value.fingerprint, set())
        people = {history.whose[recipient] for recipient in reach}
        if reach & astray or people - members[value.compartment]:
            yield name


def _owed(state, history):
    """All that is owed by the state, but for corrective actions."""
    astray = _recipients_astray(state, history)
    owed = set()
    for name, key in state.keys.items():
        if key.state == ACTIVE:
            owed.add(("key-check", name))
        if key.holder not in state.custodians and key.state != REPORTED:
            owed.add(("take-back", name))
    for name, custodian in state.custodians.items():
        owed.add(("acknowledgement", name))
        if custodian.recipient in astray:
            owed.add(("new-identity", name))
    for name, account in state.accounts.items():
        if state.on_record(name):
            owed |= _owed_of_account(state, name, account)
    for name, runbook in state.runbooks.items():
        if not runbook.withdrawn and runbook.every_days is not None:
            owed.add((RUNBOOK, name))
    for name in state.compartments:
        if _is_outdated(state, name):
            owed.add(("rekey", name))
    for name in _secrets_open_to_others(state, history, astray):
        owed.add(("replace", name))
    for name, drill in state.drills.items():
        if drill.ended_by is None:
            owed.add(("drill", name))
        elif not drill.reviewed and set(drill.roles) - (drill.roster.keys() & drill.last_roster):
            owed.add(("review", name))
    return owed


def _owed_of_account(state, name, account):
    owed = {("contacts", name)}
    if account.email is not None:
        owed.add(("mailbox", name))
    if account.phone is not None:
        owed.add(("phone", name))
    for device in account.devices:
        is_token = "/" not in device
        if is_token:
            owed.add(("totp", name, device))
        elif state.keys[device].state != ACTIVE:
            owed.add(("deregister", device, name))
        if account.credentials and (is_token or state.keys[device].state == ACTIVE):
            owed.add(("sign-in", name, device))
    return owed


def _restarts(event, state):
    """The obligations that an event restarts, by the state just before it."""
    if event["kind"] == "root-user-changed":
        account = state.accounts[event["account"]]
        if "email" in event and account.email not in (None, event["email"]):
            yield "mailbox", event["account"]
        if "phone" in event and account.phone not in (None, event["phone"]):
            yield "phone", event["account"]
    elif event["kind"] == "policy-changed" and "duties" in event:
        if event["duties"] != state.policy["duties"]:
            for custodian in state.custodians:
                yield "acknowledgement", custodian


def _done(entry, state):
    """The obligations that are done by an entry, by the state after it."""
    for part in entry.parts:
        for signer in part.document.signers:
            yield "key-check", signer
    for event in entry.events:
        kind = event["kind"]
        passed = event.get("outcome") == "passed"
        if kind == "duties-acknowledged":
            yield "acknowledgement", event["custodian"]
        elif kind in ("contacts-reviewed", "mailbox-tested", "phone-tested") and passed:
            for account in event["accounts"]:
                yield kind.partition("-")[0], account
        elif kind == "sign-in-proven" and passed and "device" in event:
            for account in event["accounts"]:
                yield "sign-in", account, event["device"]
        elif kind == "totp-checked" and passed:
            yield "totp", event["account"], event["token"]
        elif kind == "drill-finished" and passed:
            yield RUNBOOK, state.drills[event["drill"]].runbook


class _Replay:
    """Goes through the entries once more, for spans, rules and waivers."""

    def __init__(self):
        self.spans = {}  # of each obligation
        self.waivers = {}  # by the obligation's name
        self.policies = []  # number of the entry, and the policy right after an event of it
        self.adoptions = {}  # of each runbook, number of the entry and every_days
        self.entry_days = {}  # by the entry's number
        self._state = State()
        self._history = History()
        self._owed = set()

    def take(self, entry, day):
        number = entry.number
        self.entry_days[number] = day
        restarted = []
        happening = [
            (event, occasion)
            for document, occasion in entry.occasions() for event in document.events
        ]
        for event, occasion in happening:
            kind = event["kind"]
            restarted += _restarts(event, self._state)
            self._state.happen(event, occasion)
            self._history.note(event, self._state)
            if kind in ("vault-created", "policy-changed"):
                self.policies.append((number, self._state.policy))
            elif kind == "runbook-adopted" and "every_days" in event:
                adoptions = self.adoptions.setdefault(event["runbook"], {})
                adoptions[number] = event["every_days"]
            elif kind == "waiver-given":
                waivers = self.waivers.setdefault(event["obligation"], [])
                waivers.append(Waiver(day, event["until"].day))
            elif kind == "action-opened":
                self._begin((ACTION, event["action"]), day, event["due"].day)
            elif kind == "action-closed":
                self._end((ACTION, event["action"]), day)
        for obligation in restarted:
            if self._last_unended(obligation):
                self._end(obligation, day)
                self._begin(obligation, day)
        if any(event["kind"] not in _OWES_NOTHING for event, _ in happening):
            owed = _owed(self._state, self._history)
            for obligation in owed - self._owed:
                self._begin(obligation, day)
            for obligation in self._owed - owed:
                self._end(obligation, day)
            self._owed = owed
        for obligation in set(_done(entry, self._state)):
            span = self._last_unended(obligation)
            if span:
                span.done.append(day)

    def _last_unended(self, obligation):
        spans = self.spans.get(obligation)
        return spans[-1] if spans and spans[-1].end is None else None

    def _begin(self, obligation, day, due=None):
        self.spans.setdefault(obligation, []).append(Span(day, due=due))

    def _end(self, obligation, day):
        span = self._last_unended(obligation)
        if span:
            span.end = day

    def rules(self, obligation):
        """The rules of an obligation."""
        family = obligation[0]
        if family != RUNBOOK:
            every = EVERY.get(family)
            return Rules([
                Rule(
                    self.entry_days[number],
                    policy[every] if every else None,
                    policy["warn_days"],
                    policy["grace_days"],
                )
                for number, policy in self.policies
            ])
        policies = dict(self.policies)  # of each entry, the policy after it
        adoptions = self.adoptions[obligation[1]]
        every_days = next(iter(adoptions.values()))
        policy = None
        rules = []
        for number in sorted(policies.keys() | adoptions.keys()):
            policy = policies.get(number, policy)
            every_days = adoptions.get(number, every_days)
            rules.append(Rule(
                self.entry_days[number], every_days, policy["warn_days"], policy["grace_days"]
            ))
        return Rules(rules)


# Slots

@dataclass
class Slot:
    number: int
    opened: int
    due: int
    warn: int
    grace: int
    since: int
    by: int = None
    repeated: bool = False
    moves: int = 0
    fate: str = "open"
    fate_day: int = None

    def move(self, due):
        self.moves += due != self.due
        self.due = due

    def close(self, fate, day=None):
        self.fate, self.fate_day = fate, day


class _Recurring:
    """Makes the slots of what recurs, through all spans of an obligation."""

    def __init__(self, rules, waivers, due_at_once):
        self._rules = rules
        self._waivers = waivers
        self._last_until = max((waiver.until for waiver in waivers), default=None)
        self._due_at_once = due_at_once
        self._number = 0
        self._slot = None
        self.slots = deque(maxlen=MOST_SLOTS)

    def go_through(self, span, today):
        """Makes the slots of a span, up to today."""
        last = today if span.end is None else span.end
        self._open(span.begin, self._rules.on(span.begin - 1))
        if self._due_at_once:
            self._slot.due = self._slot.by = span.begin
        changes = {}
        for rule in self._rules.changes():
            if span.begin <= rule.day <= last:
                changes.setdefault(rule.day, []).append(rule)
        # Only on these days anything happens but that slots run out.
        done = set(span.done)
        for day in sorted({span.begin, last, *changes, *done}):
            self._run_out(day)
            for rule in changes.get(day, []):
                self._hold(rule, day)
            if day in done:
                self._act(day, day in changes)
        if span.end is not None:
            self._slot.close("ended", span.end)

    def _open(self, day, rule):
        self._number += 1
        self._slot = Slot(
            self._number, day, day + rule.every, rule.warn, rule.grace, since=day
        )
        self.slots.append(self._slot)

    def _run_out(self, day):
        """Closes what ran out up to that day, since the last day on which anything happened.

        No other rule began to hold on a day between these, so the rule is the same for all.
        """
        rule = self._rules.on(day - 1)
        while day > self._slot.due + self._slot.grace:
            slot = self._slot
            seen_on = slot.due + slot.grace
            until = max(
                (waiver.until for waiver in self._waivers if waiver.covers(slot.due, seen_on)),
                default=None,
            )
            if until is None:
                slot.close("missed")
                self._open(slot.due, rule)
                self._pass_over_missed(day)
            else:
                slot.close("waived", until)
                self._open(slot.due, rule)
                self._slot.due = min(self._slot.due, until)
                self._slot.by = until

    def _pass_over_missed(self, day):
        """Passes over slots that are missed before that day and aren't told, being too many.

        The present slot was just opened after one that was missed; those that follow it are like
        it, as far as no waiver covers them.
        """
        slot = self._slot
        if self._last_until is not None and self._last_until > slot.due:
            return
        every = slot.due - slot.opened
        missed = (day - slot.due - slot.grace - 1) // every
        if missed > 2 * MOST_SLOTS:
            count = missed - MOST_SLOTS
            self._number += count
            slot.number += count
            slot.opened += count * every
            slot.since += count * every
            slot.due += count * every

    def _hold(self, rule, day):
        """Another rule holds from that day on."""
        slot = self._slot
        if slot.due >= day:
            due = max(slot.since + rule.every, day)
            slot.move(due if slot.by is None else min(due, slot.by))
            slot.warn, slot.grace = rule.warn, rule.grace

    def _act(self, day, rule_changed):
        """People do it on that day."""
        slot = self._slot
        rule = self._rules.on(day)
        if day >= slot.due or 2 * (day - slot.opened) >= min(slot.due - slot.opened, rule.every):
            if day > slot.due and not _is_excused(self._waivers, slot.due, day):
                slot.close("late", day)
            else:
                slot.close("early" if day < slot.due - slot.warn else "done", day)
            self._open(day, rule)
            self._slot.moves += rule_changed
        else:
            slot.move(day + rule.every)
            slot.since, slot.by, slot.repeated = day, None, True


def _is_excused(waivers, due, day):
    """Whether what is done on a day after its due isn't late, because of a waiver."""
    return any(waiver.until >= day and waiver.covers(due, day) for waiver in waivers)


def _slots_of_work(spans, rules, waivers):
    slots = []
    for number, span in enumerate(spans[:MOST_SLOTS], 1):
        due = span.begin if span.due is None else max(span.begin, span.due)
        rule = rules.on(due)
        slot = Slot(number, span.begin, due, rule.warn, rule.grace, since=span.begin)
        if span.end is not None:
            late = span.end > due and not _is_excused(waivers, due, span.end)
            slot.close("late" if late else "done", span.end)
        slots.append(slot)
    return slots


# The standing

class Standing(NamedTuple):
    state: str
    day: int
    until: int  # of what is waived
    last_done: int  # None if it never was


class Obligation:
    """One of the schedule: its name, its slots, and how it stands today."""

    def __init__(self, words, spans, rules, waivers, today):
        self.name = " ".join(words)
        self._today = today
        self._waivers = waivers
        if words[0] in EVERY or words[0] == RUNBOOK:
            recurring = _Recurring(rules, waivers, due_at_once=words[0] == "acknowledgement")
            for span in spans:
                recurring.go_through(span, today)
            self.slots = list(recurring.slots)
        else:
            self.slots = _slots_of_work(spans, rules, waivers)
        self.standing = self._stand(max((day for span in spans for day in span.done), default=None))

    def _stand(self, last_done):
        slot = self.slots[-1]
        if slot.fate != "open":
            return Standing("over", slot.due, None, last_done)
        state, day = self._unless_waived(slot)
        untils = []
        if state in ("due", "late", "overdue"):
            untils += [
                waiver.until for waiver in self._waivers if waiver.covers(day, self._today)
            ]
        before = self.slots[-2] if len(self.slots) > 1 else None
        if before and before.fate == "waived" and not slot.repeated:
            untils.append(before.fate_day)
        until = max((until for until in untils if until >= self._today), default=None)
        return Standing(state if until is None else "waived", day, until, last_done)

    def _unless_waived(self, slot):
        """The state, and its day, without regard to waivers."""
        first_missed = None
        if not slot.repeated:
            for before in reversed(self.slots[:-1]):
                if before.fate != "missed":
                    break
                first_missed = before
        if first_missed:
            return "overdue", first_missed.due
        if self._today > slot.due + slot.grace:
            return "overdue", slot.due
        if self._today > slot.due:
            return "late", slot.due
        if self._today >= slot.due - slot.warn:
            return "due", slot.due
        return "later", slot.due


# The schedule

def entry_days(times, now):
    """The day on which each entry counts."""
    days = []
    earliest = now
    for time in reversed(times):
        earliest = min(earliest, time)
        days.append(earliest.day)
    return days[::-1]


def schedule(entries, now, today):
    """All obligations of the schedule of a day, by their names.

    `entries` are those of a log without a fault, none of them withheld.
    """
    replay = _Replay()
    for entry, day in zip(entries, entry_days([one.time for one in entries], now)):
        if day > today:
            break
        replay.take(entry, day)
    obligations = []
    for words, spans in replay.spans.items():
        waivers = replay.waivers.get(" ".join(words), [])
        obligations.append(Obligation(words, spans, replay.rules(words), waivers, today))
    return sorted(obligations, key=lambda obligation: obligation.name)


def fates(obligations):
    """How many slots each fate became."""
    return Counter(slot.fate for obligation in obligations for slot in obligation.slots)
