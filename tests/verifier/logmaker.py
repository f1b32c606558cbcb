"""Makes logs and bundles with software keys, for selftest.py: right ones and wrong ones."""

import base64
import hashlib
import os
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import sshsig
from links import head, next_link, vault_link

VAULT = "00112233445566778899aabbccddeeff"


class Moment(str):
    """A time in a document, which stands without quotes."""


def encode(value):
    """A value as a document has it."""
    if isinstance(value, Moment):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list):
        return "[" + ", ".join(map(encode, value)) + "]"
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def write_document(header, events):
    lines = [f"{key} = {encode(value)}\n" for key, value in header.items()]
    if not events:
        lines.append("event = []\n")
    for event in events:
        lines.append("\n[[event]]\n")
        lines += [f"{key} = {encode(value)}\n" for key, value in event.items()]
    return "".join(lines).encode()


def string(octets):
    return len(octets).to_bytes(4, "big") + octets


def mpint(number):
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def b64(octets):
    return base64.b64encode(octets).decode()


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


def recipient(name):
    return "age1" + digest(name)[:58]


class SoftKey:
    """A security key made of software, of either type, always the same for a name."""

    def __init__(self, name, p256=False, secret=None):
        self.name = name
        self.p256 = p256
        self.counter = 0
        secret = secret or hashlib.sha256(name.encode()).digest()
        if p256:
            self.private = ec.derive_private_key(int.from_bytes(secret, "big") >> 1, ec.SECP256R1())
            self.point = self.private.public_key().public_bytes(
                Encoding.X962, PublicFormat.UncompressedPoint
            )
        else:
            self.private = ed25519.Ed25519PrivateKey.from_private_bytes(secret)
            self.point = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def kind(self):
        return sshsig.P256 if self.p256 else sshsig.ED25519

    def blob(self, application):
        curve = string(b"nistp256") if self.p256 else b""
        return string(self.kind.encode()) + curve + string(self.point) + string(application)

    def line(self, application):
        return f"{self.kind} {b64(self.blob(application))}"

    def cose(self):
        if self.p256:
            return (bytes.fromhex("a5010203262001215820") + self.point[1:33]
                    + bytes.fromhex("225820") + self.point[33:])
        return bytes.fromhex("a4010103272006215820") + self.point

    def numbers(self, signed):
        """The numbers of a signature over these bytes, as the blob has them."""
        if not self.p256:
            return self.private.sign(signed)
        r, s = utils.decode_dss_signature(self.private.sign(signed, ec.ECDSA(SHA256())))
        return mpint(r) + mpint(s)

    def sign(self, entry_head, demo=True, flags=0x05, counter=None, numbers=None, trailer=b"",
             space=None):
        """The armoured signature over a head, in the namespace of heads if no other is given."""
        application, space = sshsig.application(demo), space or sshsig.namespace(demo)
        if counter is None:
            self.counter += 1
            counter = self.counter
        tail = bytes([flags]) + counter.to_bytes(4, "big")
        challenge = (b"SSHSIG" + string(space) + string(b"") + string(b"sha512")
                     + string(hashlib.sha512(entry_head).digest()))
        signed = (hashlib.sha256(application).digest() + tail
                  + hashlib.sha256(challenge).digest())
        made = numbers(signed) if numbers else self.numbers(signed)
        inner = string(self.kind.encode()) + string(made) + tail + trailer
        return sshsig.write_armour(
            b"SSHSIG" + (1).to_bytes(4, "big") + string(self.blob(application)) + string(space)
            + string(b"") + string(b"sha512") + string(inner)
        ).encode()


def authenticator_data(application, credential, cose, flags=0x45, aaguid=bytes(16), tail=b""):
    return (hashlib.sha256(application).digest() + bytes([flags]) + bytes(4) + aaguid
            + len(credential).to_bytes(2, "big") + credential + cose + tail)


class Signed(NamedTuple):
    """A document, an entry's or a slip's, and its signatures by signer."""

    document: bytes
    signatures: dict
    number: int
    link: str

    @property
    def digest(self):
        return hashlib.sha256(self.document).hexdigest()

    @property
    def text(self):
        return self.document + b"".join(self.signatures.values())

    def files(self, stem):
        """The files of a bundle that it makes, by their names, which begin with `stem`."""
        return {f"{stem}.toml": self.document} | {
            f"{stem}.{signer.replace('/', '.')}.sig": armour
            for signer, armour in self.signatures.items()
        }


class LogMaker:
    """A log under way. What it makes needn't be right."""

    def __init__(self, demo=True):
        self.demo = demo
        self.keys = {}
        self.link = vault_link(VAULT)
        self.entries = []  # of each, what was signed
        self.slips = []  # of each entry, those that it carries

    def enrol(self, name, p256=False, key=None, **changes):
        """A key-enrolled of a new key."""
        key = key or SoftKey(name, p256)
        self.keys[name] = key
        application = sshsig.application(self.demo)
        credential = b"credential of " + name.encode()
        event = {
            "kind": "key-enrolled",
            "key": name,
            "public_key": key.line(application),
            "credential": b64(credential),
            "aaguid": "00" * 16,
            "attestation_format": "none",
            "attestation_nonce": "09" * 16,
            "attestation_data": b64(authenticator_data(application, credential, key.cose())),
            "attestation_signature": "",
            "attestation_certificates": [],
        }
        return {**event, **changes}

    def _sign(self, events, signers, number, previous, time, flags=0x05, space=None, header=()):
        """Makes a document and signs it. `header` has the fields of it that are to be others.

        `space` is the namespace of all signatures, or has one of each signer.
        """
        document = write_document({
            "format": 1, "vault": VAULT, "number": number, "previous": previous,
            "time": Moment(time), "salt": "05" * 16, "tool": "selftest", "signers": signers,
            "slips": [], **dict(header),
        }, events)
        link = next_link(previous, hashlib.sha256(document).hexdigest())
        spaces = space if isinstance(space, list) else [space] * len(signers)
        return Signed(document, {
            name: self.keys[name].sign(head(VAULT, number, link), self.demo, flags, space=one)
            for name, one in zip(signers, spaces) if name in self.keys
        }, number, link)

    def add(self, events, signers, time="2026-01-01T00:00:00Z", flags=0x05, header=(), slips=()):
        """Adds an entry. `header` has the fields of it that are to be others."""
        header = {"slips": [slip.digest for slip in slips], **dict(header)}
        number = len(self.entries) + 1
        made = self._sign(events, signers, number, self.link, time, flags, header=header)
        self.link = made.link
        self.entries.append(made)
        self.slips.append(list(slips))

    def slip(self, events, signers, after=None, time="2026-01-01T00:00:00Z", heads=False,
             header=(), **options):
        """A slip that follows what was signed (None: the last entry).

        With `heads` it is an entry that lost its number. Its salt is another than those of entries.
        """
        after = after or self.entries[-1]
        namespace = sshsig.namespace if heads else sshsig.slip_namespace
        return self._sign(events, signers, after.number + 1, after.link, time, **{
            "space": namespace(self.demo), "header": {"salt": "06" * 16, **dict(header)}, **options,
        })

    def text(self, number):
        """The text of an entry, as a vault has it."""
        return b"".join(one.text for one in (self.entries[number - 1], *self.slips[number - 1]))

    def write(self, folder, withheld=()):
        """Writes a bundle, without what is for people."""
        os.makedirs(os.path.join(folder, "entries"))
        with open(os.path.join(folder, "entries.sha256"), "w", encoding="ascii") as file:
            for number, entry in enumerate(self.entries, 1):
                file.write(f"{entry.digest}  entries/{number:06}.toml\n")
        for number, (entry, slips) in enumerate(zip(self.entries, self.slips), 1):
            if number in withheld:
                continue
            _write_files(os.path.join(folder, "entries"), entry.files(f"{number:06}"))
            for slip in slips:
                _write_files(os.path.join(folder, "slips"), slip.files(slip.digest))


def _write_files(folder, files):
    os.makedirs(folder, exist_ok=True)
    for name, octets in files.items():
        with open(os.path.join(folder, name), "wb") as file:
            file.write(octets)


# Events that tests need again and again

def vault_created(demo=True, verification="required"):
    return {"kind": "vault-created", "name": "Test", "demo": demo,
            "user_verification": verification}


def custodian_added(name):
    return {"kind": "custodian-added", "custodian": name, "recipient": recipient(name)}


def compartment_sealed(name, epoch, members):
    return {"kind": "compartment-sealed", "compartment": name, "epoch": epoch,
            "recipient": recipient(f"{name} {epoch}"), "members": members,
            "sha256": digest(f"{name} {epoch}")}


def slip_endorsed(slip):
    return {"kind": "slip-endorsed", "slip": slip.digest}


def head_abandoned(signed):
    return {"kind": "head-abandoned", "number": signed.number, "link": signed.link}


def founded(people=("alice", "bob"), demo=True, verification="required", p256=False, flags=0x05):
    """A log with its first entry: each of the people has the key PERSON/one."""
    log = LogMaker(demo)
    people = sorted(people)
    events = [vault_created(demo, verification)]
    events += map(custodian_added, people)
    events += [log.enrol(f"{name}/one", p256) for name in people]
    events += [compartment_sealed(name, 1, people) for name in ("records", "seeds")]
    log.add(events, [f"{name}/one" for name in people], flags=flags)
    return log
