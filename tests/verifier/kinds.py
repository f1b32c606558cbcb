"""The kinds of events and the fields of each, as the tables of events.md have them.

A line is a field and its type, written as events.md writes it: `T`, `T?`, `[T]`, `[T]*`, `[T]?`.
A type with `|` in it is a list of words.
"""

from typing import NamedTuple

from values import TYPES

ACCOUNT_FIELDS = (
    "name", "tags", "mailbox_readers", "mailbox_through", "phone_answerers", "billing_contact",
    "operations_contact", "security_contact", "password_place",
)


class Field(NamedTuple):
    name: str
    fits: object  # whether a value, or an item of a list, is of the type
    array: bool
    optional: bool
    may_be_empty: bool  # whether a list may stand there as []

    def admits(self, value):
        """Whether the value may stand in this field."""
        if not self.array:
            return self.fits(value)
        return (
            type(value) is list
            and (bool(value) or self.may_be_empty)
            and all(map(self.fits, value))
        )


def _words(text):
    words = text.split("|")
    return lambda value: type(value) is str and value in words


def fields(table):
    """The fields that a table has, in its order."""
    result = []
    for row in table.split("\n"):
        if not row.strip():
            continue
        name, written = row.split()
        item = written.rstrip("?*")
        array = item.startswith("[")
        item = item.strip("[]")
        result.append(Field(
            name,
            _words(item) if "|" in item else TYPES[item],
            array,
            optional=written[-1] in "?*",
            may_be_empty=written[-1] != "*",
        ))
    return result


HEADER = fields("""
    format u64
    vault vault-id
    number u64
    previous digest
    time time
    salt salt
    tool line
    signers [key-name]
    slips [digest]
""")

_REPORT = """
    key key-name
    reporter handle
    since time?
    remark line?
"""

_TRIAL = """
    accounts [handle]
    outcome passed|failed
    remark line?
"""

_TABLES = {
    # Vault and policy
    "vault-created": """
        name line
        demo boolean
        user_verification required|waived
    """,
    "vault-succeeds": """
        vault vault-id
        number u64
        link digest
        reason line?
    """,
    "policy-changed": """
        user_verification required|waived?
        check_days u32?
        acknowledgement_days u32?
        contacts_days u32?
        slip_days u32?
        warn_days u32?
        grace_days u32?
        duties [line]?
    """,

    # Custodians
    "custodian-added": """
        custodian handle
        name line?
        recipient recipient
    """,
    "custodian-changed": """
        custodian handle
        name line?
        contact [line]?
        deputy handle?
    """,
    "custodian-left": """
        custodian handle
        remark line?
    """,
    "duties-acknowledged": """
        custodian handle
        duties [line]
    """,
    "recipient-changed": """
        custodian handle
        recipient recipient
    """,

    # Readers
    "reader-added": """
        reader handle
        recipient recipient
        owner handle?
    """,
    "reader-removed": """
        reader handle
    """,

    # Keys
    "key-enrolled": """
        key key-name
        public_key public-key
        credential bytes
        aaguid aaguid
        product line?
        firmware u64?
        attestation_format line
        attestation_nonce salt
        attestation_data bytes
        attestation_algorithm i64?
        attestation_signature bytes
        attestation_certificates [bytes]
    """,
    "key-checked": """
        key key-name
    """,
    "key-lost": _REPORT,
    "key-compromised": _REPORT,
    "key-restored": """
        key key-name
    """,
    "key-retired": """
        key key-name
        remark line?
    """,

    # Custody
    "key-moved": """
        key key-name
        place line?
        pin_place line?
    """,
    "key-handed-over": """
        key key-name
        giver handle
        taker handle
        place line?
    """,
    "bag-sealed": """
        key key-name
        bag line
        sealer handle
        witness handle
    """,
    "bag-opened": """
        key key-name
        bag line
        intact boolean
        opener handle
        witness handle
    """,

    # Identities and compartments
    "identity-sealed": """
        custodian handle
        slot handle
        generation u32
        sha256 digest
        plugin_sha256 digest?
    """,
    "members-chosen": """
        compartment handle
        members [handle]
    """,
    "compartment-sealed": """
        compartment handle
        epoch u32
        recipient recipient
        members [handle]
        sha256 digest
    """,

    # Accounts
    "account-added": """
        account handle
        provider handle
        id line
        name line?
        tags [tag]*
        root_credentials boolean
        root_email email?
        mailbox_readers [handle]*
        root_phone telephone?
        phone_answerers [handle]*
        billing_contact contact?
        operations_contact contact?
        security_contact contact?
        password_place line?
    """,
    "account-changed": f"""
        account handle
        name line?
        tags [tag]*
        mailbox_readers [handle]*
        mailbox_through [handle]*
        phone_answerers [handle]*
        billing_contact contact?
        operations_contact contact?
        security_contact contact?
        password_place line?
        forgotten [{"|".join(ACCOUNT_FIELDS)}]*
    """,
    "root-user-changed": """
        account handle
        credentials boolean?
        email email?
        phone telephone?
    """,
    "account-removed": """
        account handle
        remark line?
    """,

    # Devices
    "device-linked": """
        device device
        accounts [handle]
        holder handle?
        place line?
    """,
    "device-unlinked": """
        device device
        accounts [handle]
        remark line?
    """,
    "token-moved": """
        account handle
        token handle
        holder handle?
        place line?
    """,

    # Trials
    "contacts-reviewed": _TRIAL,
    "mailbox-tested": _TRIAL,
    "phone-tested": _TRIAL,
    "sign-in-proven": """
        accounts [handle]
        device device?
        evidence line?
        outcome passed|failed
        remark line?
    """,
    "totp-checked": """
        account handle
        token handle
        outcome passed|failed
        evidence two-consecutive|two|one?
        drift_seconds i64?
        fingerprint fingerprint?
        secret secret-value?
    """,

    # Secrets
    "secret-stored": """
        secret handle
        holds seed|password|recovery-codes|note
        account handle?
        token handle?
        compartment handle
        epoch u32
        sha256 digest
        fingerprint fingerprint?
    """,
    "secret-replaced": """
        secret handle
        generation u32
        compartment handle
        epoch u32
        sha256 digest
        fingerprint fingerprint?
    """,
    "secret-opened": """
        secrets [secret-value]
        opener handle
        purpose show|code|check|identify|drill
        reason line?
    """,

    # Runbooks
    "runbook-adopted": """
        runbook handle
        version count
        title line
        sha256 digest
        file digest
        purposes [rehearsal|live]
        accounts none|one|many
        every_days count?
        target_minutes count?
        roles [handle]
        optional_roles [handle]*
    """,
    "runbook-withdrawn": """
        runbook handle
        reason line
    """,

    # Drills
    "drill-started": """
        drill handle
        runbook handle
        version count
        sha256 digest
        purpose rehearsal|live
        objective line
        scenario line?
        accounts [handle]
        roster [part]
        task line?
        approver line?
        ticket line?
    """,
    "drill-finished": """
        drill handle
        roster [part]
        outcome passed|failed
        seconds u32
        signed_out yes|no|not-applicable
        alarm_received yes|no|not-applicable
        credentials_renewed yes|no|not-applicable
        findings [line]*
        actions [handle]*
        journal digest
    """,
    "drill-abandoned": """
        drill handle
        roster [part]
        reason line
        journal digest?
    """,
    "drill-reviewed": """
        drill handle
        reviewer handle
        outcome passed|failed
        remark line
    """,
    "drill-step": """
        drill handle
        visit u32
        step handle
        title line
        sha256 digest
        by handle
        person handle
        witness handle?
        expected line?
        begun time
        ended time
        seconds u32
        result done|failed|skipped|not-applicable|unfinished
        observed line?
        choice line?
        asked [line]*
        answers [line]*
        keys [key-name]*
        opened secret-value?
        receipt u64?
        then handle?
    """,
    "drill-exception": """
        drill handle
        step handle?
        at time
        message line
        action line?
        approver line?
    """,
    "drill-interrupted": """
        drill handle
        step handle?
        from time
        until time?
        reason line?
        message line?
        confirmed_by handle?
    """,
    "part-taken": """
        drill handle
        role handle
        from handle?
        to handle
        at time
        reason line
    """,
    "evidence-kept": """
        drill handle
        step handle
        shows line
        name line
        at time
        bytes u32
        sha256 digest
        file digest
    """,

    # Waivers and actions
    "waiver-given": """
        waiver handle
        obligation line
        until time
        reason line
    """,
    "action-opened": """
        action handle
        title line
        owner handle
        due time
    """,
    "action-closed": """
        action handle
        result line
    """,

    # Slips
    "slip-endorsed": """
        slip digest
    """,
    "head-abandoned": """
        number u64
        link digest
    """,
}

EVENTS = {kind: fields(table) for kind, table in _TABLES.items()}

# In an extract only these happen, and no entry with one of them is meant to be withheld.
_ALWAYS_SHOWN = ("vault-created", "vault-succeeds", "policy-changed")
_ALWAYS_SHOWN_PREFIXES = (
    "custodian-", "duties-", "recipient-", "reader-", "key-", "bag-", "identity-", "members-",
    "compartment-", "runbook-", "head-",
)


def happens_in_extract(kind):
    return kind in _ALWAYS_SHOWN or kind.startswith(_ALWAYS_SHOWN_PREFIXES)
