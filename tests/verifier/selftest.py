"""Tests of the verifier: the documents' examples, the sample bundles, and what must be refused.

`make verifier` runs it, with sample bundles in the folder that BUNDLES names.
"""

import datetime
import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from types import SimpleNamespace
from unittest.mock import patch

import bundle
import ed25519_by_hand as by_hand
import sshsig
from cbor import OTHER, CborError, CborReader
from document import read_document
from enrolment import check_enrolment
from fault import Fault
from findings import Counters
from judgement import Judgement
from links import next_link, vault_link
from logmaker import (
    VAULT, LogMaker, Moment, Signed, SoftKey, authenticator_data, b64, compartment_sealed,
    custodian_added, founded, head_abandoned, mpint, recipient, slip_endorsed, vault_created,
    write_document,
)
from schedule import Obligation, Rule, Rules, Slot, Span, Waiver, entry_days
from state import State
from values import TYPES, Time, read_time
from verify import judge

HERE = os.path.dirname(os.path.abspath(__file__))
DOCS = os.path.join(HERE, "..", "..", "docs")
BUNDLES = os.environ["BUNDLES"]
BUNDLE = os.path.join(BUNDLES, "bundle")
WITH_ATTACHMENTS = os.path.join(BUNDLES, "with-attachments")
EXTRACT = os.path.join(BUNDLES, "extract")
NOW = "2026-12-01T12:00:00Z"


def sample_day(days):
    """So many days after the last entry of the samples."""
    with open(os.path.join(BUNDLE, "entries", "000014.toml"), encoding="utf-8") as file:
        date = re.search("^time = (.{10})T", file.read(), re.MULTILINE)[1]
    return str(datetime.date.fromisoformat(date) + datetime.timedelta(days=days))


SAMPLE_NOW = f"{sample_day(1)}T12:00:00Z"
HALF_A_YEAR_LATER = sample_day(185)


def broken(result):
    """The entry and the rule of a fault, or None."""
    return result["fault"] and (result["fault"]["entry"], result["fault"]["rule"])


class WithFolder(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="selftest-")
        self.addCleanup(shutil.rmtree, self.folder)
        self._made = 0

    def new(self):
        self._made += 1
        return os.path.join(self.folder, str(self._made))

    def judged(self, log, withheld=(), now=NOW, **options):
        """The result of a log that was made."""
        path = self.new()
        log.write(path, withheld)
        return judge(path, now, **options)

    def kinds(self, log):
        """The findings of a log that has no fault."""
        result = self.judged(log)
        self.assertIsNone(result["fault"])
        return [(finding["entry"], finding["kind"]) for finding in result["findings"]]

    def assert_sound(self, log, withheld=()):
        self.assertIsNone(self.judged(log, withheld)["fault"])

    def assert_broken(self, log, entry, rule):
        self.assertEqual(broken(self.judged(log)), (entry, rule))


# The documents' examples

def section(name):
    with open(os.path.join(DOCS, name), encoding="utf-8") as file:
        return file.read()


class TheExampleLog(unittest.TestCase):
    """log-format.md, "An example", and what stands under it."""

    def setUp(self):
        text = section("log-format.md").split("## An example")[1]
        self.text = text.split("```\n")[1].encode()
        self.rows = dict(re.findall(r"\| ([^|]+) \| `([0-9a-f]{64})`", text))

    def judgement(self):
        judgement = Judgement(VAULT)
        judgement.take_text(self.text)
        return judgement

    def rule(self, text):
        try:
            Judgement(VAULT).take_text(text)
        except Fault as fault:
            return fault.rule
        return None

    def change(self, before, after):
        self.assertEqual(self.text.count(before), 1)
        return self.rule(self.text.replace(before, after))

    def test_values(self):
        document = self.text.split(b"-----BEGIN")[0]
        self.assertEqual(len(document), 1624)
        self.assertEqual(hashlib.sha256(document).hexdigest(), self.rows["SHA-256 of it"])
        self.assertEqual(vault_link(VAULT), self.rows["link 0"])
        self.assertEqual(self.judgement().link, self.rows["link 1"])
        self.assertEqual(self.judgement().findings(read_time(NOW)), [])

    def test_links(self):
        link = vault_link(VAULT)
        self.assertEqual(link[:8], "469f1bda")
        document = hashlib.sha256(b"doc\n").hexdigest()
        self.assertEqual(next_link(link, document)[:8], "754339ec")

    def test_it_can_be_made_again(self):
        key = SoftKey("alice/primary", secret=bytes(range(32)))
        entry_head = f"keymuster/{VAULT}\n1\n{self.rows['link 1']}\n".encode()
        self.assertTrue(self.text.endswith(key.sign(entry_head, counter=1)))

    def test_changes(self):
        self.assertIsNone(self.rule(self.text))
        self.assertEqual(self.change(b"slips = []", b"slips = [ ]"), "form")
        one = b'slips = ["' + b"0" * 64 + b'"]'
        self.assertEqual(self.change(b"slips = []", one), "form")
        self.assertEqual(self.change(b'0505"\n', b'0506"\n'), "signature")
        self.assertEqual(self.change(b"number = 1", b"number = 2"), "number")
        self.assertEqual(self.change(b"demo = true", b"demo = false"), "event")
        self.assertEqual(self.change(b'aaguid = "0', b'aaguid = "1'), "event")
        self.assertEqual(self.change(b'["alice/primary"]', b'["alice/blue"]'), "signers")
        self.assertEqual(self.change(b"AQ==\n-----END", b"Ag==\n-----END"), "signature")
        self.assertEqual(self.change(b"\nPOEL4dc", b"\nPOEL4\ndc"), "signature")
        self.assertEqual(self.rule(self.text + b"\n"), "form")

    def test_text(self):
        document, armour = self.text.split(b"-----BEGIN")
        armour = b"-----BEGIN" + armour
        self.assertEqual(self.rule(document), "form")
        self.assertEqual(self.rule(document + armour * 2), "form")
        self.assertEqual(self.rule(document + armour[:-1]), "form")
        self.assertEqual(self.rule(b"\xef\xbb\xbf" + self.text), "form")
        self.assertEqual(self.rule(self.text.replace(b"U1NI", b"\xff1NI")), "form")
        self.assertEqual(self.rule(self.text.replace(b"U1NI", b"U1NJ")), "signature")
        nobody = document.replace(b'["alice/primary"]', b"[]")
        self.assertEqual(self.rule(nobody), "signers")
        self.assertEqual(self.rule(b""), "form")


class TheExamplesOfTheSchedule(unittest.TestCase):
    """schedule.md, "Examples"."""

    def test_key_check(self):
        rules = Rules([Rule(0, 90, 14, 7)])
        spans = [Span(0, done=[85, 178, 379])]
        it = Obligation(("key-check", "a/b"), spans, rules, [Waiver(350, 380)], 395)
        self.assertEqual(
            [(slot.number, slot.opened, slot.due, slot.fate, slot.fate_day) for slot in it.slots],
            [
                (1, 0, 90, "done", 85),
                (2, 85, 175, "late", 178),
                (3, 178, 268, "missed", None),
                (4, 268, 358, "waived", 380),
                (5, 358, 380, "done", 379),
                (6, 379, 469, "open", None),
            ],
        )
        self.assertEqual(it.standing, ("later", 469, None, 379))

    def test_acknowledgement(self):
        rules = Rules([Rule(0, 365, 14, 7)])

        def on(today):
            spans = [Span(0, done=[12] if today >= 12 else [])]
            it = Obligation(("acknowledgement", "alice"), spans, rules, [], today)
            return it.standing[:2], [
                (slot.number, slot.opened, slot.due, slot.fate) for slot in it.slots
            ]

        self.assertEqual(on(11), (("overdue", 0), [(1, 0, 0, "missed"), (2, 0, 365, "open")]))
        self.assertEqual(on(12), (("later", 377), [(1, 0, 0, "missed"), (2, 0, 377, "open")]))
        self.assertEqual(on(384)[0], ("late", 377))
        self.assertEqual(on(385), (("overdue", 0), [
            (1, 0, 0, "missed"), (2, 0, 377, "missed"), (3, 377, 742, "open"),
        ]))


# The schedule, day by day

def slots_day_by_day(spans, rules, waivers, today, at_once):
    """The slots as schedule.md words them, one day after the other."""
    numbered = []

    def opened(day, rule):
        numbered.append(Slot(len(numbered) + 1, day, day + rule.every, rule.warn, rule.grace, day))
        return numbered[-1]

    for span in spans:
        slot = opened(span.begin, rules.on(span.begin - 1))
        if at_once:
            slot.due = slot.by = span.begin
        for day in range(span.begin, (today if span.end is None else span.end) + 1):
            while day > slot.due + slot.grace:
                untils = [w.until for w in waivers if w.covers(slot.due, slot.due + slot.grace)]
                slot.close("waived" if untils else "missed", max(untils, default=None))
                slot = opened(slot.due, rules.on(day - 1))
                if untils:
                    slot.due, slot.by = min(slot.due, max(untils)), max(untils)
            for rule in rules.changes():
                if rule.day == day and slot.due >= day:
                    due = max(slot.since + rule.every, day)
                    slot.move(due if slot.by is None else min(due, slot.by))
                    slot.warn, slot.grace = rule.warn, rule.grace
            if day in span.done:
                every = rules.on(day).every
                if day >= slot.due or 2 * (day - slot.opened) >= min(slot.due - slot.opened, every):
                    excused = any(w.until >= day and w.covers(slot.due, day) for w in waivers)
                    if day > slot.due and not excused:
                        slot.close("late", day)
                    else:
                        slot.close("early" if day < slot.due - slot.warn else "done", day)
                    slot = opened(day, rules.on(day))
                    slot.moves += any(rule.day == day for rule in rules.changes())
                else:
                    slot.move(day + every)
                    slot.since, slot.by, slot.repeated = day, None, True
        if span.end is not None:
            slot.close("ended", span.end)
    return numbered


class TheSlots(unittest.TestCase):
    def test_as_day_by_day(self):
        chance = random.Random(1)
        for _ in range(400):
            today = chance.randint(0, 150)

            def days(most):
                return sorted(chance.randint(0, today) for _ in range(chance.randint(0, most)))

            rules = Rules([
                Rule(day, chance.randint(1, 40), chance.randint(0, 20), chance.randint(0, 9))
                for day in [0] + days(4)
            ])
            waivers = [Waiver(day, day + chance.randint(0, 60)) for day in days(4)]
            ends = sorted(set(days(5)))
            spans = [
                Span(begin, end, [day for day in days(8) if begin <= day <= end])
                for begin, end in zip(ends, ends[1:])
            ]
            begin = ends[-1] if ends else 0
            spans.append(Span(begin, None, [day for day in days(8) if day >= begin]))
            family = chance.choice(["key-check", "acknowledgement"])
            it = Obligation((family, "x"), spans, rules, waivers, today)
            expected = slots_day_by_day(spans, rules, waivers, today, family == "acknowledgement")
            self.assertEqual(it.slots, expected)

    def test_more_slots_than_are_told(self):
        rules = Rules([Rule(0, 2, 0, 1), Rule(30001, 3, 1, 1)])
        spans = [Span(0, done=[5, 31001])]
        it = Obligation(("key-check", "a/b"), spans, rules, [Waiver(0, 40)], 40000)
        expected = slots_day_by_day(spans, rules, [Waiver(0, 40)], 40000, False)
        self.assertGreater(len(expected), 3 * 3700)
        self.assertEqual(it.slots, expected[-3700:])

    def test_far_away(self):
        rules = Rules([Rule(0, 1, 0, 0)])
        it = Obligation(("key-check", "a/b"), [Span(0)], rules, [], 2_900_000)
        self.assertEqual(it.slots[-1].number, 2_900_000)
        self.assertEqual(len(it.slots), 3700)

    def test_work(self):
        rules = Rules([Rule(0, None, 14, 7)])

        def work(spans, waivers=(), today=100, words=("rekey", "seeds")):
            return Obligation(words, spans, rules, list(waivers), today)

        it = work([Span(1, 1), Span(10, 12), Span(20, 22), Span(95)], [Waiver(20, 22)])
        self.assertEqual([slot.fate for slot in it.slots], ["done", "late", "done", "open"])
        self.assertEqual(it.standing[:2], ("late", 95))
        self.assertEqual(work([Span(92)]).standing[:2], ("overdue", 92))
        waived = work([Span(92)], [Waiver(99, 103), Waiver(99, 101)])
        self.assertEqual(waived.standing, ("waived", 92, 103, None))
        action = ("action", "x")
        self.assertEqual(work([Span(10, due=5)], words=action).slots[0].due, 10)
        it = work([Span(10, due=110)], words=action)
        self.assertEqual(it.standing[:2], ("due", 110))
        self.assertEqual(work([Span(1, 5)]).standing[:2], ("over", 1))

    def test_waived_before(self):
        rules = Rules([Rule(0, 10, 2, 1)])
        it = Obligation(("key-check", "a/b"), [Span(0)], rules, [Waiver(0, 15)], 12)
        self.assertEqual([slot.fate for slot in it.slots], ["waived", "open"])
        self.assertEqual((it.slots[1].opened, it.slots[1].due), (10, 15))
        self.assertEqual(it.standing, ("waived", 15, 15, None))

    def test_days_of_entries(self):
        day = 86400
        times = [Time(day * n) for n in (5, 9, 7, 30)]
        self.assertEqual(entry_days(times, Time(day * 20)), [5, 7, 7, 20])


# The sample bundles

class TheSamples(WithFolder):
    def copy(self, source=BUNDLE):
        path = self.new()
        shutil.copytree(source, path)
        return path

    def edit(self, path, name, before=None, after=None, octets=None, list_it=True):
        """Changes a file of a bundle, and what entries.sha256 says of a document."""
        file_name = os.path.join(path, name)
        if octets is None:
            with open(file_name, "rb") as file:
                octets = file.read()
            self.assertIn(before, octets)
            octets = octets.replace(before, after, 1)
        with open(file_name, "wb") as file:
            file.write(octets)
        if list_it and name.endswith(".toml"):
            with open(os.path.join(path, "entries.sha256"), encoding="ascii") as file:
                lines = file.read().splitlines()
            lines = [
                f"{hashlib.sha256(octets).hexdigest()}  {name}" if line.endswith(name) else line
                for line in lines
            ]
            with open(os.path.join(path, "entries.sha256"), "w", encoding="ascii") as file:
                file.write("\n".join(lines) + "\n")

    def changed(self, name, before=None, after=None, **options):
        path = self.copy()
        self.edit(path, name, before, after, **options)
        return judge(path, SAMPLE_NOW)

    def assert_no_bundle(self, path):
        result = judge(path, SAMPLE_NOW)
        self.assertIsNotNone(result["no_bundle"])
        self.assertIsNone(result["verdicts"])

    def test_they_are_sound(self):
        for path, files in ((BUNDLE, 0), (WITH_ATTACHMENTS, 2)):
            result = judge(path, SAMPLE_NOW)
            self.assertEqual(result["findings"], [])
            self.assertEqual(result["damage"], [])
            verdicts = {name: it["verdict"] for name, it in result["verdicts"].items()}
            self.assertEqual(verdicts, {
                "integrity": "yes", "authorship": "yes", "authority": "yes",
                "completeness": "unanchored", "coverage": "yes",
            })
            self.assertEqual(result["counts"], {
                "entries": 14, "withheld": 0, "signatures": 25, "user_verified": 25, "keys": 3,
                "events": 49, "files": files,
            })

    def test_the_extract(self):
        result = judge(EXTRACT, SAMPLE_NOW)
        verdicts = {name: it["verdict"] for name, it in result["verdicts"].items()}
        self.assertEqual(verdicts, {
            "integrity": "partial", "authorship": "partial", "authority": "partial",
            "completeness": "unanchored", "coverage": "unjudged",
        })
        self.assertEqual(result["head"], judge(BUNDLE, SAMPLE_NOW)["head"])
        self.assertEqual(result["counts"]["withheld"], 4)

    def test_overdue(self):
        coverage = judge(BUNDLE, SAMPLE_NOW, HALF_A_YEAR_LATER)["verdicts"]["coverage"]
        self.assertEqual(coverage["verdict"], "no")
        self.assertEqual(coverage["overdue"], 8)
        coverage = judge(BUNDLE, SAMPLE_NOW, "2020-01-01")["verdicts"]["coverage"]
        self.assertEqual(coverage["obligations"], 0)

    def test_rules(self):
        def other(line):
            return line[:-2] + (b'0"' if line[-2:] != b'0"' else b'1"')

        toml, sig = "entries/000004.toml", "entries/000004.alice.primary.sig"
        with open(os.path.join(BUNDLE, toml), "rb") as file:
            _, vault, _, link = file.read().split(b"\n")[:4]
        cases = [
            ("form", toml, b"check_days = 60", b"check_days  = 60"),
            ("form", toml, b"\n", b"\r\n"),
            ("form", toml, b"check_days = 60", b"check_days = 060"),
            ("form", toml, b"check_days = 60", b"check_days = 4294967296"),
            ("form", toml, b"check_days = 60", b"check_days = " + b"9" * 5000),
            ("form", toml, b"check_days = 60", b"check_days = \"60\""),
            ("form", toml, b"check_days = 60", b"check_day = 60"),
            ("form", toml, b"check_days = 60", b"grace_days = 1\ncheck_days = 60"),
            ("form", toml, b"check_days = 60", b"check_days = 60\ncheck_days = 60"),
            ("form", toml, b"time = 20", b"time = 2026-02-30T12:00:00Z20"),
            ("form", toml, b"time = 2", b"time = x"),
            ("form", toml, b"policy-changed", b"policy-change"),
            ("form", toml, b"format = 1", b"format = 2"),
            ("form", toml, b"slips = []", b"slips = [[[[[]]]]]"),
            ("form", toml, b"slips = []", b'slips = ["' + b"0" * 64 + b'"]'),
            ("form", toml, b"keymuster 0.1.0", b"keymuster\xff"),
            ("form", toml, b"keymuster 0.1.0", "keymuster\u200b".encode()),
            ("vault", toml, vault, other(vault)),
            ("number", toml, b"number = 4", b"number = 5"),
            ("link", toml, link, other(link)),
            ("signers", toml, b'"bob/primary"]', b'"bob/other"]'),
            ("signers", toml, b'"bob/primary"]', b'"alice/primary"]'),
            ("signature", toml, b"check_days = 60", b"check_days = 61"),
            ("signature", sig, b"U1NI", b"U1NJ"),
            ("signature", sig, b"-----BEGIN", b"\n-----BEGIN"),
            ("signature", sig, b"SIGNATURE-----\n", b"SIGNATURE-----\r\n"),
        ]
        for rule, name, before, after in cases:
            with self.subTest(name=name, after=after[:40]):
                self.assertEqual(broken(self.changed(name, before, after)), (4, rule))
        self.assertEqual(
            broken(self.changed(toml, b"check_days", b"slip_days", list_it=False)), (4, "form")
        )

    def test_verdicts_of_a_fault(self):
        result = self.changed("entries/000004.bob.primary.sig", octets=b"")
        self.assertEqual(result["verdicts"], {
            "integrity": {"verdict": "unjudged", "up_to": 3},
            "authorship": {"verdict": "no"},
            "authority": {"verdict": "unjudged", "up_to": 3},
            "completeness": {"verdict": "unanchored"},
            "coverage": {"verdict": "unjudged"},
        })
        self.assertEqual(result["counts"]["signatures"], 5)
        self.assertEqual(result["head"]["number"], 3)

    def test_no_bundle(self):
        self.assert_no_bundle(os.path.join(self.folder, "nowhere"))
        self.assert_no_bundle(os.path.join(BUNDLE, "README"))
        for name in ("entries.sha256", "entries/000001.toml"):
            path = self.copy()
            file_name = os.path.join(path, name)
            os.rename(file_name, file_name + ".real")
            self.assert_no_bundle(path)
            os.symlink(file_name + ".real", file_name)
            self.assert_no_bundle(path)
            os.unlink(file_name)
            os.mkdir(file_name)
            self.assert_no_bundle(path)
        path = self.copy()
        os.rename(os.path.join(path, "entries"), os.path.join(path, "real"))
        os.symlink("real", os.path.join(path, "entries"))
        self.assert_no_bundle(path)
        with open(os.path.join(BUNDLE, "entries.sha256"), "rb") as file:
            listed = file.read()
        for octets in (b"", listed[:-1], listed + b"\n", listed[86:], listed.upper(),
                       listed.replace(b"  ", b" *"), b"\xff" * 860):
            self.edit(path := self.copy(), "entries.sha256", octets=octets)
            self.assert_no_bundle(path)
        self.edit(path := self.copy(), "entries/000001.toml", b"vault", b"vault ", list_it=False)
        self.assert_no_bundle(path)

    def test_odd_files(self):
        def odd(name, make):
            path = self.copy()
            file_name = os.path.join(path, name)
            os.unlink(file_name)
            make(file_name)
            return judge(path, SAMPLE_NOW)

        makers = (
            os.mkdir,
            os.mkfifo,
            lambda name: os.symlink(os.path.join(BUNDLE, name), name),
            lambda name: os.symlink("nowhere", name),
        )
        for make in makers:
            self.assertEqual(broken(odd("entries/000006.toml", make)), (6, "form"))
            result = odd("entries/000006.bob.primary.sig", make)
            self.assertEqual(broken(result), (6, "signature"))
            result = odd("allowed_signers", make)
            self.assertIsNone(result["fault"])
            self.assertEqual(len(result["damage"]), 1)
            self.assertEqual(result["verdicts"]["integrity"], {"verdict": "no"})
            self.assertEqual(result["verdicts"]["authorship"], {"verdict": "yes"})

    def test_damage(self):
        path = self.copy(WITH_ATTACHMENTS)
        attachments = os.path.join(path, "attachments")
        name = sorted(os.listdir(attachments))[0]
        self.edit(path, f"attachments/{name}", b"picture", b"Picture")
        self.assertEqual(len(judge(path, SAMPLE_NOW)["damage"]), 1)
        os.unlink(os.path.join(attachments, name))
        result = judge(path, SAMPLE_NOW)
        self.assertEqual((result["damage"], result["counts"]["files"]), ([], 1))
        os.rename(attachments, attachments + ".real")
        os.symlink(attachments + ".real", attachments)
        self.assertEqual(len(judge(path, SAMPLE_NOW)["damage"]), 2)
        path = self.copy()
        os.unlink(os.path.join(path, "allowed_signers"))
        shutil.rmtree(os.path.join(path, "heads"))
        with open(os.path.join(path, "entries", "000099.toml"), "wb") as file:
            file.write(b"nothing")
        self.assertEqual(judge(path, SAMPLE_NOW)["damage"], [])
        self.assertEqual(self.changed("allowed_signers", b" ", b"  ")["damage"],
                         ["allowed_signers isn't what the entries say"])

    def test_withholding(self):
        path = self.copy()
        os.unlink(os.path.join(path, "entries/000008.toml"))
        result = judge(path, SAMPLE_NOW)
        self.assertEqual(result["verdicts"]["authority"], {"verdict": "partial"})
        self.assertEqual(result["counts"]["withheld"], 1)
        self.edit(path, "entries/000004.bob.primary.sig", octets=b"")
        self.assertEqual(broken(judge(path, SAMPLE_NOW)), (4, "signature"))
        path = self.copy()
        os.unlink(os.path.join(path, "entries/000003.toml"))
        self.assertEqual(broken(judge(path, SAMPLE_NOW)), (4, "signers"))

    def test_heads(self):
        def completeness(*heads, path=BUNDLE):
            names = []
            for number, octets in enumerate(heads):
                names.append(os.path.join(self.folder, f"head-{number}"))
                with open(names[-1], "wb") as file:
                    file.write(octets)
            return judge(path, SAMPLE_NOW, heads=names)["verdicts"]["completeness"]

        def kept(number):
            with open(os.path.join(BUNDLE, "heads", f"{number:06}.head"), "rb") as file:
                return file.read()

        zero = kept(1).split(b"\n")
        zero[1:3] = [b"0", vault_link(zero[0].decode()[-32:]).encode()]
        zero = b"\n".join(zero)
        self.assertEqual(completeness(zero), {"verdict": "unanchored"})
        it = completeness(kept(3), kept(9), zero)
        self.assertEqual((it["verdict"], it["entry"]), ("anchored", 9))
        self.assertEqual(it["by"], [os.path.join(self.folder, "head-1")])
        self.assertEqual(completeness(kept(9), path=EXTRACT)["verdict"], "anchored")
        for wrong in (kept(9).replace(b"\n9\n", b"\n15\n"), kept(9).replace(b"\n9\n", b"\n8\n")):
            self.assertEqual(completeness(kept(3), wrong)["verdict"], "contradicted")
        of_another = b"keymuster/" + b"0" * 32 + kept(9)[42:]
        for none in (b"", of_another, kept(9)[:-1], kept(9) + b"\n",
                     kept(9).replace(b"\n9\n", b"\n09\n")):
            with self.assertRaises(Exception):
                completeness(none)

    def test_bytes_that_flip(self):
        """Nothing is raised, and whatever an entry says makes a fault or no bundle."""
        chance = random.Random(2)
        for _ in range(60):
            path = self.copy()
            folder = chance.choice(["entries", "."])
            names = sorted(os.listdir(os.path.join(path, folder)))
            name = os.path.join(path, folder, chance.choice(names))
            if not os.path.isfile(name):
                continue
            with open(name, "rb") as file:
                octets = bytearray(file.read())
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
            with open(name, "wb") as file:
                file.write(octets)
            result = judge(path, SAMPLE_NOW)
            if folder == "entries" or name.endswith("sha256"):
                self.assertTrue(result["fault"] or result["no_bundle"], name)

    def test_command(self):
        def run(*arguments):
            return subprocess.run(
                [sys.executable, os.path.join(HERE, "verify.py"), *arguments],
                capture_output=True, check=False,
            )

        done = run("--now", SAMPLE_NOW, "--population", BUNDLE, self.folder)
        self.assertEqual(done.returncode, 0)
        results = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual([bool(result["no_bundle"]) for result in results], [False, True])
        self.assertEqual(len(results[0]["population"]), 12)
        self.assertEqual(run("--now", "yesterday", BUNDLE).returncode, 2)
        self.assertEqual(run("--heads", "nowhere", BUNDLE).returncode, 2)
        self.assertEqual(run().returncode, 2)


# Values

class Values(unittest.TestCase):
    def check(self, kind, good, bad):
        for value in good:
            self.assertTrue(TYPES[kind](value), (kind, value))
        for value in bad:
            self.assertFalse(TYPES[kind](value), (kind, value))

    def test_lines(self):
        self.check("line", [
            "a", "x" * 500, "Zürich", "❤\ufe0f", "👩\u200d👩", "👩\ufe0f\u200d👩", "می\u200cخ",
            "क\u200dक", "1\U0001f600", "\ufffc", "a\u00a0b",
        ], [
            "", "x" * 501, " a", "a ", "a\u3000", "a\u200bb", "a\u202eb", "a\ufe0f", "\ufe0f",
            "❤\ufe0f\ufe0f", "a\u200db", "👩\u200d", "\u200d👩", "👩\u200d\ufe0f👩", "a\u200cb",
            "👩\u200c👩", "क\u200d👩", "a\u00adb", "\u2800", "a\U000e0041", 1, True, None, ["a"],
        ])

    def test_others(self):
        self.check("handle", ["a", "0-", "a" * 32], ["", "-a", "A", "a" * 33, "a\n", "ä"])
        self.check("key-name", ["a/b"], ["a", "a/", "a/b/c", "a/b\n"])
        self.check("device", ["a", "a/b"], ["a.b"])
        self.check("secret-value", ["a.1", "a.4294967295"], ["a.0", "a.01", "a.4294967296", "a"])
        self.check("bytes", ["", "AA==", "AAA="], ["AB==", "AA", "AA=", "A A=", "AA==\n", "é"])
        self.check("u64", [0, 2**63 - 1], [2**63, -1, True, "0"])
        self.check("i64", [-2**63], [-2**63 - 1])
        self.check("email", ["a@b.c", "A.b+c@x-1.example", "a" * 64 + "@b.c"], [
            "a", "a@b", "a@b.c.", ".a@b.c", "a..b@b.c", "a@-b.c", "a@b-.c", "a" * 65 + "@b.c",
            "a@b@c.d", "ä@b.c", "a@" + "b." * 126 + "c", "a@" + "b" * 64 + ".c", "a@b.c\n",
        ])
        self.check("telephone", ["+44 20 7946 0000", "+442079460000"], [
            "442079460000", "+", "+ 442079460000", "+44  2079460000", "+123456",
            "+1234567890123456", "+44 207946000٠",
        ])
        self.check("contact", [
            "a@b.c", "a@b.c +1 234 5678", "A B <a@b.c>", "A > B <a@b.c> +1 234 5678",
        ], [
            "", "A", "<a@b.c>", " <a@b.c>", "A<a@b.c>", "A <a@b.c", "A <a@b.c> ",
            "A <a@b.c>+12345678", "a@b.c ", "A < B <a@b.c>", "A  <a@b.c>",
        ])
        self.check("tag", ["a=b", "x" * 128], ["a,b", "a;b", "x" * 129])
        self.check("recipient", ["age1" + "0" * 58], ["age1" + "0" * 57, "age1" + "A" * 58])
        self.check("public-key", ["sk-ssh-ed25519@openssh.com ", sshsig.P256 + " AAAA"], [
            "sk-ssh-ed25519@openssh.com", "ssh-ed25519 AAAA", sshsig.P256 + " AAAA ",
            sshsig.P256 + " " + "A" * 1028,
        ])
        for text in ("1999-12-31T00:00:00Z", "2026-02-29T00:00:00Z", "2026-01-01T24:00:00Z",
                     "2026-01-01T00:00:60Z", "2026-00-01T00:00:00Z", "2026-01-01 00:00:00Z"):
            self.assertIsNone(read_time(text))
        self.assertEqual(read_time("2024-02-29T00:00:01Z"), 1709164801)

    def test_documents(self):
        header = {
            "format": 1, "vault": VAULT, "number": 1, "previous": "0" * 64,
            "time": Moment("2026-01-01T00:00:00Z"), "salt": "0" * 32, "tool": "t",
            "signers": ["a/b"], "slips": [],
        }

        def reads(event, **changes):
            try:
                read_document(write_document({**header, **changes}, event))
            except Fault as fault:
                self.assertEqual(fault.rule, "form")
                return False
            return True

        account = {"kind": "account-changed", "account": "a"}
        self.assertTrue(reads([account]))
        self.assertTrue(reads([]))
        self.assertTrue(reads([account], tool='"\\"'))
        self.assertTrue(reads([{**account, "forgotten": ["tags", "name", "tags"]}]))
        self.assertFalse(reads([{**account, "forgotten": ["account"]}]))
        self.assertFalse(reads([{**account, "tags": []}]))
        self.assertFalse(reads([{"account": "a", "kind": "account-changed"}]))
        self.assertFalse(reads([{**account, "name": "a\u0085b"}]))
        self.assertTrue(reads([{"kind": "policy-changed", "duties": []}]))
        self.assertTrue(reads([{"kind": "policy-changed"}]))
        self.assertFalse(reads([account], signers=["a/b"] * 257))
        self.assertTrue(reads([account], signers=["a/b"] * 256))
        self.assertFalse(reads([account], number=-1))
        self.assertFalse(reads([account], number=2**63))
        self.assertFalse(reads([account], signers=["a/b", 1]))
        self.assertTrue(reads([account], slips=["0" * 64] * 256))
        self.assertFalse(reads([account], slips=["0" * 64] * 257))
        self.assertFalse(reads([account], slips=["0" * 63]))
        self.assertFalse(reads([account], slips=[0]))
        self.assertTrue(reads([{"kind": "slip-endorsed", "slip": "0" * 64}]))
        self.assertFalse(reads([{"kind": "slip-endorsed", "slip": "0" * 65}]))
        self.assertTrue(reads([{"kind": "head-abandoned", "number": 0, "link": "0" * 64}]))
        self.assertFalse(reads([{"kind": "head-abandoned", "link": "0" * 64, "number": 1}]))
        document = write_document(header, [account])
        for octets in (b"", b"\n", document[:-1], document + b"\n", document + b"# x\n",
                       document.replace(b"\n\n", b"\n"), document + document[-40:],
                       document.split(b"\n\n")[0] + b"\n",
                       document.replace(b'"t"', b'"\\t"'), document.replace(b'"t"', b"'t'"),
                       document.replace(b"[\"a/b\"]", b"[\"a/b\",]"),
                       document.replace(b"= 1\n", b"= 1 \n"), document.replace(b"1", b"-0", 1),
                       document.replace(b"[]", b"[" * 100000),
                       document.replace(b'"t"', b'"' + b'\\"' * 100000)):
            with self.assertRaises(Fault) as raised:
                read_document(octets)
            self.assertEqual(raised.exception.rule, "form")


class Cbor(unittest.TestCase):
    def item(self, text):
        octets = bytes.fromhex(text)
        reader = CborReader(octets)
        item = reader.item()
        self.assertEqual(reader.place, len(octets))
        return item

    def test_read(self):
        for text, expected in [
            ("1800", 0), ("1b0000000000000001", 1), ("3bffffffffffffffff", -2**64),
            ("c24101", 1), ("d8c24101", OTHER), ("d80200", OTHER), ("c34100", -1), ("c240", 0),
            ("c248ffffffffffffffff", 2**64 - 1), ("c249010000000000000000", OTHER),
            ("c250" + "ff" * 16, OTHER), ("c251" + "00" * 17, OTHER), ("c25f4101ff", OTHER),
            ("c3507f" + "ff" * 15, OTHER), ("d8024101", 1),
            ("5f41aa5f41bbff5fffff", b"\xaa\xbb"), ("7f6161ff", "a"), ("5fff", b""),
            ("a101f4", [(1, OTHER)]), ("bf0102ff", [(1, 2)]), ("a201020102", [(1, 2), (1, 2)]),
            ("f814", OTHER), ("f97e00", OTHER), ("fb0000000000000000", OTHER), ("9fff", OTHER),
            ("81" * 8 + "00", OTHER), ("81" * 7 + "c24101", OTHER),
            ("81" * 8 + "c24101", OTHER),
        ]:
            self.assertEqual(self.item(text), expected, text)
        self.assertEqual(self.item("5f" * 2000 + "ff" * 2000), b"")

    def test_errors(self):
        for text in ("", "ff", "1c", "1f", "3f", "df00", "f8", "f813", "f820", "e0", "f3", "fc",
                     "41", "5f6161ff", "7f41aaff", "61ff", "7f61c361a4ff", "bf01ff", "9f",
                     "81" * 9 + "00", "c1" * 9 + "00", "81" * 8 + "c25f4101ff", "5f41aa",
                     "c350" + "80" + "00" * 15, "9bffffffffffffffff00", "a1"):
            with self.assertRaises(CborError, msg=text):
                self.item(text)


# Signatures and enrolments

class Signatures(WithFolder):
    HEAD = b"head\n"

    def genuine(self, key, armour=None, waived=False, **options):
        armour = armour or key.sign(self.HEAD, **options)
        try:
            return sshsig.verify(
                armour, key.line(b"ssh:keymuster-demo"), self.HEAD, b"keymuster-demo", not waived
            )
        except Fault as fault:
            self.assertEqual(fault.rule, "signature")
            return None

    def test_flags(self):
        for key in (SoftKey("a/b"), SoftKey("a/b", p256=True)):
            self.assertEqual(self.genuine(key, counter=7), (True, 7))
            self.assertTrue(self.genuine(key, flags=0x05 | 0x3A))
            self.assertFalse(self.genuine(key, flags=0x01))
            self.assertEqual(self.genuine(key, flags=0x01, waived=True, counter=9), (False, 9))
            self.assertFalse(self.genuine(key, flags=0x04))
            self.assertFalse(self.genuine(key, flags=0x45))
            self.assertFalse(self.genuine(key, flags=0x85))
            self.assertFalse(self.genuine(key, demo=False))
            self.assertFalse(self.genuine(key, trailer=b"\0"))
            self.assertFalse(self.genuine(key, armour=SoftKey("b/b").sign(self.HEAD)))
            self.assertFalse(self.genuine(key, armour=key.sign(b"other\n")))

    def test_numbers_of_p256(self):
        key = SoftKey("a/b", p256=True)
        order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

        def with_numbers(change):
            def numbers(signed):
                made = key.numbers(signed)
                length = int.from_bytes(made[:4], "big")
                return change(
                    int.from_bytes(made[4:4 + length], "big"),
                    int.from_bytes(made[8 + length:], "big"),
                )
            return self.genuine(key, numbers=numbers)

        def padded(number):
            octets = b"\0" + mpint(number)[4:]
            return len(octets).to_bytes(4, "big") + octets

        self.assertTrue(with_numbers(lambda r, s: mpint(r) + mpint(s)))
        self.assertTrue(with_numbers(lambda r, s: mpint(r) + mpint(order - s)))
        self.assertFalse(with_numbers(lambda r, s: mpint(r) + mpint(order + s)))
        self.assertFalse(with_numbers(lambda r, s: mpint(r) + mpint(0)))
        self.assertFalse(with_numbers(lambda r, s: mpint(r) + b"\0\0\0\0"))
        self.assertFalse(with_numbers(lambda r, s: padded(r) + mpint(s)))
        self.assertFalse(with_numbers(lambda r, s: mpint(r) + mpint(s) + b"\0"))
        key.point = key.point[:-1] + bytes([key.point[-1] ^ 1])  # not on the curve
        self.assertFalse(self.genuine(key))

    def test_ed25519_is_strict(self):
        key = SoftKey("a/b")
        order = by_hand.ORDER

        def shifted(signed):
            made = key.numbers(signed)
            return made[:32] + (int.from_bytes(made[32:], "little") + order).to_bytes(32, "little")

        self.assertTrue(self.genuine(key))
        self.assertFalse(self.genuine(key, numbers=shifted))
        self.assertFalse(self.genuine(key, numbers=lambda signed: key.numbers(signed)[:-1]))

    def test_ed25519_has_no_cofactor(self):
        """A key with a part of small order: what verifies is as RFC 8032 is computed by hand."""
        secret = 123456789
        public = by_hand.encode(by_hand.add(by_hand.multiply(secret, by_hand.BASE),
                                            by_hand.OF_ORDER_8))
        verdicts = set()
        for nonce in range(1, 20):
            message = b"message"
            r = by_hand.encode(by_hand.multiply(nonce, by_hand.BASE))
            k = by_hand.challenge(r, public, message)
            s = (nonce + k * secret) % by_hand.ORDER
            numbers = r + s.to_bytes(32, "little")
            expected = by_hand.verify(public, numbers, message)
            self.assertEqual(expected, k % 8 == 0)
            self.assertEqual(self.verifies(public, numbers, message), expected)
            verdicts.add(expected)
        self.assertEqual(verdicts, {True, False})

    @staticmethod
    def verifies(public, numbers, message):
        try:
            sshsig._verify_ed25519(public, numbers, message)
        except sshsig.WireError:
            return False
        return True

    def test_small_order(self):
        for point in sorted(sshsig._SMALL_ORDER):
            for sign in (0, 0x80):
                key = SoftKey("a/b")
                key.point = point[:31] + bytes([point[31] | sign])
                with self.assertRaises(sshsig.WireError):
                    sshsig.read_public_key_line(key.line(b"ssh:keymuster"))


class Enrolments(unittest.TestCase):
    def held(self, key=None, aaguid=None, credential=b"c", application=b"ssh:keymuster-demo",
             line=None, **data):
        key = key or SoftKey("a/b")
        data = {"credential": b"c", "cose": key.cose(), "application": application, **data}
        event = {
            "key": "a/b", "public_key": line or key.line(b"ssh:keymuster-demo"),
            "credential": b64(credential), "aaguid": aaguid or "00" * 16,
            "attestation_data": b64(authenticator_data(**data)),
        }
        try:
            check_enrolment(event, b"ssh:keymuster-demo")
        except Fault as fault:
            self.assertEqual(fault.rule, "event")
            return False
        return True

    def test_what_holds_together(self):
        key, p256 = SoftKey("a/b"), SoftKey("a/b", p256=True)
        point = key.point.hex()
        self.assertTrue(self.held())
        self.assertTrue(self.held(p256))
        self.assertTrue(self.held(flags=0x41))
        self.assertFalse(self.held(flags=0x44))
        self.assertFalse(self.held(flags=0x05))
        self.assertFalse(self.held(aaguid="01" + "00" * 15))
        self.assertFalse(self.held(credential=b"d"))
        self.assertFalse(self.held(application=b"ssh:keymuster"))
        self.assertFalse(self.held(cose=p256.cose()))
        self.assertFalse(self.held(tail=b"\0"))
        self.assertTrue(self.held(flags=0xC5, tail=bytes.fromhex("a1616101")))
        self.assertTrue(self.held(flags=0xC5, tail=bytes.fromhex("a0")))
        self.assertFalse(self.held(flags=0xC5, tail=bytes.fromhex("a10101")))
        self.assertFalse(self.held(flags=0xC5, tail=bytes.fromhex("80")))
        self.assertFalse(self.held(flags=0xC5, tail=bytes.fromhex("c1a0")))
        self.assertFalse(self.held(flags=0xC5))
        for cose, holds in [
            ("bf21", False),
            (f"a4215820{point}200603270101", True),
            (f"a5215820{point}2041aa200603270101", True),
            (f"a6215820{point}2041aa204120200603270101", True),
            (f"a4215820{point}2041aa03270101", False),
            (f"a5215820{point}2006032701010101", False),
            (f"a5215820{point}2006032701010440", False),
            (f"a5215820{point}200603270101616101", False),
            (f"a4215f5810{point[:32]}5810{point[32:]}ff20061803270101", True),
            (f"c1a4215820{point}200603270101", False),
            (f"a4215820{point}c3410006c2410327c2410101", True),
            (f"a4c1215820{point}200603270101", False),
            (f"a421c15820{point}200603270101", False),
        ]:
            self.assertEqual(self.held(cose=bytes.fromhex(cose)), holds, cose)
        self.assertFalse(self.held(line=sshsig.P256 + " " + key.line(b"").split()[1]))
        self.assertFalse(self.held(line=key.line(b"ssh:keymuster")))
        self.assertFalse(self.held(line=sshsig.ED25519 + " "))
        long = b64(key.blob(b"ssh:keymuster-demo") + b"\0")
        self.assertFalse(self.held(line=f"{sshsig.ED25519} {long}"))

    def test_cut_short(self):
        key = SoftKey("a/b")
        whole = authenticator_data(b"ssh:keymuster-demo", b"c", key.cose())
        for length in range(len(whole)):
            event = {
                "key": "a/b", "public_key": key.line(b"ssh:keymuster-demo"),
                "credential": b64(b"c"), "aaguid": "00" * 16,
                "attestation_data": b64(whole[:length]),
            }
            with self.assertRaises(Fault):
                check_enrolment(event, b"ssh:keymuster-demo")


# How entries are judged

class TheFirstEntry(WithFolder):
    def first(self, events, signers, log):
        log.add(events, signers)
        return broken(self.judged(log))

    def events(self, log, *names):
        return [log.enrol(name) for name in names]

    def sealed(self, *people):
        return [compartment_sealed(name, 1, list(people)) for name in ("records", "seeds")]

    def test_founding(self):
        for demo in (True, False):
            for p256 in (True, False):
                self.assert_sound(founded(demo=demo, p256=p256))
        self.assert_sound(founded(verification="waived", flags=0x01))
        self.assert_broken(founded(flags=0x01), 1, "signature")

    def test_faults(self):
        alice, bob = custodian_added("alice"), custodian_added("bob")
        created = vault_created()
        log = LogMaker()
        self.assertEqual(self.first([], [], log), (1, "event"))
        log = LogMaker()
        self.assertEqual(self.first([created], [], log), (1, "signers"))
        log = LogMaker()
        events = [alice, created, *self.events(log, "alice/one")]
        self.assertEqual(self.first(events, ["alice/one"], log), (1, "event"))
        log = LogMaker()
        events = [created, alice, *self.events(log, "alice/one")]
        self.assertEqual(self.first(events, ["alice/one"], log), (1, "authority"))
        log = LogMaker()
        events = [created, alice, *self.events(log, "alice/one"), *self.sealed("alice"), bob]
        self.assertEqual(self.first(events, ["alice/one"], log), (1, "authority"))
        log = LogMaker()
        events = [created, alice, *self.events(log, "alice/one", "alice/two")]
        events += self.sealed("alice")
        self.assertEqual(self.first(events, ["alice/one"], log), (1, "authority"))
        log = LogMaker()
        events = [created, created, alice, *self.events(log, "alice/one"), *self.sealed("alice")]
        self.assertEqual(self.first(events, ["alice/one"], log), (1, "event"))
        log = LogMaker()
        events = [created, alice, bob, *self.events(log, "alice/one", "bob/one")]
        events += self.sealed("alice", "bob")
        events.append({"kind": "custodian-left", "custodian": "bob"})
        self.assertEqual(self.first(events, ["alice/one", "bob/one"], log), (1, "event"))
        log = LogMaker()
        enrolments = self.events(log, "alice/one") * 2
        events = [created, alice, *enrolments, *self.sealed("alice")]
        self.assertEqual(self.first(events, ["alice/one"], log), (1, "event"))


class TheOrderOfRules(WithFolder):
    CHECKED = [{"kind": "key-checked", "key": "alice/one"}]

    def test_it(self):
        for rule, header in [
            ("form", {"format": 2, "vault": "0" * 32}),
            ("vault", {"vault": "0" * 32, "number": 9}),
            ("number", {"number": 9, "previous": "0" * 64}),
            ("link", {"previous": "0" * 64, "signers": []}),
            ("signers", {"signers": []}),
            ("signers", {"signers": ["alice/one", "alice/one"]}),
            ("signers", {"signers": ["carol/one"]}),
            ("signature", {"signers": ["bob/one"]}),
        ]:
            log = founded()
            log.add(self.CHECKED, ["alice/one"], header=header)
            self.assert_broken(log, 2, rule)
        log = founded()
        log.add(self.CHECKED, ["bob/one"])
        self.assert_broken(log, 2, "authority")
        log = founded()
        log.add([], [])
        self.assert_broken(log, 2, "event")
        log = founded()
        log.add([log.enrol("carol/one", aaguid="11" * 16)], ["alice/nobody"])
        self.assert_broken(log, 2, "event")
        log = founded()
        log.add([{"kind": "key-checked", "key": "alice/none"}], ["alice/one"])
        self.assert_broken(log, 2, "authority")
        log = founded()
        log.add([vault_created()], ["alice/one", "bob/one"])
        self.assert_broken(log, 2, "authority")
        log = founded()
        log.add([{"kind": "account-removed", "account": "x"}], ["alice/one", "bob/one"])
        self.assert_broken(log, 2, "event")

    def test_user_verification_holds_from_the_next_entry_on(self):
        waive = [{"kind": "policy-changed", "user_verification": "waived"}]
        log = founded()
        log.add(waive, ["alice/one", "bob/one"], flags=0x01)
        self.assert_broken(log, 2, "signature")
        log = founded()
        log.add(waive, ["alice/one", "bob/one"])
        log.add(self.CHECKED, ["alice/one"], flags=0x01)
        self.assertEqual(self.kinds(log), [(2, "policy-loosened")])
        self.assertEqual(self.judged(log)["counts"]["user_verified"], 4)


class WhoMustSign(WithFolder):
    BOTH = ["alice/one", "bob/one"]

    def report(self, key, reporter, kind="key-lost"):
        return [{"kind": kind, "key": key, "reporter": reporter}]

    def test_quorum(self):
        log = founded()
        change = [{"kind": "policy-changed", "check_days": 60}]
        log.add([log.enrol("alice/two")], ["alice/two"] + self.BOTH)
        log.add(change, ["alice/one", "bob/one"])
        self.assert_sound(log)
        log.add(change, ["alice/one", "alice/two"])
        self.assert_broken(log, 4, "authority")
        log = founded(["alice"])
        log.add([custodian_added("bob"), log.enrol("bob/one")], ["alice/one", "bob/one"])
        log.add(change, ["alice/one"])
        self.assert_broken(log, 3, "authority")
        log = founded(["alice"])
        log.add([custodian_added("bob")], ["alice/one"])
        log.add(change, ["alice/one"])
        self.assert_sound(log)

    def test_enrolment(self):
        log = founded()
        log.add([log.enrol("alice/two")], ["alice/one", "bob/one"])
        self.assert_broken(log, 2, "authority")
        log = founded()
        log.add([custodian_added("carol"), log.enrol("carol/one")], ["carol/one", "alice/one"])
        self.assert_broken(log, 2, "authority")
        log = founded()
        log.add([log.enrol("alice/paper")], ["alice/paper"] + self.BOTH)
        self.assert_broken(log, 2, "event")
        log = founded()
        events = [log.enrol("alice/two", key=log.keys["alice/one"])]
        log.add(events, ["alice/two"] + self.BOTH)
        self.assert_broken(log, 2, "event")

    def sealed(self, slot, custodian="alice"):
        return {
            "kind": "identity-sealed", "custodian": custodian, "slot": slot, "generation": 1,
            "sha256": "0" * 64, **({} if slot == "paper" else {"plugin_sha256": "0" * 64}),
        }

    def test_identities(self):
        log = founded(["alice", "bob", "carol"])
        log.add([self.sealed("one")], ["bob/one", "carol/one"])
        self.assert_broken(log, 2, "authority")
        for slots, broken_rule in ((["two"], None), (["paper"], "authority")):
            log = founded(["alice", "bob", "carol"])
            events = [log.enrol("alice/two")] + [self.sealed(slot) for slot in slots]
            log.add(events, ["alice/two", "bob/one", "carol/one"])
            self.assertEqual(broken(self.judged(log)), broken_rule and (2, broken_rule))
        log = founded()
        events = [custodian_added("carol"), log.enrol("carol/one"), self.sealed("one", "carol"),
                  self.sealed("paper", "carol"),
                  {"kind": "recipient-changed", "custodian": "carol", "recipient": recipient("x")}]
        log.add(events, ["carol/one"] + self.BOTH)
        self.assert_sound(log)

    def test_reports(self):
        log = founded(["alice", "bob", "carol"])
        log.add(self.report("alice/one", "bob"), ["carol/one"])
        self.assert_broken(log, 2, "authority")
        log = founded(["alice", "bob", "carol"])
        log.add(self.report("alice/one", "bob"), ["bob/one"])
        log.add([{"kind": "key-checked", "key": "alice/one"}], ["alice/one"])
        self.assert_broken(log, 3, "signers")
        log = founded(["alice", "bob", "carol"])
        log.add(self.report("alice/one", "bob"), ["bob/one"])
        log.add([{"kind": "key-restored", "key": "alice/one"}], ["alice/one", "carol/one"])
        self.assert_sound(log)
        log.add(self.report("alice/one", "bob"), ["bob/one"])  # bob was overruled
        self.assert_broken(log, 4, "authority")
        log = founded(["alice", "bob", "carol"])
        log.add(self.report("alice/one", "bob"), ["bob/one"])
        log.add([{"kind": "key-restored", "key": "alice/one"}], ["bob/one", "carol/one"])
        log.add(self.report("alice/one", "bob"), ["bob/one"])  # he withdrew it himself
        self.assert_sound(log)

    def test_only_claimed(self):
        log = founded()
        log.add(self.report("alice/one", "bob"), ["bob/one"])
        log.add([{"kind": "key-checked", "key": "alice/one"}], ["alice/one"])
        self.assertEqual(self.kinds(log), [(2, "only-claimed")])
        log.add(self.report("alice/one", "bob"), ["bob/one"])
        self.assert_broken(log, 4, "event")
        log = founded()
        log.add(self.report("alice/one", "alice"), ["alice/one"])
        log.add(self.report("alice/one", "bob"), ["bob/one"])
        self.assert_broken(log, 3, "event")

    def test_leaving(self):
        left = [{"kind": "custodian-left", "custodian": "carol"}]
        log = founded(["alice", "bob", "carol"])
        log.add(left, self.BOTH)
        log.add([{"kind": "key-checked", "key": "carol/one"}], ["carol/one"])
        self.assert_broken(log, 3, "signers")
        log = founded(["alice", "bob", "carol"])
        log.add(left, self.BOTH)
        log.add([custodian_added("carol")], self.BOTH)
        self.assert_broken(log, 3, "event")
        log = founded()
        log.add([{"kind": "custodian-left", "custodian": "bob"}], self.BOTH)
        self.assert_broken(log, 2, "event")

    def test_hands(self):
        log = founded(["alice", "bob", "carol"])
        handed = {"kind": "key-handed-over", "key": "alice/one", "giver": "alice", "taker": "bob"}
        sealed = {"kind": "bag-sealed", "key": "carol/one", "bag": "B-1", "sealer": "alice",
                  "witness": "bob"}
        opened = {"kind": "bag-opened", "key": "carol/one", "bag": "B-2", "intact": False,
                  "opener": "alice", "witness": "bob"}
        checked = [{"kind": "key-checked", "key": "carol/one"}]
        log.add([handed, sealed], self.BOTH)
        log.add(checked, ["carol/one", "alice/one"])
        log.add([opened], self.BOTH + ["carol/one"])
        self.assertEqual(self.kinds(log), [
            (3, "out-of-its-bag"), (3, "held-by-another"), (4, "held-by-another"),
            (4, "other-bag"), (4, "broken-seal"),
        ])
        log.add([handed], self.BOTH)
        self.assert_broken(log, 5, "event")

    def test_secrets(self):
        stored = {"kind": "secret-stored", "secret": "s", "holds": "note", "compartment": "seeds",
                  "epoch": 1, "sha256": "0" * 64}
        replaced = {"kind": "secret-replaced", "secret": "s", "generation": 2,
                    "compartment": "ab", "epoch": 1, "sha256": "0" * 64}
        chosen = {"kind": "members-chosen", "compartment": "ab", "members": ["alice", "bob"]}
        for signer, rule in (("alice/one", None), ("carol/one", "authority")):
            log = founded(["alice", "bob", "carol"])
            log.add([chosen, compartment_sealed("ab", 1, ["alice", "bob"])], self.BOTH)
            log.add([stored], ["carol/one"])
            log.add([replaced], [signer])
            self.assertEqual(broken(self.judged(log)), rule and (4, rule))
            self.assert_sound(log, withheld=[3])


class TheFindings(WithFolder):
    def test_times_and_counters(self):
        log = founded()
        checked = [{"kind": "key-checked", "key": "alice/one"}]
        log.keys["alice/one"].counter = 4
        log.add(checked, ["alice/one"], time="2027-01-01T00:00:00Z")
        log.keys["alice/one"].counter = 2
        log.add(checked, ["alice/one"], time="2026-06-01T00:00:00Z")
        log.add(checked, ["alice/one"], time="2027-01-01T00:00:00Z")
        self.assertEqual(self.kinds(log), [
            (3, "counter"), (3, "time-goes-back"), (4, "ahead-of-the-clock"),
        ])
        log = founded()
        for _ in range(2):
            log.keys["alice/one"].counter = -1
            log.add(checked, ["alice/one"])
        self.assertEqual(self.kinds(log), [(2, "counter")])

    def test_policy(self):
        log = founded()
        signers = ["alice/one", "bob/one"]
        log.add([{"kind": "policy-changed", "duties": ["x"]}], signers)
        log.add([{"kind": "policy-changed", "user_verification": "waived", "check_days": 91,
                  "slip_days": 14, "warn_days": 20, "grace_days": 8, "duties": []}], signers)
        self.assertEqual(self.kinds(log), [(3, "policy-loosened")] * 4)


class Coverage(WithFolder):
    SIGNERS = ["alice/one", "bob/one"]

    def standing(self, log, day, now="2030-01-01T00:00:00Z"):
        result = self.judged(log, day=day, now=now, population=True)
        self.assertIsNone(result["fault"])
        return {name: state for name, state, *_ in result["standings"]}

    def test_owed(self):
        log = founded(["alice", "bob", "carol"])
        account = {"kind": "account-added", "account": "prod", "provider": "x", "id": "1",
                   "root_credentials": True, "root_email": "a@b.c"}
        linked = [
            {"kind": "device-linked", "device": device, "accounts": ["prod"]}
            for device in ("token", "carol/one")
        ]
        stored = {"kind": "secret-stored", "secret": "s", "holds": "note", "compartment": "seeds",
                  "epoch": 1, "sha256": "0" * 64}
        log.add([account, *linked, stored, {
            "kind": "identity-sealed", "custodian": "carol", "slot": "one", "generation": 1,
            "sha256": "0" * 64, "plugin_sha256": "0" * 64,
        }], ["carol/one"] + self.SIGNERS)
        usual = {
            *(f"key-check {name}/one" for name in ("alice", "bob", "carol")),
            *(f"acknowledgement {name}" for name in ("alice", "bob", "carol")),
            "contacts prod", "mailbox prod", "sign-in prod token", "sign-in prod carol/one",
            "totp prod token",
        }
        self.assertEqual(set(self.standing(log, "2026-01-01")), usual)
        log.add([{"kind": "key-lost", "key": "carol/one", "reporter": "alice"}], ["alice/one"])
        standing = self.standing(log, "2026-01-01")
        self.assertEqual(set(standing) - usual,
                         {"deregister carol/one prod", "new-identity carol", "replace s"})
        self.assertEqual(standing["sign-in prod carol/one"], "over")
        log.add([{"kind": "custodian-left", "custodian": "carol"}], self.SIGNERS)
        standing = self.standing(log, "2026-01-01")
        self.assertEqual({name for name, state in standing.items() if state == "due"}, {
            "deregister carol/one prod", "replace s", "take-back carol/one", "rekey records",
            "rekey seeds", "acknowledgement alice", "acknowledgement bob",
        })

    def test_restarts(self):
        log = founded()
        duties = {"kind": "duties-acknowledged", "custodian": "alice", "duties": ["x"]}
        log.add([duties], ["alice/one"], time="2026-01-05T00:00:00Z")
        log.add([{"kind": "policy-changed", "duties": ["x"]},
                 {"kind": "policy-changed", "duties": ["x"]},
                 {"kind": "policy-changed", "duties": []}], self.SIGNERS,
                time="2026-02-01T00:00:00Z")
        path = self.new()
        log.write(path)
        result = judge(path, NOW, "2026-02-01", population=True)
        mine = [slot for slot in result["population"] if slot[0] == "acknowledgement alice"]
        first, fifth, changed = (
            read_time(f"{day}T00:00:00Z").day for day in ("2026-01-01", "2026-01-05", "2026-02-01")
        )
        self.assertEqual([slot[1:] for slot in mine], [
            [1, first, first, "late", fifth],
            [2, fifth, fifth + 365, "ended", changed],
            [3, changed, changed, "ended", changed],
            [4, changed, changed, "open", None],
        ])

    def test_actions_and_waivers(self):
        log = founded()
        log.add([
            {"kind": "action-opened", "action": "a", "title": "t", "owner": "alice",
             "due": Moment("2026-02-01T00:00:00Z")},
            {"kind": "waiver-given", "waiver": "w", "obligation": "action a",
             "until": Moment("2026-03-01T00:00:00Z"), "reason": "r"},
        ], self.SIGNERS)
        for day, state in (("2026-01-01", "later"), ("2026-01-18", "waived"),
                           ("2026-03-01", "waived"), ("2026-03-02", "overdue")):
            self.assertEqual(self.standing(log, day)["action a"], state)
        log = founded()
        log.add([{"kind": "waiver-given", "waiver": "w", "obligation": "x",
                  "until": Moment("2026-01-01T00:00:00Z"), "reason": "r"}], self.SIGNERS)
        self.assert_broken(log, 2, "event")

    def test_entries_after_the_day_count_for_nothing(self):
        log = founded()
        checked = [{"kind": "key-checked", "key": "alice/one"}]
        log.add(checked, ["alice/one"], time="2026-05-01T00:00:00Z")
        before = self.standing(log, "2026-04-30")
        after = self.standing(log, "2026-05-01")
        self.assertEqual((before["key-check alice/one"], after["key-check alice/one"]),
                         ("overdue", "later"))


class Drills(WithFolder):
    SIGNERS = ["alice/one", "bob/one"]

    def under_way(self):
        log = founded(["alice", "bob", "carol"])
        log.add([{
            "kind": "runbook-adopted", "runbook": "r", "version": 1, "title": "t",
            "sha256": "1" * 64, "file": "2" * 64, "purposes": ["rehearsal", "live"],
            "accounts": "none", "every_days": 90, "roles": ["operator", "witness"],
        }], self.SIGNERS)
        return log

    def started(self, roster, **changes):
        return {
            "kind": "drill-started", "drill": "d", "runbook": "r", "version": 1,
            "sha256": "1" * 64, "purpose": "rehearsal", "objective": "o", "accounts": [],
            "roster": roster, **changes,
        }

    def abandoned(self, roster):
        return {"kind": "drill-abandoned", "drill": "d", "roster": roster, "reason": "r"}

    def test_parts(self):
        both = ["operator=alice", "witness=bob"]
        for roster, rule in [
            (both, None), (["operator=alice"], "event"),
            (["operator=alice", "witness=alice"], "event"),
            (["operator=alice", "witness=bob", "other=bob"], "event"), ([], "event"),
            (["operator=alice", "witness=carol"], "authority"),
        ]:
            log = self.under_way()
            log.add([self.started(roster)], self.SIGNERS)
            self.assertEqual(broken(self.judged(log)), rule and (3, rule))
        log = self.under_way()
        live = {"purpose": "live", "task": "t", "approver": "a"}
        log.add([{**self.started(["operator=alice"]), "purpose": "live"}], self.SIGNERS)
        self.assert_broken(log, 3, "event")
        log = self.under_way()
        log.add([{**self.started(["operator=alice"]), **live}], self.SIGNERS)
        log.add([self.abandoned(["operator=bob"])], self.SIGNERS)
        step = {"kind": "drill-exception", "drill": "d", "at": Moment("2026-01-01T00:00:00Z"),
                "message": "m"}
        result = self.judged(log, population=True)
        self.assertIn("review d", [name for name, *_ in result["standings"]])
        log.add([{"kind": "drill-reviewed", "drill": "d", "reviewer": "carol",
                  "outcome": "passed", "remark": "r"}], ["carol/one"])
        self.assert_sound(log)
        log.add([step], self.SIGNERS)
        self.assert_broken(log, 6, "event")


# Slips

BOTH = ["alice/one", "bob/one"]
POLICY = {"kind": "policy-changed", "check_days": 60}


def checked(name):
    return {"kind": "key-checked", "key": f"{name}/one"}


def reported(name, reporter):
    return {"kind": "key-lost", "key": f"{name}/one", "reporter": reporter}


def restored(name):
    return {"kind": "key-restored", "key": f"{name}/one"}


class WithSlips(WithFolder):
    def setUp(self):
        super().setUp()
        self.log = founded(["alice", "bob", "carol"])

    def slip(self, *events, signers=("alice/one",), **options):
        """A slip, which unless it says otherwise follows the last entry."""
        return self.log.slip(list(events) or [checked("alice")], list(signers), **options)

    def admit(self, *slips, events=(), signers=("bob/one",), **options):
        """Adds an entry that takes slips in."""
        self.log.add(list(events), list(signers), slips=slips, **options)

    def restart(self, **options):
        self.log = founded(["alice", "bob", "carol"], **options)

    def assert_admitted(self):
        self.assert_sound(self.log)
        self.assertEqual([kind for _, kind in self.kinds(self.log)], [])

    def assert_refused(self, entry=2, rule="slip"):
        self.assert_broken(self.log, entry, rule)


class AdmittedSlips(WithSlips):
    def test_a_good_one(self):
        for options in ({}, {"demo": False}, {"p256": True}):
            self.restart(**options)
            self.admit(self.slip())
            self.assert_admitted()
        counts = self.judged(self.log)["counts"]
        self.assertEqual((counts["signatures"], counts["user_verified"]), (5, 5))
        self.assertEqual((counts["entries"], counts["events"]), (2, 10))
        self.admit(self.slip(checked("bob"), signers=["bob/one"]), events=[POLICY], signers=BOTH)
        self.assert_admitted()

    def test_user_verification(self):
        self.admit(self.slip(flags=0x01))
        self.assert_refused(rule="signature")
        self.restart(verification="waived")
        self.admit(self.slip(flags=0x01), flags=0x01)
        self.assert_admitted()

    def test_twice(self):
        slip = self.slip()
        self.admit(slip, slip)
        self.assert_refused()
        self.restart()
        self.admit(slip)
        self.admit(slip)
        self.assert_refused(3)

    def test_time(self):
        for entry, admitted in [
            ("2026-01-15T00:00:00Z", True), ("2026-01-15T00:00:01Z", False),
            ("2025-12-31T00:00:00Z", True), ("2025-12-30T23:59:59Z", False),
        ]:
            self.restart()
            self.admit(self.slip(), time=entry)
            self.assertEqual(broken(self.judged(self.log)), None if admitted else (2, "slip"))
        # The policy is that after the entry before.
        changed = {"kind": "policy-changed", "slip_days": 15}
        self.restart()
        old = self.slip()
        self.admit(old, events=[changed], signers=BOTH, time="2026-01-16T00:00:00Z")
        self.assert_refused()
        self.restart()
        self.log.add([changed], BOTH)
        self.admit(old, time="2026-01-16T00:00:00Z")
        self.assert_sound(self.log)

    def test_place(self):
        elsewhere = Signed(b"", {}, 1, "0" * 64)
        link_1 = self.log.entries[0].link
        for slip in (
            self.slip(header={"vault": "0" * 32}),
            self.slip(after=Signed(b"", {}, 0, vault_link(VAULT))),
            self.slip(after=Signed(b"", {}, -1, vault_link(VAULT)), header={"number": 0}),
            self.slip(after=elsewhere),
            self.slip(header={"number": 3}),
            self.slip(after=Signed(b"", {}, 2, link_1)),
            self.slip(after=Signed(b"", {}, 2**62, link_1)),
            self.slip(header={"previous": vault_link(VAULT)}),
        ):
            self.restart()
            self.admit(slip)
            self.assert_refused()
        # On top of an entry that comes only later.
        later = founded(["alice", "bob", "carol"])
        later.add([checked("bob")], ["bob/one"])
        self.restart()
        self.admit(later.slip([checked("alice")], ["alice/one"]))
        self.assert_refused()
        # In the first entry there is nothing that one could follow.
        log = LogMaker()
        slip = log.slip([vault_created()], [], after=Signed(b"", {}, 1, vault_link(VAULT)))
        log.add([], [], slips=[slip])
        self.assert_broken(log, 1, "slip")

    def test_the_logs_own_entry(self):
        self.log.add([checked("alice")], ["alice/one"])
        self.admit(self.log.entries[1])
        self.assert_refused(3)

    def test_following_another(self):
        first = self.slip()
        second = self.slip(after=first)
        third = self.slip(after=second)
        self.admit(first, second, third)
        self.assert_admitted()
        self.restart()
        self.admit(second, first)
        self.assert_refused()
        self.restart()
        self.admit(first)
        self.admit(second)
        self.admit(third)
        self.assert_admitted()
        self.restart()
        self.admit(second)
        self.assert_refused()
        for number in (first.number, first.number + 2):
            self.restart()
            self.admit(first, self.slip(after=first, header={"number": number}))
            self.assert_refused()

    def test_given_up(self):
        slip = self.slip()
        following = self.slip(after=slip)
        self.log.add([head_abandoned(slip)], BOTH)
        self.assert_admitted()
        self.admit(slip)
        self.assert_refused(3)
        self.restart()
        self.log.add([head_abandoned(slip)], BOTH)
        self.admit(following)
        self.assert_refused(3)
        self.restart()
        self.admit(self.slip(head_abandoned(slip), signers=BOTH))
        self.admit(slip)
        self.assert_refused(3)

    def test_what_cant_be_given_up(self):
        slip = self.slip()
        for events in ([head_abandoned(self.log.entries[0])],
                       [head_abandoned(Signed(b"", {}, 0, vault_link(VAULT)))],
                       [head_abandoned(slip)] * 2):
            self.restart()
            self.log.add(events, BOTH)
            self.assert_refused(2, "event")
        self.restart()
        self.admit(slip, events=[head_abandoned(slip)], signers=BOTH)
        self.assert_refused(2, "event")
        # Not even by what happens before it in the same entry.
        self.restart()
        self.admit(self.slip(head_abandoned(slip), signers=BOTH), slip)
        self.assert_refused(2, "event")
        self.restart()
        self.admit(slip)
        self.log.add([head_abandoned(slip)], BOTH)
        self.assert_refused(3, "event")
        self.restart()
        self.log.add([head_abandoned(slip)], BOTH)
        self.log.add([head_abandoned(slip)], ["carol/one", "bob/one"])
        self.assert_refused(3, "event")

    def test_the_order_of_rules(self):
        past = self.slip(header={"vault": "0" * 32})
        for rule, slip, header in [
            ("form", self.slip(header={"format": 2}), {"previous": "0" * 64}),
            ("link", past, {"previous": "0" * 64}),
            ("slip", past, {"signers": []}),
            ("event", self.log.slip([], ["alice/one"]), {"signers": []}),
            ("signers", self.slip(signers=["alice/none"]), {}),
            ("signers", self.slip(signers=["alice/none"]), {"signers": ["carol/one"]}),
            ("signature", self.slip(POLICY, flags=0x04), {}),
            ("authority", self.slip(POLICY), {}),
        ]:
            self.restart()
            self.admit(slip, header=header)
            self.assert_refused(2, rule)

    def test_without_events(self):
        self.admit(self.slip(), self.log.slip([], ["alice/one"]), events=[checked("bob")])
        self.assert_refused(2, "event")


class WhoSignsSlips(WithSlips):
    def test_two_that_do_what_needs_two(self):
        change = self.slip(POLICY)
        yes = self.slip(slip_endorsed(change), signers=["bob/one"])
        for slips in ((change, yes), (yes, change)):
            self.restart()
            self.admit(*slips, signers=["carol/one"])
            self.assert_admitted()
        self.restart()
        self.admit(change, signers=["carol/one"])
        self.assert_refused(2, "authority")
        # Not in another entry.
        self.restart()
        self.admit(yes, signers=["carol/one"])
        self.admit(change, signers=["carol/one"])
        self.assert_refused(3, "authority")
        # What endorses isn't endorsed by that, and endorsing doesn't go on.
        self.restart()
        self.admit(change, self.slip(slip_endorsed(change), POLICY, signers=["bob/one"]))
        self.assert_refused(2, "authority")
        self.restart()
        again = self.slip(slip_endorsed(change))
        self.admit(change, again, self.slip(slip_endorsed(again), signers=["bob/one"]))
        self.assert_refused(2, "authority")

    def test_an_entry_that_endorses(self):
        change = self.slip(POLICY)
        self.admit(change, events=[slip_endorsed(change)])
        self.assert_admitted()
        self.restart()
        self.admit(change, events=[slip_endorsed(change), POLICY])
        self.assert_refused(2, "authority")
        self.restart()
        self.admit(change, events=[slip_endorsed(change)], signers=["alice/one"])
        self.assert_refused(2, "authority")
        # That very key may be the endorser's.
        self.restart()
        other = self.slip(checked("bob"))
        self.admit(other)
        self.assert_refused(2, "authority")
        self.restart()
        self.admit(other, events=[slip_endorsed(other)])
        self.assert_admitted()

    def test_endorsing_what_isnt_there(self):
        self.log.add([slip_endorsed(self.slip())], ["bob/one"])
        self.assert_admitted()

    def test_who_may_sign(self):
        for signers in (["alice/none"], ["dave/one"], [], ["alice/one", "alice/one"]):
            self.restart()
            self.admit(self.slip(signers=signers))
            self.assert_refused(2, "signers")
        for gone in (
            [reported("alice", "bob")], [reported("alice", "alice")],
            [{"kind": "key-retired", "key": "alice/one"}],
            [{"kind": "custodian-left", "custodian": "alice"}],
        ):
            self.restart()
            slip = self.slip()
            self.log.add(gone, ["alice/one", "bob/one", "carol/one"])
            self.admit(slip)
            self.assert_refused(3, "signers")

    def test_suspended_keys(self):
        def suspended(events, slips=(), signers=("alice/one", "carol/one")):
            self.restart()
            self.log.add([reported("alice", "bob")], ["bob/one"])
            self.admit(*slips, events=events, signers=signers)

        suspended([restored("alice")])
        self.assert_admitted()
        after = self.log.entries[1]
        by_two = {"signers": ["alice/one", "carol/one"], "after": after}
        by_bob = self.slip(checked("bob"), signers=["bob/one"], after=after)
        slip = self.slip(restored("alice"), **by_two)
        suspended([], [slip], ["bob/one"])
        self.assert_admitted()
        suspended([slip_endorsed(slip)], [slip], ["bob/one"])
        self.assert_admitted()
        suspended([restored("alice")], [by_bob], ["bob/one", "carol/one"])
        self.assert_sound(self.log)
        suspended([restored("alice")], [by_bob])
        self.assert_refused(3, "signers")
        suspended([], [slip])
        self.assert_refused(3, "signers")
        suspended([], [self.slip(restored("alice"), checked("carol"), **by_two)], ["bob/one"])
        self.assert_refused(3, "signers")
        other = self.slip(restored("alice"), header={"slips": ["0" * 64]}, **by_two)
        suspended([], [other], ["bob/one"])
        self.assert_refused(3, "signers")

    def test_who_is_overruled(self):
        """Whoever endorses a restoration, or signs it, but nobody else of the entry."""
        for events, rule in (([], "authority"), ([True], None)):
            self.restart()
            self.log.add([reported("alice", "bob")], ["bob/one"])
            slip = self.slip(restored("alice"), signers=["alice/one", "carol/one"])
            self.admit(slip, events=[slip_endorsed(slip) for _ in events])
            self.log.add([reported("alice", "bob")], ["bob/one"])
            self.assertEqual(broken(self.judged(self.log)), rule and (4, rule))

    def test_enrolments(self):
        def enrolled(signers, name="alice/two", **options):
            self.restart()
            return self.slip(self.log.enrol(name, **options), signers=signers)

        self.admit(enrolled(["alice/two", *BOTH]))
        self.assert_admitted()
        slip = enrolled(["alice/two", "alice/one"])
        self.admit(slip, events=[slip_endorsed(slip)])
        self.assert_admitted()
        self.admit(enrolled(["alice/two", "alice/one"]))
        self.assert_refused(2, "authority")
        self.admit(enrolled(BOTH))
        self.assert_refused(2, "authority")
        self.admit(enrolled(["alice/none"], aaguid="11" * 16))
        self.assert_refused(2, "event")
        # The key speaks for no other document of the entry.
        self.admit(enrolled(["alice/two", *BOTH]), events=[checked("bob")],
                   signers=["alice/two", "bob/one"])
        self.assert_refused(2, "signers")
        slip = enrolled(["alice/two", *BOTH])
        self.admit(slip, self.slip(signers=["alice/two"]))
        self.assert_refused(2, "signers")
        sealed = {"kind": "identity-sealed", "custodian": "alice", "slot": "two",
                  "generation": 1, "sha256": "0" * 64, "plugin_sha256": "0" * 64}
        by_others = ["bob/one", "carol/one"]
        slip = enrolled(["alice/two", *by_others])
        self.admit(slip, events=[sealed], signers=by_others)
        self.assert_refused(2, "authority")
        self.restart()
        slip = self.slip(self.log.enrol("alice/two"), sealed, signers=["alice/two", *by_others])
        self.admit(slip)
        self.assert_admitted()
        # One that both enrol is two of one name.
        slip = enrolled(["alice/two", *BOTH])
        self.admit(slip, events=[self.log.enrol("alice/two")], signers=["alice/two", *BOTH])
        self.assert_refused(2, "event")

    def test_namespaces(self):
        heads, slips = sshsig.namespace(True), sshsig.slip_namespace(True)
        for space, rule in [
            ([slips, slips], None), ([heads, heads], None), ([heads, slips], "signature"),
            ([slips, heads], "signature"), ([b"other", b"other"], "signature"),
            ([sshsig.slip_namespace(False)] * 2, "signature"),
            ([sshsig.namespace(False)] * 2, "signature"),
        ]:
            self.restart()
            self.admit(self.slip(signers=BOTH, space=space))
            self.assertEqual(broken(self.judged(self.log)), rule and (2, rule), space)
        for armour in (b"", b"\xff"):
            self.restart()
            slip = self.slip(signers=BOTH, heads=True)
            slip.signatures["alice/one"] = armour
            self.admit(slip)
            self.assert_refused(2, "signature")
        # An entry is signed in the namespace of heads only.
        for is_head in (True, False):
            self.restart()
            made = self.slip(heads=is_head)
            self.log.entries.append(made)
            self.log.slips.append([])
            self.assertEqual(broken(self.judged(self.log)), None if is_head else (2, "signature"))


class WhatSlipsDo(WithSlips):
    def test_the_order_of_events(self):
        opened = {"kind": "action-opened", "action": "a", "title": "t", "owner": "alice",
                  "due": Moment("2026-02-01T00:00:00Z")}
        closed = {"kind": "action-closed", "action": "a", "result": "r"}
        opening, closing = self.slip(opened), self.slip(closed)
        self.admit(opening, events=[closed])
        self.assert_admitted()
        self.restart()
        self.admit(closing, events=[opened])
        self.assert_refused(2, "event")
        self.restart()
        self.admit(closing, opening)
        self.assert_refused(2, "event")

    def test_they_happen_at_the_entrys_time(self):
        waiver = {"kind": "waiver-given", "waiver": "w", "obligation": "x",
                  "until": Moment("2026-01-02T00:00:00Z"), "reason": "r"}
        self.admit(self.slip(waiver, signers=BOTH), time="2026-01-01T23:59:59Z")
        self.assert_sound(self.log)
        self.restart()
        self.admit(self.slip(waiver, signers=BOTH), time="2026-01-02T00:00:00Z")
        self.assert_refused(2, "event")

    def test_an_entry_begins_one_epoch(self):
        people = ["alice", "bob", "carol"]
        self.admit(self.slip(compartment_sealed("seeds", 2, people), signers=BOTH),
                   events=[compartment_sealed("seeds", 3, people)], signers=BOTH)
        self.assert_refused(2, "event")

    def test_findings(self):
        handed = {"kind": "key-handed-over", "key": "alice/one", "giver": "alice", "taker": "bob"}
        looser = {"kind": "policy-changed", "check_days": 91}
        slip = self.slip(handed, signers=BOTH)
        self.admit(slip, events=[looser], signers=BOTH)
        self.assertEqual(self.kinds(self.log), [(2, "held-by-another"), (2, "policy-loosened")])
        # Each document, of its signers and its events; then the counters.
        self.restart()
        self.log.add([handed], BOTH)
        slip = self.slip({**looser, "check_days": 92}, signers=BOTH)
        self.log.keys["bob/one"].counter = 2
        self.admit(slip, events=[{**looser, "grace_days": 8}], signers=BOTH)
        self.assertEqual(self.kinds(self.log), [(3, kind) for kind in (
            "held-by-another", "policy-loosened", "held-by-another", "policy-loosened", "counter",
        )])

    def test_two_heads(self):
        lost = self.slip(heads=True)
        self.log.add([checked("bob")], ["bob/one"])
        self.admit(lost)
        self.assert_admitted()
        self.restart()
        lost = self.slip(signers=BOTH, heads=True)
        self.log.add([checked("alice")], ["alice/one"])
        self.admit(lost)
        self.assertEqual(self.kinds(self.log), [(3, "two-heads")])
        # In the namespace of slips there are as many as one likes.
        self.restart()
        slips = [self.slip(), self.slip(checked("alice"), checked("alice"))]
        self.admit(*slips, signers=["alice/one"])
        self.assert_admitted()
        # Two that are taken in, and then the number that the second has, too.
        self.restart()
        lost = [self.slip(heads=True), self.slip(checked("alice"), checked("alice"), heads=True)]
        lost.append(self.slip(after=lost[1], heads=True))
        self.admit(*lost)
        self.log.add([checked("alice")], ["alice/one"])
        self.assertEqual(self.kinds(self.log), [(2, "two-heads"), (3, "two-heads")])
        # By the entry that takes it in.
        self.restart()
        self.admit(self.slip(heads=True), signers=["alice/one"])
        self.assertEqual(self.kinds(self.log), [(2, "two-heads")])

    def test_two_heads_and_counters(self):
        """Each document, each of its signers: of the counter, of two heads."""
        lost = self.slip(signers=BOTH, heads=True)
        for name in BOTH:
            self.log.keys[name].counter = 1
        self.admit(lost, signers=BOTH)
        self.assertEqual(self.kinds(self.log),
                         [(2, "counter"), (2, "two-heads"), (2, "counter"), (2, "two-heads")])

    def test_counters(self):
        def told(*signatures):
            """Whether each is told, of one key: its counter, the entry known, its own entry."""
            counters = Counters()
            return [bool(list(counters.of_signature("a/b", *one))) for one in signatures]

        self.assertEqual(told((1, 0, 1), (2, 1, 2), (2, 2, 3)), [False, False, True])
        self.assertEqual(told((0, 0, 1), (0, 1, 2), (0, 0, 3), (1, 3, 4), (0, 4, 5)),
                         [False, False, False, False, True])
        # A slip is compared with the mark after the entry that it follows.
        self.assertEqual(told((1, 0, 1), (5, 1, 2), (3, 1, 3), (4, 3, 4)),
                         [False, False, False, True])
        # One that is too low moves the mark down.
        self.assertEqual(told((4, 0, 1), (9, 1, 2), (3, 1, 3), (4, 3, 4)),
                         [False, False, True, False])
        # One that came before is told, and moves no mark down.
        self.assertEqual(told((1, 0, 1), (5, 1, 2), (6, 2, 3), (5, 1, 4), (6, 4, 5), (7, 5, 6)),
                         [False, False, False, True, True, False])
        # In the same entry: only after all of it the mark holds.
        self.assertEqual(told((1, 0, 1), (3, 1, 2), (2, 1, 2), (3, 1, 2), (3, 2, 3), (4, 3, 4)),
                         [False, False, False, True, True, False])
        self.assertEqual(told((1, 0, 1), (0, 1, 2), (0, 2, 3)), [False, True, False])

    def test_counters_of_slips(self):
        slip = self.slip()  # 2
        self.log.add([checked("alice")], ["alice/one"])  # 3
        self.admit(slip)
        self.log.add([checked("alice")], ["alice/one"])  # 4
        self.assert_admitted()
        key = self.log.keys["alice/one"]
        key.counter = 0
        low = self.slip(*[checked("alice")] * 2, after=self.log.entries[0])
        key.counter = 2
        same = self.slip(*[checked("alice")] * 3, after=self.log.entries[0])
        self.admit(low, same)
        self.assertEqual(self.kinds(self.log), [(5, "counter"), (5, "counter")])
        # One that follows another was made after the entry that this one follows.
        self.restart()
        first, second = self.slip(), self.slip(checked("bob"), signers=["bob/one"])
        self.log.keys["alice/one"].counter = 5
        self.log.add([checked("alice")], ["alice/one"])
        self.log.keys["alice/one"].counter = 2
        self.admit(first, second, self.slip(after=first))
        self.assert_admitted()

    def test_coverage(self):
        self.admit(self.slip(time="2026-03-01T00:00:00Z"), time="2026-03-10T00:00:00Z")
        path = self.new()
        self.log.write(path)
        for day, states in (("2026-03-31", ("later", "due")), ("2026-03-09", ("later", "later")),
                            ("2026-04-09", ("later", "overdue"))):
            result = judge(path, NOW, day, population=True)
            standings = {name: rest for name, *rest in result["standings"]}
            found = [standings[f"key-check {name}/one"] for name in ("alice", "carol")]
            self.assertEqual(tuple(state for state, *_ in found), states)
        self.assertEqual(found[0][3], read_time("2026-03-10T00:00:00Z").day)


class TextsWithSlips(WithSlips):
    def rule(self, text):
        judgement = Judgement(VAULT)
        judgement.take_text(self.log.text(1))
        try:
            judgement.take_text(text)
        except Fault as fault:
            return fault.rule
        self.assertEqual(judgement.link, self.log.link)
        return None

    def test_texts(self):
        slips = [self.slip(signers=BOTH), self.slip(checked("carol"), signers=["carol/one"])]
        self.admit(*slips)
        own = self.log.entries[1].text
        first, second = (slip.text for slip in slips)
        whole = own + first + second
        self.assertEqual(whole, self.log.text(2))
        self.assertIsNone(self.rule(whole))
        for text in (own, own + first, own + second + first, whole + second, whole + b"\n",
                     own + first + b"\n" + second, own + first + first, first + second,
                     own + first + second[:-1], own + slips[0].document + second,
                     own + first + second + slips[1].signatures["carol/one"],
                     own + first + second.replace(b"selftest", b"selfTest")):
            self.assertEqual(self.rule(text), "form")

    def test_what_the_entry_names(self):
        slip = self.slip()
        self.log.add([checked("bob")], ["bob/one"])
        self.assertEqual(self.rule(self.log.text(2) + slip.text), "form")
        for named in ([slip.digest] * 2, ["0" * 64], [slip.digest, "0" * 64], [], ["x"]):
            self.restart()
            self.admit(slip, header={"slips": named})
            self.assertEqual(self.rule(self.log.text(2)), "form", named)
        self.restart()
        self.admit(slip, slip)
        self.assertEqual(self.rule(self.log.text(2)), "slip")
        # More than there may be.
        self.restart()
        self.admit(*[slip] * 256)
        self.assertEqual(self.rule(self.log.text(2)), "slip")
        self.restart()
        self.admit(*[slip] * 257)
        self.assertEqual(self.rule(self.log.text(2)), "form")

    def test_a_slip_that_nobody_signed(self):
        self.admit(self.slip(signers=[]))
        self.assertEqual(self.rule(self.log.text(2)), "signers")
        self.restart()
        self.admit(self.slip(signers=[]), self.slip())
        self.assertEqual(self.rule(self.log.text(2)), "form")


class BundlesWithSlips(WithSlips):
    def setUp(self):
        super().setUp()
        self.made = self.slip()
        self.admit(self.made)
        self.toml = f"{self.made.digest}.toml"

    def bundle(self, change=None):
        """The bundle, in which `change` does something to its folder of slips."""
        path = self.new()
        self.log.write(path)
        if change:
            change(os.path.join(path, "slips"))
        return judge(path, NOW)

    def test_odd_slips(self):
        def replaced(name, make):
            def change(slips):
                name_of_it = os.path.join(slips, name)
                os.rename(name_of_it, os.path.join(slips, "real"))
                make(name_of_it)
            return broken(self.bundle(change))

        def writes(octets):
            def make(name):
                with open(name, "wb") as file:
                    file.write(octets)
            return make

        other = self.slip(checked("carol"), after=self.log.entries[0])
        self.assertIsNone(broken(self.bundle()))
        for make in (lambda name: None, os.mkdir, os.mkfifo, lambda name: os.symlink("real", name),
                     lambda name: os.symlink("nowhere", name), writes(other.document),
                     writes(b""), writes(self.made.document + b"\n")):
            self.assertEqual(replaced(self.toml, make), (2, "form"))
            self.assertEqual(
                replaced(f"{self.made.digest}.alice.one.sig", make), (2, "signature")
            )
        self.assertIsNone(replaced(self.toml, lambda name: os.link(
            os.path.join(os.path.dirname(name), "real"), name
        )))

    def test_the_folder(self):
        def becomes_a_link(slips):
            os.rename(slips, slips + ".real")
            os.symlink("slips.real", slips)

        self.assertEqual(broken(self.bundle(becomes_a_link)), (2, "form"))
        self.assertEqual(broken(self.bundle(shutil.rmtree)), (2, "form"))

    def test_bytes_that_flip(self):
        chance = random.Random(3)

        def flip(slips):
            name = os.path.join(slips, chance.choice(sorted(os.listdir(slips))))
            with open(name, "rb+") as file:
                octets = bytearray(file.read())
                octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
                file.seek(0)
                file.write(octets)

        for _ in range(60):
            self.assertIn(broken(self.bundle(flip)), [(2, "form"), (2, "signature")])

    def test_other_files_count_for_nothing(self):
        def change(slips):
            for name in ("0" * 64 + ".toml", "x", f"{self.made.digest}.head"):
                with open(os.path.join(slips, name), "wb") as file:
                    file.write(b"nothing")

        result = self.bundle(change)
        self.assertEqual((broken(result), result["damage"]), (None, []))

    def test_form(self):
        self.restart()
        self.admit(self.slip(header={"format": 2}))
        self.assert_refused(2, "form")
        self.restart()
        self.admit(*[self.made] * 256)
        self.assert_refused(2, "slip")
        self.restart()
        self.admit(*[self.made] * 257)
        self.assert_refused(2, "form")
        self.restart()
        self.admit(self.made, header={"slips": [self.made.digest, "0" * 64]})
        self.assert_refused(2, "form")
        self.restart()
        self.admit(self.made, header={"slips": []}, events=[checked("bob")])
        self.assert_sound(self.log)

    def test_size(self):
        self.restart()
        slips = [
            self.slip(*[checked("alice")] * 100), self.slip(*[checked("carol")] * 150,
                                                            signers=["carol/one"])
        ]
        self.admit(*slips)
        documents = [self.log.entries[1], *slips]
        size = sum(len(one.document) for one in documents)
        for less, rule in ((0, None), (1, "form")):
            with patch.object(bundle, "MAX_DOCUMENT_BYTES", size - less):
                self.assertEqual(broken(self.judged(self.log)), rule and (2, rule))

    def test_allowed_signers(self):
        def enrolled(name, **options):
            return self.log.enrol(f"{name}/two", **options)

        self.restart()
        slips = [
            self.slip(enrolled(name), signers=[f"{name}/two", *BOTH]) for name in ("carol", "bob")
        ]
        self.admit(*slips, events=[enrolled("alice")], signers=["alice/two", *BOTH])
        self.assert_admitted()

        def lines(names, spaces="keymuster-demo,keymuster-demo-slip"):
            return "".join(
                f'{name} namespaces="{spaces}" {self.log.keys[name].line(b"ssh:keymuster-demo")}\n'
                for name in names
            ).encode()

        names = [f"{name}/one" for name in ("alice", "bob", "carol")]
        right = [*names, "carol/two", "bob/two", "alice/two"]
        for octets, is_right in [
            (lines(right), True), (lines(names + ["alice/two", "carol/two", "bob/two"]), False),
            (lines(names + ["alice/two"]), False), (lines(right, "keymuster-demo"), False),
            (lines(right, "keymuster-demo-slip,keymuster-demo"), False),
        ]:
            path = self.new()
            self.log.write(path)
            with open(os.path.join(path, "allowed_signers"), "wb") as file:
                file.write(octets)
            result = judge(path, NOW)
            self.assertIsNone(result["fault"])
            self.assertEqual(result["damage"] == [], is_right)
        self.assertEqual(result["counts"]["keys"], 6)

    def test_allowed_signers_of_a_real_vault(self):
        log = founded(["alice"], demo=False)
        path = self.new()
        log.write(path)
        line = log.keys["alice/one"].line(b"ssh:keymuster")
        with open(os.path.join(path, "allowed_signers"), "w", encoding="ascii") as file:
            file.write(f'alice/one namespaces="keymuster-head,keymuster-slip" {line}\n')
        self.assertEqual(judge(path, NOW)["damage"], [])

    def test_attachments(self):
        octets = b"runbook"
        sha256 = hashlib.sha256(octets).hexdigest()
        adopted = {
            "kind": "runbook-adopted", "runbook": "r", "version": 1, "title": "t",
            "sha256": sha256, "file": "2" * 64, "purposes": ["rehearsal"], "accounts": "none",
            "roles": ["operator", "witness"],
        }
        self.restart()
        self.admit(self.slip(adopted, signers=BOTH))
        for written, damage, files in ((octets, 0, 1), (b"other", 1, 0)):
            path = self.new()
            self.log.write(path)
            os.mkdir(os.path.join(path, "attachments"))
            with open(os.path.join(path, "attachments", sha256), "wb") as file:
                file.write(written)
            result = judge(path, NOW)
            self.assertIsNone(result["fault"])
            self.assertEqual((len(result["damage"]), result["counts"]["files"]), (damage, files))


class ExtractsWithSlips(WithSlips):
    def judge(self, *withheld):
        return broken(self.judged(self.log, withheld))

    def test_they_are_shown_with_their_entry(self):
        self.admit(self.slip())
        self.log.add([checked("bob")], ["bob/one"])
        self.admit(self.slip(checked("carol"), signers=["carol/one"]), events=[checked("bob")])
        result = self.judged(self.log, [2])
        self.assertIsNone(result["fault"])
        self.assertEqual(result["verdicts"]["authority"], {"verdict": "partial"})
        self.assertEqual(result["head"]["link"], self.log.link)
        counts = result["counts"]
        self.assertEqual((counts["withheld"], counts["signatures"]), (1, 6))
        self.assertIsNone(self.judge(3))
        self.assertIsNone(self.judge(4))
        self.log.keys["alice/one"].counter = 0
        self.admit(self.slip())
        self.assertEqual(self.judged(self.log, [3])["findings"], [{"entry": 5, "kind": "counter"}])

    def test_links_of_what_is_withheld_are_known(self):
        self.log.add([checked("bob")], ["bob/one"])
        self.admit(self.slip())
        self.assertIsNone(self.judge(2))
        self.admit(self.log.entries[1])
        self.assertEqual(self.judge(2), (4, "slip"))

    def test_what_withheld_entries_admitted_isnt_known(self):
        slip = self.slip()
        self.admit(slip)
        self.admit(slip)
        self.assertEqual(self.judge(), (3, "slip"))
        self.assertIsNone(self.judge(2))
        self.restart()
        self.admit(slip)
        self.admit(self.slip(after=slip))
        self.assertIsNone(self.judge())
        self.assertIsNone(self.judge(2))
        self.restart()
        self.log.add([head_abandoned(slip)], BOTH)
        self.admit(slip)
        self.assertIsNone(self.judge(2))

    def test_what_was_given_up_is_known_where_that_is_shown(self):
        slip = self.slip()
        self.log.add([head_abandoned(slip)], BOTH)
        self.log.add([checked("bob")], ["bob/one"])
        self.admit(self.slip(after=slip))
        self.assertEqual(self.judge(3), (4, "slip"))

    def test_what_doesnt_happen(self):
        """Events of other kinds, in slips too. But they are signed for."""
        removed = {"kind": "account-removed", "account": "none"}
        slip = self.slip(removed, signers=BOTH)
        self.admit(slip)
        self.log.add([checked("bob")], ["bob/one"])
        self.log.add([checked("bob")], ["bob/one"])
        self.assertEqual(self.judge(), (2, "event"))
        self.assertIsNone(self.judge(4))
        self.restart()
        self.admit(self.slip(removed))
        self.log.add([checked("bob")], ["bob/one"])
        self.assertEqual(self.judge(3), (2, "authority"))


# Events, by the state alone

class Events(unittest.TestCase):
    """What each event is refused for, with neither signatures nor authority."""

    def setUp(self):
        self.state = State()
        self.number = 0
        self.happen(vault_created(), *map(custodian_added, ("alice", "bob", "carol")))
        for name in ("alice/one", "bob/one", "carol/one"):
            self.happen(self.enrolled(name))
        self.happen(*(
            compartment_sealed(name, 1, ["alice", "bob", "carol"]) for name in ("records", "seeds")
        ))

    def happen(self, *events, signers=("alice/one", "bob/one")):
        """An entry with these events."""
        self.number += 1
        entry = SimpleNamespace(
            number=self.number, time=read_time("2026-01-01T00:00:00Z"), signers=list(signers)
        )
        for event in events:
            self.state.happen(event, entry)

    def refuse(self, *events):
        with self.assertRaises(Fault, msg=events) as raised:
            self.happen(*events)
        self.assertEqual(raised.exception.rule, "event")

    @staticmethod
    def enrolled(name):
        return {"kind": "key-enrolled", "key": name, "public_key": name, "credential": name}

    @staticmethod
    def reported(key, reporter, kind="key-lost"):
        return {"kind": kind, "key": key, "reporter": reporter}

    @staticmethod
    def restored(key):
        return {"kind": "key-restored", "key": key}

    def key(self, name):
        key = self.state.keys[name]
        return key.state, [claim.reporter for claim in key.claims]

    def account(self, name="prod", **changes):
        return {"kind": "account-added", "account": name, "provider": "x", "id": name,
                "root_credentials": True, **changes}

    def linked(self, device, *accounts, kind="device-linked", **changes):
        return {"kind": kind, "device": device, "accounts": list(accounts), **changes}

    def test_succession(self):
        def succeeds(number):
            return {"kind": "vault-succeeds", "vault": "0" * 32, "number": number, "link": "1" * 64}

        self.refuse(succeeds(0))
        self.happen(succeeds(7))
        self.refuse(succeeds(8))

    def test_policy(self):
        def policy(**changes):
            return {"kind": "policy-changed", **changes}

        self.refuse(policy())
        for name in ("check_days", "acknowledgement_days", "contacts_days", "slip_days"):
            self.refuse(policy(**{name: 0}))
        self.refuse(policy(grace_days=3661))
        self.refuse(policy(check_days=14))
        self.refuse(policy(warn_days=90))
        self.refuse(policy(duties=["x"] * 51))
        self.happen(policy(grace_days=0, warn_days=0), policy(check_days=1))

    def test_reports_on_keys(self):
        self.refuse(self.reported("alice/two", "bob"))
        self.refuse(self.reported("alice/one", "dave"))
        self.happen(self.reported("alice/one", "bob"))
        self.assertEqual(self.key("alice/one"), ("suspended", []))
        self.refuse(self.reported("alice/one", "carol"))
        self.happen(self.reported("bob/one", "carol"))  # the floor doesn't hold any more
        self.assertEqual(self.key("bob/one"), ("active", ["carol"]))
        self.refuse(self.reported("bob/one", "carol", "key-compromised"))
        self.happen(self.reported("alice/one", "alice"))
        self.assertEqual(self.key("alice/one"), ("reported", []))
        self.refuse(self.reported("alice/one", "alice"))
        self.happen(self.reported("alice/one", "alice", "key-compromised"))
        self.refuse(self.reported("alice/one", "alice", "key-compromised"))
        self.refuse(self.restored("alice/one"))
        self.refuse(self.restored("carol/one"))
        self.happen(self.restored("bob/one"), signers=["bob/one"])
        self.assertEqual(self.key("bob/one"), ("active", []))
        self.assertTrue(self.state.custodians["carol"].overruled)
        self.assertFalse(self.state.custodians["bob"].overruled)

    def test_retirement(self):
        retired = {"kind": "key-retired", "key": "alice/one"}
        self.happen(self.reported("alice/one", "bob"), retired)
        self.assertEqual(self.key("alice/one"), ("retired", ["bob"]))
        self.refuse(retired)
        self.happen(self.restored("alice/one"))
        self.assertEqual(self.key("alice/one"), ("retired", []))
        self.assertFalse(self.state.custodians["bob"].overruled)
        self.refuse({"kind": "key-retired", "key": "bob/one"})
        self.refuse({"kind": "custodian-left", "custodian": "bob"})
        self.happen({"kind": "custodian-left", "custodian": "alice"})

    def test_reports_on_paper(self):
        self.refuse(self.reported("alice/paper", "bob"))
        sealed = {"kind": "identity-sealed", "custodian": "alice", "slot": "paper",
                  "generation": 1000, "sha256": ""}
        self.refuse({**sealed, "generation": 1001})
        self.refuse({**sealed, "generation": 0})
        self.refuse({**sealed, "plugin_sha256": ""})
        self.happen(sealed, self.reported("alice/paper", "bob"))
        self.refuse(self.reported("alice/paper", "carol"))
        self.happen(self.reported("alice/paper", "alice"))
        self.refuse(self.restored("alice/paper"))
        self.refuse(self.reported("alice/paper", "alice"))
        self.happen(self.reported("alice/paper", "alice", "key-compromised"))
        self.happen(
            {"kind": "recipient-changed", "custodian": "alice", "recipient": recipient("new")},
            {**sealed, "generation": 1001},
            self.reported("alice/paper", "carol"),
            self.restored("alice/paper"),
        )
        self.assertEqual(len(self.state.papers), 1)
        self.assertTrue(self.state.custodians["carol"].overruled)

    def test_people(self):
        self.refuse(custodian_added("alice"))
        self.refuse({**custodian_added("dave"), "recipient": recipient("alice")})
        self.refuse({"kind": "reader-added", "reader": "r", "recipient": recipient("r"),
                     "owner": "dave"})
        reader = {"kind": "reader-added", "reader": "r", "recipient": recipient("r"),
                  "owner": "carol"}
        self.happen(reader)
        self.assertEqual(self.state.members("records"), ["alice", "bob", "carol", "r"])
        self.assertEqual(self.state.openers("records"), {"alice", "bob", "carol"})
        self.happen({"kind": "custodian-left", "custodian": "carol"})
        self.assertEqual(self.state.members("records"), ["alice", "bob"])
        self.refuse({"kind": "reader-removed", "reader": "r"})
        self.refuse({**reader, "owner": "alice"})
        changed = {"kind": "custodian-changed", "custodian": "alice"}
        self.refuse(changed)
        self.refuse({**changed, "deputy": "alice"})
        self.refuse({**changed, "deputy": "carol"})
        self.happen({**changed, "contact": []})

    def test_compartments(self):
        sealed = compartment_sealed("x", 1, ["alice"])
        self.refuse(sealed)
        chosen = {"kind": "members-chosen", "compartment": "x", "members": ["alice"]}
        self.refuse({**chosen, "compartment": "seeds"})
        self.refuse({**chosen, "members": []})
        self.refuse({**chosen, "members": ["bob", "alice"]})
        self.refuse({**chosen, "members": ["dave"]})
        self.happen(chosen, sealed)
        self.refuse(compartment_sealed("x", 1, ["alice"]))
        self.refuse(compartment_sealed("x", 1002, ["alice"]))
        self.refuse({**compartment_sealed("x", 2, ["alice"]), "recipient": recipient("alice")})
        self.refuse(*(compartment_sealed("x", epoch, ["alice"]) for epoch in (2, 3)))
        for number in range(199):
            self.happen({**chosen, "compartment": f"y{number}"})
        self.refuse({**chosen, "compartment": "z"})
        self.happen(chosen)

    def test_accounts(self):
        self.refuse(self.account(provider="aws"))
        self.refuse(self.account(provider="aws-cn", id="12345678901٠"))
        self.refuse(self.account(tags=["b", "a"]))
        self.refuse(self.account(tags=["a", "a"]))
        self.happen(self.account(tags=["Z", "a", "ä"]))
        self.refuse(self.account())
        self.refuse(self.account("other", id="prod"))
        changed = {"kind": "account-changed", "account": "prod"}
        self.refuse(changed)
        self.refuse({**changed, "name": "x", "forgotten": ["name"]})
        self.refuse({**changed, "forgotten": ["tags", "name"]})
        self.refuse({**changed, "mailbox_through": ["none"]})
        self.happen({**changed, "mailbox_through": ["prod"], "forgotten": ["name", "tags"]})
        removed = {"kind": "account-removed", "account": "prod"}
        self.happen(removed, self.account("other", id="prod"))
        self.refuse(removed)
        self.refuse({**changed, "name": "x"})
        self.refuse(self.account(id="new"))

    def test_devices(self):
        self.happen(self.account(), self.account("test"),
                    self.account("bare", root_credentials=False))
        self.refuse(self.linked("token"))
        self.refuse(self.linked("token", "test", "prod"))
        self.refuse(self.linked("token", "bare"))
        self.refuse(self.linked("dave/one", "prod"))
        self.refuse(self.linked("alice/one", "prod", place="x"))
        self.happen(self.linked("token", "prod", "test", place="x"),
                    self.linked("alice/one", "prod"))
        self.refuse(self.linked("token", "prod"))
        root = {"kind": "root-user-changed", "account": "prod"}
        self.refuse(root)
        self.refuse({**root, "credentials": False})
        unlinked = [self.linked(device, "prod", kind="device-unlinked")
                    for device in ("token", "alice/one")]
        self.happen(*unlinked, {**root, "credentials": False}, {**root, "credentials": True})
        self.refuse(unlinked[0])
        self.refuse(self.linked("token", "prod"))
        self.happen(self.linked("alice/one", "prod"))
        self.refuse(*(self.linked(f"t{number}", "prod") for number in range(64)))
        moved = {"kind": "token-moved", "account": "test", "token": "token"}
        self.refuse(moved)
        self.refuse({**moved, "account": "prod", "place": "x"})
        self.happen({**moved, "place": "x"})

    def test_trials(self):
        self.happen(self.account(), self.linked("token", "prod"))
        trial = {"accounts": ["prod"], "outcome": "passed"}
        self.happen({"kind": "contacts-reviewed", **trial})
        self.refuse({"kind": "mailbox-tested", **trial})
        self.refuse({"kind": "phone-tested", **trial})
        self.refuse({"kind": "contacts-reviewed", **trial, "accounts": []})
        self.happen({"kind": "sign-in-proven", **trial, "device": "token"})
        self.refuse({"kind": "sign-in-proven", **trial, "device": "other"})
        totp = {"kind": "totp-checked", "account": "prod", "token": "token"}
        passed = {**totp, "outcome": "passed", "evidence": "two", "drift_seconds": 0}
        self.happen(passed, {**totp, "outcome": "failed"})
        self.refuse({**totp, "outcome": "passed", "evidence": "two"})
        self.refuse({**passed, "outcome": "failed"})
        self.refuse({**passed, "token": "other"})
        seed = {"kind": "secret-stored", "secret": "s", "holds": "seed", "account": "prod",
                "compartment": "seeds", "epoch": 1, "sha256": "", "fingerprint": "1"}
        self.happen({**seed, "token": "token"}, {**seed, "secret": "free"})
        self.refuse({**passed, "secret": "s.1"})
        self.refuse({**passed, "secret": "s.2", "fingerprint": "1"})
        self.happen({**passed, "secret": "s.1", "fingerprint": "1"},
                    {**passed, "secret": "free.1", "fingerprint": "1"},
                    self.linked("other", "prod"))
        self.refuse({**passed, "token": "other", "secret": "s.1", "fingerprint": "1"})
        self.happen({**passed, "token": "other", "secret": "free.1", "fingerprint": "1"})

    def test_secrets(self):
        self.happen(self.account(), self.linked("token", "prod"))
        note = {"kind": "secret-stored", "secret": "s", "holds": "note", "compartment": "seeds",
                "epoch": 1, "sha256": ""}
        for changes in ({"compartment": "records"}, {"compartment": "x"}, {"epoch": 2},
                        {"account": "none"}, {"token": "token"}, {"fingerprint": "1"},
                        {"account": "prod", "token": "token"}):
            self.refuse({**note, **changes})
        self.happen(note)
        self.refuse(note)
        replaced = {**note, "kind": "secret-replaced", "generation": 2}
        self.refuse({**replaced, "generation": 3})
        self.refuse({**replaced, "secret": "none"})
        self.happen(replaced)
        opened = {"kind": "secret-opened", "secrets": ["s.2", "s.1"], "opener": "carol"}
        self.happen(opened)
        for secrets in ([], ["s.1", "s.1"], ["s.3"], ["none.1"]):
            self.refuse({**opened, "secrets": secrets})

    def test_runbooks(self):
        adopted = {"kind": "runbook-adopted", "runbook": "r", "version": 2, "sha256": "1",
                   "purposes": ["rehearsal"], "accounts": "one",
                   "roles": ["witness", "operator"]}
        for changes in ({"version": 10001}, {"every_days": 10001}, {"purposes": []},
                        {"purposes": ["live", "rehearsal"]}, {"roles": ["operator"]},
                        {"optional_roles": ["witness"]},
                        {"optional_roles": [f"o{number}" for number in range(11)]}):
            self.refuse({**adopted, **changes})
        self.happen(adopted)
        self.refuse(adopted)
        self.happen({"kind": "runbook-withdrawn", "runbook": "r"})
        self.refuse({"kind": "runbook-withdrawn", "runbook": "r"})
        self.refuse({**adopted, "sha256": "2"})
        self.refuse({**adopted, "version": 1})
        self.happen(adopted, {**adopted, "version": 3})


if __name__ == "__main__":
    unittest.main()
