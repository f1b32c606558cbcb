"""The state that the entries of a log come to, and how each event changes it (events.md).

The names of tables and words are those of events.md, "The state". Each event has a method of its
name, which refuses it by a Fault of event or makes it happen.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from fault import Fault
from kinds import ACCOUNT_FIELDS

ACTIVE, SUSPENDED, REPORTED, RETIRED = "active", "suspended", "reported", "retired"
LOST, COMPROMISED = "lost", "compromised"
PAPER = "paper"
RECORDS, SEEDS = "records", "seeds"

MOST_STEPS_AHEAD = 1000
MOST_CHOSEN = 200
MOST_DAYS = 3660
MOST_ITEMS = 50
MOST_DEVICES = 64
MOST_RUNBOOK_NUMBER = 10000
MOST_ROLES = 12
MOST_DRILL_ITEMS = 100

DAYS = (
    "check_days", "acknowledgement_days", "contacts_days", "slip_days", "warn_days", "grace_days",
)


class Report(NamedTuple):
    kind: str  # LOST or COMPROMISED
    reporter: str


@dataclass
class Custodian:
    recipient: str
    overruled: bool = False


class Reader(NamedTuple):
    recipient: str
    owner: str  # or None


@dataclass
class Key:
    public_key: str
    holder: str
    state: str = ACTIVE
    report: Report = None  # while suspended or reported
    claims: list = field(default_factory=list)
    bag: str = None


class Copy(NamedTuple):
    generation: int
    recipient: str


class Compartment(NamedTuple):
    epoch: int
    begun_by: int  # the number of an entry
    recipients: dict  # of each member, when it was sealed


@dataclass
class Account:
    provider: str
    id: str
    credentials: bool
    email: str
    phone: str
    devices: set = field(default_factory=set)
    former_tokens: set = field(default_factory=set)


class Value(NamedTuple):
    compartment: str
    epoch: int
    fingerprint: str  # or None


@dataclass
class Secret:
    holds: str
    account: str
    token: str
    values: list  # number 1 first; the last is the present one


@dataclass
class Runbook:
    version: int
    sha256: str
    purposes: list
    accounts: str
    every_days: int  # or None
    roles: list
    optional_roles: list
    withdrawn: bool = False


@dataclass
class Drill:
    runbook: str
    purpose: str
    roster: dict  # role to person, when it began
    roles: list
    optional_roles: list
    took_part: set
    ended_by: int = None  # the number of an entry
    last_roster: dict = None
    reviewed: bool = False


def owner_of(key):
    return key.partition("/")[0]


def label_of(key):
    return key.partition("/")[2]


def is_sorted(items):
    """Whether each item is greater than the one before it. Code points sort as UTF-8 does."""
    return all(one < other for one, other in zip(items, items[1:]))


def follows(number, before):
    return before < number <= before + MOST_STEPS_AHEAD


def parts(roster):
    """The parts of a roster, as pairs of a role and a person."""
    return [tuple(part.split("=")) for part in roster]


def split_secret_value(value):
    secret, _, number = value.partition(".")
    return secret, int(number)


def refuse_if(condition, reason):
    if condition:
        raise Fault("event", reason)


class State:
    def __init__(self):
        self.vault = False
        self.succeeds = False
        self.demo = None
        self.policy = {}
        self.custodians = {}
        self.readers = {}
        self.handles = set()
        self.recipients = set()
        self.keys = {}
        self.two = False
        self.copies = {}
        self.papers = {}
        self.chosen = {}
        self.compartments = {}
        self.accounts = {}
        self.former_accounts = set()
        self.secrets = {}
        self.runbooks = {}
        self.drills = {}
        self.waivers = set()
        self.actions = {}
        # What follows from the tables, kept so that it needn't be looked for.
        self._key_owners = set()
        self._public_keys = set()
        self._credentials = set()
        self._account_ids = set()

    # Words

    def keyed(self, custodian):
        """Whether they are a keyed custodian."""
        return custodian in self.custodians and custodian in self._key_owners

    def able(self, without=()):
        """The able custodians, as if some keys weren't there."""
        return {
            owner_of(name) for name, key in self.keys.items()
            if key.state == ACTIVE and name not in without and owner_of(name) in self.custodians
        }

    @property
    def quorum(self):
        return 2 if self.two else 1

    def floor_holds_without(self, keys):
        left = len(self.able(without=keys))
        return left >= self.quorum or left >= len(self.able())

    def members(self, compartment):
        """The members of a compartment, sorted."""
        members = {name for name in self.custodians if self.keyed(name)}
        if compartment == RECORDS:
            members |= self.readers.keys()
        elif compartment != SEEDS:
            members &= self.chosen.get(compartment, set())
        return sorted(members)

    def recipient(self, member):
        """The recipient that a custodian or a reader has now."""
        return (self.custodians.get(member) or self.readers[member]).recipient

    def openers(self, compartment):
        if compartment not in self.compartments:
            return set()
        kept = set(self.compartments[compartment].recipients.values())
        return {name for name in self.members(compartment) if self.recipient(name) in kept}

    def on_record(self, account):
        return account in self.accounts and account not in self.former_accounts

    def value(self, name):
        """The value of a secret that is meant by such as `prod-seed.2`, if there is one."""
        secret, number = split_secret_value(name)
        values = self.secrets[secret].values if secret in self.secrets else []
        return values[number - 1] if number <= len(values) else None

    # What happens

    def happen(self, event, entry):
        """Makes an event of that entry happen, or refuses it."""
        kind = event["kind"]
        if kind != "vault-created":
            refuse_if(not self.vault, "there is no vault yet")
        getattr(self, kind.replace("-", "_"))(event, entry)

    def _refuse_unless_present(self, *people):
        for person in people:
            refuse_if(person not in self.custodians, f"{person} is no custodian")

    def _refuse_unless_two_present(self, one, other):
        self._refuse_unless_present(one, other)
        refuse_if(one == other, f"{one} can't be both")

    def _refuse_unless_key(self, name):
        refuse_if(name not in self.keys, f"there is no key {name}")

    def _refuse_unless_on_record(self, accounts):
        for account in accounts:
            refuse_if(not self.on_record(account), f"there is no account {account}")

    def _refuse_unless_accounts(self, accounts):
        refuse_if(not accounts, "it names no account")
        refuse_if(not is_sorted(accounts), "its accounts aren't sorted")
        self._refuse_unless_on_record(accounts)

    def _refuse_unless_token(self, account, token):
        self._refuse_unless_on_record([account])
        refuse_if(token not in self.accounts[account].devices, f"{account} has no token {token}")

    def _refuse_unless_new_person(self, handle, recipient):
        refuse_if(handle in self.handles, f"the handle {handle} is taken")
        refuse_if(recipient in self.recipients, "the recipient is taken")

    @staticmethod
    def _refuse_unsorted(event, names):
        for name in names:
            items = event.get(name, [])
            refuse_if(len(items) > MOST_ITEMS, f"{name} has too many items")
            refuse_if(not is_sorted(items), f"{name} isn't sorted")

    # Vault and policy

    def vault_succeeds(self, event, _):
        refuse_if(self.succeeds, "it succeeds a vault already")
        refuse_if(event["number"] == 0, "it succeeds a vault without entries")
        self.succeeds = True

    def vault_created(self, event, _):
        refuse_if(self.vault, "there is a vault already")
        self.vault = True
        self.demo = event["demo"]
        self.policy = {
            "user_verification": event["user_verification"],
            "check_days": 90,
            "acknowledgement_days": 365,
            "contacts_days": 180,
            "slip_days": 14,
            "warn_days": 14,
            "grace_days": 7,
            "duties": [],
        }

    def policy_changed(self, event, _):
        changes = {name: value for name, value in event.items() if name != "kind"}
        refuse_if(not changes, "it changes nothing")
        for name in DAYS:
            days = changes.get(name, 1)
            refuse_if(days > MOST_DAYS, f"{name} is too great")
            refuse_if(days == 0 and name not in ("warn_days", "grace_days"), f"{name} is 0")
        refuse_if(len(changes.get("duties", [])) > MOST_ITEMS, "there are too many duties")
        policy = {**self.policy, **changes}
        for name in ("check_days", "acknowledgement_days", "contacts_days"):
            refuse_if(policy[name] <= policy["warn_days"], f"{name} isn't greater than warn_days")
        self.policy = policy

    # Custodians

    def custodian_added(self, event, _):
        handle, recipient = event["custodian"], event["recipient"]
        self._refuse_unless_new_person(handle, recipient)
        self.handles.add(handle)
        self.recipients.add(recipient)
        self.custodians[handle] = Custodian(recipient)

    def custodian_changed(self, event, _):
        refuse_if(not event.keys() & {"name", "contact", "deputy"}, "it changes nothing")
        if "deputy" in event:
            self._refuse_unless_two_present(event["custodian"], event["deputy"])
        self._refuse_unless_present(event["custodian"])
        refuse_if(len(event.get("contact", [])) > MOST_ITEMS, "contact has too many lines")

    def custodian_left(self, event, _):
        handle = event["custodian"]
        self._refuse_unless_present(handle)
        own = {name for name in self.keys if owner_of(name) == handle}
        refuse_if(not self.floor_holds_without(own), "too few custodians would be able")
        del self.custodians[handle]
        for name in own:
            if self.keys[name].state in (ACTIVE, SUSPENDED):
                self._retire(self.keys[name])
        for name in [name for name in self.copies if owner_of(name) == handle]:
            del self.copies[name]
        for name in [name for name, reader in self.readers.items() if reader.owner == handle]:
            del self.readers[name]

    def duties_acknowledged(self, event, _):
        duties = event["duties"]
        refuse_if(not duties, "there are no duties")
        refuse_if(len(duties) > MOST_ITEMS, "there are too many duties")
        refuse_if(self.policy["duties"] not in ([], duties), "the duties are others")
        self._refuse_unless_present(event["custodian"])

    def recipient_changed(self, event, _):
        self._refuse_unless_present(event["custodian"])
        refuse_if(event["recipient"] in self.recipients, "the recipient is taken")
        self.recipients.add(event["recipient"])
        self.custodians[event["custodian"]].recipient = event["recipient"]

    # Readers

    def reader_added(self, event, _):
        if "owner" in event:
            self._refuse_unless_present(event["owner"])
        handle, recipient = event["reader"], event["recipient"]
        self._refuse_unless_new_person(handle, recipient)
        self.handles.add(handle)
        self.recipients.add(recipient)
        self.readers[handle] = Reader(recipient, event.get("owner"))

    def reader_removed(self, event, _):
        refuse_if(event["reader"] not in self.readers, "there is no such reader")
        del self.readers[event["reader"]]

    # Keys

    def key_enrolled(self, event, _):
        name, owner = event["key"], owner_of(event["key"])
        self._refuse_unless_present(owner)
        refuse_if(label_of(name) == PAPER, "a key can't be called paper")
        refuse_if(name in self.keys, f"there is or was a key {name}")
        refuse_if(event["public_key"] in self._public_keys, "the public key is enrolled already")
        refuse_if(event["credential"] in self._credentials, "the credential is enrolled already")
        self.keys[name] = Key(event["public_key"], holder=owner)
        self._public_keys.add(event["public_key"])
        self._credentials.add(event["credential"])
        self._key_owners.add(owner)
        self.two = len(self._key_owners) > 1

    def key_checked(self, event, _):
        self._refuse_unless_key(event["key"])

    def key_lost(self, event, _):
        self._report(event["key"], Report(LOST, event["reporter"]))

    def key_compromised(self, event, _):
        self._report(event["key"], Report(COMPROMISED, event["reporter"]))

    def _report(self, name, report):
        self._refuse_unless_present(report.reporter)
        own = report.reporter == owner_of(name)
        if label_of(name) == PAPER:
            self._report_paper(name, report, own)
            return
        self._refuse_unless_key(name)
        key = self.keys[name]
        if own and key.state in (ACTIVE, SUSPENDED, RETIRED):
            key.state, key.report, key.claims = REPORTED, report, []
        elif (own and key.state == REPORTED
                and key.report.kind == LOST and report.kind == COMPROMISED):
            key.report = report
        elif not own and key.state == ACTIVE and self.floor_holds_without({name}):
            key.state, key.report = SUSPENDED, report
        elif not own and key.state in (ACTIVE, RETIRED):
            refuse_if(
                any(claim.reporter == report.reporter for claim in key.claims),
                f"{report.reporter} claimed that already",
            )
            key.claims.append(report)
        else:
            raise Fault("event", f"{name} is reported already")

    def _report_paper(self, name, report, own):
        refuse_if(name not in self.copies, f"there is no copy {name}")
        place = name, self.copies[name].recipient
        standing = self.papers.get(place)
        if standing:
            refuse_if(not own, f"{name} is reported already")
            worse = standing.kind == LOST and report.kind == COMPROMISED
            refuse_if(
                standing.reporter == owner_of(name) and not worse,
                f"{name} is reported by its owner already",
            )
        self.papers[place] = report

    def key_restored(self, event, entry):
        name = event["key"]
        if label_of(name) == PAPER:
            withdrawn = {
                place: report for place, report in self.papers.items()
                if place[0] == name and report.reporter != owner_of(name)
            }
            refuse_if(not withdrawn, f"nobody else reported {name}")
            for place in withdrawn:
                del self.papers[place]
            self._overrule(withdrawn.values(), entry)
            return
        self._refuse_unless_key(name)
        key = self.keys[name]
        withdrawn = list(key.claims)
        if key.state == SUSPENDED:
            withdrawn.append(key.report)
        refuse_if(key.state == REPORTED or not withdrawn, f"nobody else reported {name}")
        if key.state == SUSPENDED:
            key.state, key.report = ACTIVE, None
        key.claims = []
        self._overrule(withdrawn, entry)

    def _overrule(self, reports, entry):
        signers = {owner_of(signer) for signer in entry.signers}
        for report in reports:
            if report.reporter in self.custodians and report.reporter not in signers:
                self.custodians[report.reporter].overruled = True

    def key_retired(self, event, _):
        name = event["key"]
        self._refuse_unless_key(name)
        key = self.keys[name]
        refuse_if(key.state in (REPORTED, RETIRED), f"{name} is {key.state}")
        refuse_if(
            key.state == ACTIVE and not self.floor_holds_without({name}),
            "too few custodians would be able",
        )
        self._retire(key)

    @staticmethod
    def _retire(key):
        if key.state == SUSPENDED:
            key.claims.append(key.report)
        key.state, key.report = RETIRED, None

    # Custody

    def key_moved(self, event, _):
        refuse_if(not event.keys() & {"place", "pin_place"}, "it changes nothing")
        self._refuse_unless_key(event["key"])

    def key_handed_over(self, event, _):
        name, giver, taker = event["key"], event["giver"], event["taker"]
        self._refuse_unless_two_present(giver, taker)
        self._refuse_unless_key(name)
        holder = self.keys[name].holder
        if holder in self.custodians:
            refuse_if(holder != giver, f"{holder} has {name}")
        elif owner_of(name) in self.custodians:
            refuse_if(owner_of(name) != giver, f"{name} is {owner_of(name)}'s to give")
        self.keys[name].holder = taker

    def bag_sealed(self, event, _):
        self._refuse_unless_two_present(event["sealer"], event["witness"])
        self._refuse_unless_key(event["key"])
        refuse_if(self.keys[event["key"]].bag is not None, f"{event['key']} is in a bag")
        self.keys[event["key"]].bag = event["bag"]

    def bag_opened(self, event, _):
        self._refuse_unless_two_present(event["opener"], event["witness"])
        self._refuse_unless_key(event["key"])
        refuse_if(self.keys[event["key"]].bag is None, f"{event['key']} is in no bag")
        self.keys[event["key"]].bag = None

    # Identities and compartments

    def identity_sealed(self, event, _):
        custodian, slot = event["custodian"], event["slot"]
        name = f"{custodian}/{slot}"
        self._refuse_unless_present(custodian)
        if slot != PAPER:
            self._refuse_unless_key(name)
            refuse_if(self.keys[name].state != ACTIVE, f"{name} isn't active")
        refuse_if(
            (slot == PAPER) == ("plugin_sha256" in event),
            "plugin_sha256 is there for paper, or isn't for a key",
        )
        before = self.copies[name].generation if name in self.copies else 0
        refuse_if(not follows(event["generation"], before), "the generation doesn't follow")
        self.copies[name] = Copy(event["generation"], self.custodians[custodian].recipient)

    def members_chosen(self, event, _):
        compartment, members = event["compartment"], event["members"]
        refuse_if(compartment in (RECORDS, SEEDS), f"the members of {compartment} aren't chosen")
        refuse_if(not members or not is_sorted(members), "the members are none or not sorted")
        for member in members:
            refuse_if(not self.keyed(member), f"{member} is no custodian with a key")
        refuse_if(
            compartment not in self.chosen and len(self.chosen) >= MOST_CHOSEN,
            "there are too many compartments",
        )
        self.chosen[compartment] = set(members)

    def compartment_sealed(self, event, entry):
        name = event["compartment"]
        refuse_if(
            name not in (RECORDS, SEEDS) and name not in self.chosen,
            f"there is no compartment {name}",
        )
        members = self.members(name)
        refuse_if(not members or event["members"] != members, "the members are others")
        before = self.compartments.get(name)
        refuse_if(
            before is not None and before.begun_by == entry.number,
            f"this entry began an epoch of {name} already",
        )
        refuse_if(
            not follows(event["epoch"], before.epoch if before else 0), "the epoch doesn't follow"
        )
        refuse_if(event["recipient"] in self.recipients, "the recipient is taken")
        self.recipients.add(event["recipient"])
        self.compartments[name] = Compartment(
            event["epoch"], entry.number, {member: self.recipient(member) for member in members}
        )

    # Accounts

    def account_added(self, event, _):
        handle, provider, identifier = event["account"], event["provider"], event["id"]
        if provider == "aws" or provider.startswith("aws-"):
            refuse_if(
                len(identifier) != 12 or set(identifier) - set("0123456789"),
                "the id of an AWS account is twelve digits",
            )
        self._refuse_unsorted(event, ("tags", "mailbox_readers", "phone_answerers"))
        refuse_if(handle in self.accounts, f"there is or was an account {handle}")
        refuse_if(
            (provider, identifier) in self._account_ids, "there is an account of that id"
        )
        self._account_ids.add((provider, identifier))
        self.accounts[handle] = Account(
            provider,
            identifier,
            event["root_credentials"],
            event.get("root_email"),
            event.get("root_phone"),
        )

    def account_changed(self, event, _):
        forgotten = event.get("forgotten", [])
        refuse_if(event.keys() == {"kind", "account"}, "it changes nothing")
        self._refuse_unsorted(
            event, ("tags", "mailbox_readers", "mailbox_through", "phone_answerers")
        )
        refuse_if(
            not is_sorted([ACCOUNT_FIELDS.index(name) for name in forgotten]),
            "forgotten isn't sorted",
        )
        self._refuse_unless_on_record(event.get("mailbox_through", []))
        refuse_if(event.keys() & set(forgotten), "what it changes is forgotten, too")
        self._refuse_unless_on_record([event["account"]])

    def root_user_changed(self, event, _):
        refuse_if(not event.keys() & {"credentials", "email", "phone"}, "it changes nothing")
        self._refuse_unless_on_record([event["account"]])
        account = self.accounts[event["account"]]
        refuse_if(
            event.get("credentials") is False and account.devices, "its root user has a device"
        )
        account.credentials = event.get("credentials", account.credentials)
        account.email = event.get("email", account.email)
        account.phone = event.get("phone", account.phone)

    def account_removed(self, event, _):
        self._refuse_unless_on_record([event["account"]])
        account = self.accounts[event["account"]]
        self.former_accounts.add(event["account"])
        self._account_ids.remove((account.provider, account.id))

    # Devices

    def device_linked(self, event, _):
        device = event["device"]
        is_key = "/" in device
        if is_key:
            self._refuse_unless_key(device)
            refuse_if(self.keys[device].state != ACTIVE, f"{device} isn't active")
            refuse_if(event.keys() & {"holder", "place"}, "a key has its own holder and place")
        self._refuse_unless_accounts(event["accounts"])
        for name in event["accounts"]:
            account = self.accounts[name]
            refuse_if(not account.credentials, f"the root user of {name} has no credentials")
            refuse_if(device in account.devices, f"{name} has {device} already")
            refuse_if(len(account.devices) >= MOST_DEVICES, f"{name} has too many devices")
            refuse_if(device in account.former_tokens, f"{name} had another token {device}")
        for name in event["accounts"]:
            self.accounts[name].devices.add(device)

    def device_unlinked(self, event, _):
        device = event["device"]
        self._refuse_unless_accounts(event["accounts"])
        for name in event["accounts"]:
            refuse_if(device not in self.accounts[name].devices, f"{name} has no {device}")
        for name in event["accounts"]:
            self.accounts[name].devices.remove(device)
            if "/" not in device:
                self.accounts[name].former_tokens.add(device)

    def token_moved(self, event, _):
        refuse_if(not event.keys() & {"holder", "place"}, "it changes nothing")
        self._refuse_unless_token(event["account"], event["token"])

    # Trials

    def contacts_reviewed(self, event, _):
        self._refuse_unless_accounts(event["accounts"])

    def mailbox_tested(self, event, _):
        self._refuse_unless_accounts(event["accounts"])
        for name in event["accounts"]:
            refuse_if(self.accounts[name].email is None, f"{name} has no address on record")

    def phone_tested(self, event, _):
        self._refuse_unless_accounts(event["accounts"])
        for name in event["accounts"]:
            refuse_if(self.accounts[name].phone is None, f"{name} has no telephone on record")

    def sign_in_proven(self, event, _):
        self._refuse_unless_accounts(event["accounts"])
        for name in event["accounts"]:
            account = self.accounts[name]
            refuse_if(not account.credentials, f"the root user of {name} has no credentials")
            refuse_if(
                "device" in event and event["device"] not in account.devices,
                f"{name} has no such device",
            )

    def totp_checked(self, event, _):
        passed = event["outcome"] == "passed"
        for name in ("evidence", "drift_seconds"):
            refuse_if(passed != (name in event), f"{name} doesn't suit the outcome")
        self._refuse_unless_token(event["account"], event["token"])
        if "secret" in event:
            value = self.value(event["secret"])
            refuse_if(value is None, f"there is no {event['secret']}")
            secret = self.secrets[split_secret_value(event["secret"])[0]]
            refuse_if(
                secret.account not in (None, event["account"]), "it is another account's secret"
            )
            refuse_if(secret.token not in (None, event["token"]), "it is another token's secret")
            refuse_if(value.fingerprint != event.get("fingerprint"), "it is another seed")

    # Secrets

    def _new_value(self, event, holds):
        """The value of a secret that is stored or replaced, in the compartment that it names."""
        name = event["compartment"]
        refuse_if("fingerprint" in event and holds != "seed", "it is no seed")
        refuse_if(name == RECORDS, "records holds no secrets")
        refuse_if(not self.openers(name), f"nobody opens the compartment {name}")
        refuse_if(self.compartments[name].epoch != event["epoch"], f"{name} is in another epoch")
        return Value(name, event["epoch"], event.get("fingerprint"))

    def secret_stored(self, event, _):
        name, holds, account = event["secret"], event["holds"], event.get("account")
        refuse_if(name in self.secrets, f"there is a secret {name}")
        if "account" in event:
            self._refuse_unless_on_record([account])
        if "token" in event:
            refuse_if("account" not in event, "a token is an account's")
            refuse_if(holds != "seed", "a token has a seed")
            self._refuse_unless_token(account, event["token"])
        value = self._new_value(event, holds)
        self.secrets[name] = Secret(holds, account, event.get("token"), [value])

    def secret_replaced(self, event, _):
        refuse_if(event["secret"] not in self.secrets, f"there is no secret {event['secret']}")
        secret = self.secrets[event["secret"]]
        refuse_if(
            event["generation"] != len(secret.values) + 1, "it isn't the number of the next value"
        )
        secret.values.append(self._new_value(event, secret.holds))

    def secret_opened(self, event, _):
        values = event["secrets"]
        self._refuse_unless_present(event["opener"])
        refuse_if(not values, "it names no secret")
        refuse_if(len(set(values)) != len(values), "it names one twice")
        for name in values:
            refuse_if(self.value(name) is None, f"there is no {name}")

    # Runbooks

    def runbook_adopted(self, event, _):
        name, version, sha256 = event["runbook"], event["version"], event["sha256"]
        for number in ("version", "every_days", "target_minutes"):
            refuse_if(event.get(number, 1) > MOST_RUNBOOK_NUMBER, f"{number} is too great")
        purposes = event["purposes"]
        refuse_if(
            purposes not in (["rehearsal"], ["live"], ["rehearsal", "live"]),
            "the purposes are none or not sorted",
        )
        roles = event["roles"] + event.get("optional_roles", [])
        refuse_if(len(roles) > MOST_ROLES, "there are too many roles")
        refuse_if(len(set(roles)) != len(roles), "a role stands there twice")
        refuse_if(not {"operator", "witness"} <= set(event["roles"]), "it lacks a role")
        before = self.runbooks.get(name)
        if before is not None and version <= before.version:
            back = before.withdrawn and (version, sha256) == (before.version, before.sha256)
            refuse_if(not back, "the version isn't newer")
        self.runbooks[name] = Runbook(
            version,
            sha256,
            purposes,
            event["accounts"],
            event.get("every_days"),
            event["roles"],
            event.get("optional_roles", []),
        )

    def runbook_withdrawn(self, event, _):
        runbook = self.runbooks.get(event["runbook"])
        refuse_if(runbook is None or runbook.withdrawn, "there is no such runbook")
        runbook.withdrawn = True

    # Drills

    def _refuse_unless_roster_fits(self, roster, drill):
        roles = [role for role, _ in roster]
        people = [person for _, person in roster]
        self._refuse_unless_present(*people)
        refuse_if(
            not set(roles) <= {*drill.roles, *drill.optional_roles}, "the drill has no such role"
        )
        refuse_if(len(set(roles)) != len(roles), "a role is there twice")
        refuse_if(len(set(people)) != len(people), "somebody is there twice")
        needed = {"operator"} if drill.purpose == "live" else set(drill.roles)
        refuse_if(not needed <= set(roles), "a role is missing")

    def drill_started(self, event, _):
        name, purpose, accounts = event["drill"], event["purpose"], event["accounts"]
        refuse_if(name in self.drills, f"there is a drill {name}")
        runbook = self.runbooks.get(event["runbook"])
        refuse_if(runbook is None or runbook.withdrawn, "there is no such runbook")
        refuse_if(
            (event["version"], event["sha256"]) != (runbook.version, runbook.sha256),
            "the runbook is another one now",
        )
        refuse_if(purpose not in runbook.purposes, "the runbook isn't for that purpose")
        if purpose == "live":
            refuse_if("task" not in event or "approver" not in event, "it lacks task or approver")
        else:
            refuse_if("task" in event, "a rehearsal has no task")
        suits = {"none": not accounts, "one": len(accounts) == 1, "many": bool(accounts)}
        refuse_if(not suits[runbook.accounts], "the runbook is for another number of accounts")
        refuse_if(not is_sorted(accounts), "its accounts aren't sorted")
        self._refuse_unless_on_record(accounts)
        roster = parts(event["roster"])
        drill = Drill(
            event["runbook"],
            purpose,
            dict(roster),
            runbook.roles,
            runbook.optional_roles,
            {person for _, person in roster},
        )
        self._refuse_unless_roster_fits(roster, drill)
        self.drills[name] = drill

    def _end_drill(self, event, entry):
        drill = self.drills.get(event["drill"])
        refuse_if(drill is None or drill.ended_by is not None, "no such drill is under way")
        roster = parts(event["roster"])
        self._refuse_unless_roster_fits(roster, drill)
        people = {person for _, person in roster}
        refuse_if(
            not any(role in drill.roles for role, _ in roster)
            and not people <= set(drill.roster.values()),
            "somebody is new to it, and nobody has one of its roles",
        )
        drill.ended_by = entry.number
        drill.last_roster = dict(roster)
        drill.took_part |= people

    def drill_finished(self, event, entry):
        for name in ("findings", "actions"):
            refuse_if(
                len(event.get(name, [])) > MOST_DRILL_ITEMS, f"{name} has too many items"
            )
        self._end_drill(event, entry)

    def drill_abandoned(self, event, entry):
        self._end_drill(event, entry)

    def drill_reviewed(self, event, _):
        self._refuse_unless_present(event["reviewer"])
        drill = self.drills.get(event["drill"])
        refuse_if(drill is None or drill.ended_by is None, "no such drill has ended")
        refuse_if(drill.reviewed, "the drill was reviewed already")
        refuse_if(event["reviewer"] in drill.took_part, "the reviewer took part")
        drill.reviewed = True

    def _drill_ended_by(self, event, entry):
        drill = self.drills.get(event["drill"])
        refuse_if(
            drill is None or drill.ended_by != entry.number, "this entry has ended no such drill"
        )
        return drill

    def drill_step(self, event, entry):
        self._drill_ended_by(event, entry)
        answers = event.get("answers", [])
        refuse_if(len(event.get("asked", [])) != len(answers), "an answer or a question is missing")
        refuse_if(len(answers) > MOST_DRILL_ITEMS, "there are too many answers")
        refuse_if(len(event.get("keys", [])) > MOST_DRILL_ITEMS, "there are too many keys")

    def drill_exception(self, event, entry):
        self._drill_ended_by(event, entry)

    def drill_interrupted(self, event, entry):
        self._drill_ended_by(event, entry)

    def part_taken(self, event, entry):
        drill = self._drill_ended_by(event, entry)
        refuse_if(drill.reviewed, "the drill was reviewed already")
        drill.took_part |= {event["to"], event.get("from", event["to"])}

    def evidence_kept(self, event, entry):
        self._drill_ended_by(event, entry)

    # Waivers and actions

    def waiver_given(self, event, entry):
        refuse_if(event["waiver"] in self.waivers, f"there is a waiver {event['waiver']}")
        refuse_if(event["until"] <= entry.time, "it ends before it is given")
        self.waivers.add(event["waiver"])

    def action_opened(self, event, _):
        self._refuse_unless_present(event["owner"])
        refuse_if(event["action"] in self.actions, f"there is an action {event['action']}")
        self.actions[event["action"]] = True

    def action_closed(self, event, _):
        refuse_if(not self.actions.get(event["action"]), "no such action is open")
        self.actions[event["action"]] = False

    # Slips, whose past isn't kept here

    def slip_endorsed(self, event, _):
        """It was asked for its signers already."""

    def head_abandoned(self, event, _):
        """What it does and what refuses it is a matter of slips."""
