#!/usr/bin/env python3
"""Verifies bundles of a signed log, by log-format.md, events.md and schedule.md alone.

For each bundle it prints one line of JSON: what is wrong, the verdicts, and what was counted.
"""

import argparse
import datetime
import json
import sys
import time

from bundle import Bundle, NoBundle
from fault import DENIED_VERDICT, Fault
from heads import HeadError, completeness, read_head
from judgement import Judgement
from schedule import fates, schedule
from values import Time, read_time

VERDICTS = ("integrity", "authorship", "authority")
FATES = ("early", "done", "late", "missed", "waived", "ended", "open")


def judge(bundle_path, now=None, day=None, heads=(), population=False):
    """Judges a bundle, and gives back what the command prints of it, as a dict.

    `now` is written like 2026-11-28T12:00:00Z (None: by the clock), `day` like 2026-11-28 (None:
    the day of now). `heads` are paths of heads that were kept elsewhere. Raises ValueError or
    HeadError where one of these isn't so, but nothing because of what is in a bundle.
    """
    now = Time(time.time()) if now is None else _moment(now)
    today = now.day if day is None else _moment(f"{day}T00:00:00Z").day
    heads = [read_head(path) for path in heads]
    result = {
        "bundle": str(bundle_path),
        "no_bundle": None,
        "fault": None,
        "damage": [],
        "head": None,
        "verdicts": None,
        "counts": None,
        "findings": [],
    }
    if population:
        result.update(population=None, moves=None, standings=None)
    try:
        bundle = Bundle(bundle_path)
    except NoBundle as reason:
        result["no_bundle"] = str(reason)
        return result

    judgement, fault = _judge_entries(bundle)
    files = 0
    obligations = None
    if fault is None:
        result["damage"], files = bundle.look_at_files(judgement)
        if not judgement.extract:
            obligations = schedule(list(judgement.entries.values()), now, today)
    else:
        entry = judgement.number + 1
        result["fault"] = {"entry": entry, "rule": fault.rule, "reason": fault.reason}
    result["head"] = {"number": judgement.number, "link": judgement.link}
    result["verdicts"] = {
        **_verdicts(judgement, fault, result["damage"]),
        "completeness": completeness(bundle, heads),
        "coverage": _coverage(obligations, today),
    }
    result["counts"] = _counts(judgement, files)
    result["findings"] = [
        {"entry": number, "kind": kind} for number, kind in judgement.findings(now)
    ]
    if population and obligations is not None:
        result.update(_population(obligations))
    return result


def _moment(text):
    moment = read_time(text)
    if moment is None:
        raise ValueError(f"{text} isn't a time")
    return moment


def _judge_entries(bundle):
    """Judges the entries up to the first fault, and gives that back, too."""
    numbers = range(1, len(bundle.digests) + 1)
    withheld = {number for number in numbers if bundle.is_withheld(number)}
    judgement = Judgement(bundle.vault, extract=bool(withheld))
    for number in numbers:
        if number in withheld:
            judgement.withhold(bundle.digests[number - 1])
            continue
        try:
            judgement.take(bundle.entry(number))
        except Fault as fault:
            return judgement, fault
    return judgement, None


def _verdicts(judgement, fault, damage):
    """The verdicts of integrity, authorship and authority."""
    if fault is not None:
        verdicts = {
            verdict: {"verdict": "unjudged", "up_to": judgement.number} for verdict in VERDICTS
        }
        verdicts[DENIED_VERDICT[fault.rule]] = {"verdict": "no"}
        return verdicts
    verdicts = {
        verdict: {"verdict": "partial" if judgement.extract else "yes"} for verdict in VERDICTS
    }
    if damage:
        verdicts["integrity"] = {"verdict": "no"}
    return verdicts


def _coverage(obligations, today):
    if obligations is None:
        return {"verdict": "unjudged"}
    became = fates(obligations)
    overdue = sum(obligation.standing.state == "overdue" for obligation in obligations)
    return {
        "verdict": "no" if overdue else "yes",
        "on": str(datetime.date(1970, 1, 1) + datetime.timedelta(days=today)),
        "obligations": len(obligations),
        "overdue": overdue,
        **{fate: became[fate] for fate in FATES},
    }


def _counts(judgement, files):
    return {
        "entries": judgement.number,
        "withheld": judgement.withheld,
        "signatures": len(judgement.signatures),
        "user_verified": sum(signature.user_verified for signature in judgement.signatures),
        "keys": sum(
            event["kind"] == "key-enrolled"
            for entry in judgement.entries.values() for event in entry.events
        ),
        "events": sum(len(entry.events) for entry in judgement.entries.values()),
        "files": files,
    }


def _population(obligations):
    """All slots, those that moved and how often, and how each obligation stands."""
    slots = [(one.name, slot) for one in obligations for slot in one.slots]
    return {
        "population": [
            [name, slot.number, slot.opened, slot.due, slot.fate, slot.fate_day]
            for name, slot in slots
        ],
        "moves": [[name, slot.number, slot.moves] for name, slot in slots if slot.moves],
        "standings": [[one.name, *one.standing] for one in obligations],
    }


def main():
    parser = argparse.ArgumentParser(description="Verifies bundles of a signed log.")
    parser.add_argument("bundles", metavar="BUNDLE", nargs="+")
    parser.add_argument("--now", metavar="TIME", help="like 2026-11-28T12:00:00Z")
    parser.add_argument("--day", metavar="DATE", help="of the coverage, like 2026-11-28")
    parser.add_argument("--heads", metavar="FILE", action="append", default=[])
    parser.add_argument(
        "--population", action="store_true",
        help="tell all slots, those that moved, and how all obligations stand; days are counted "
        "from 1970-01-01",
    )
    options = parser.parse_args()
    for path in options.bundles:
        try:
            result = judge(path, options.now, options.day, options.heads, options.population)
        except (ValueError, HeadError) as error:
            print(f"verify.py: {error}", file=sys.stderr)
            return 2
        print(json.dumps(result, sort_keys=True), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
