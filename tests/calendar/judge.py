"""Reads the calendar of a demo vault with a parser that isn't ours, and holds it against what
`keymuster schedule list` says: every obligation is an event of whole days, on the day on which it is
due, with alarms before it.

    judge.py KEYMUSTER DEMO
"""

import json
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

from icalendar import Calendar


def told(keymuster: str, demo: Path, *words: str) -> bytes:
    on = ["--vault", demo / "vault", "--identity", demo / "reader.identity"]
    return subprocess.run([keymuster, "schedule", *words, *on], check=True, capture_output=True).stdout


def main(keymuster: str, demo: Path) -> None:
    text = told(keymuster, demo, "ics")
    assert all(len(line) <= 75 for line in text.split(b"\r\n")), "a line is too long"
    calendar = Calendar.from_ical(text)
    assert calendar["VERSION"] == "2.0" and calendar["PRODID"], calendar
    events = list(calendar.walk("VEVENT"))
    assert not any(component.errors for component in calendar.walk()), "not all of it was understood"
    uids = [str(event["UID"]) for event in events]
    assert len(set(uids)) == len(uids), "a UID stands twice"

    schedule = json.loads(told(keymuster, demo, "list", "--all", "--json"))
    expected = {}
    for one in schedule["obligations"]:
        name = one["obligation"].replace(" ", ".").replace("/", "_")
        for slot in one["slots"]:
            if slot["fate"] != "ended":
                expected[f"{name}.{slot['number']}"] = (one, slot)
    found = {uid.rsplit(".", 1)[0]: event for uid, event in zip(uids, events)}
    assert found.keys() == expected.keys(), f"{found.keys()} and not {expected.keys()}"

    for name, event in found.items():
        one, slot = expected[name]
        starts, ends = event.decoded("DTSTART"), event.decoded("DTEND")
        assert type(starts) is date and type(ends) is date, f"{name} isn't of whole days"
        assert starts == date.fromisoformat(slot["due"]), name
        assert ends == starts + timedelta(days=1), name
        assert int(event["SEQUENCE"]) >= slot["moves"], name
        assert one["title"] in str(event["SUMMARY"]), name
        assert one["command"] in str(event["DESCRIPTION"]), name
        alarms = [alarm.decoded("TRIGGER") for alarm in event.walk("VALARM")]
        if slot["fate"] == "open":
            assert min(alarms) < timedelta(0) < max(alarms), f"{name}: {alarms}"
        else:
            assert not alarms, f"{name} is closed, and has alarms"
    print(f"{len(events)} events: each is what the schedule says")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
