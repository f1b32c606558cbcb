"""Makes logs and bundles with software keys, for selftest.py: right ones and wrong ones."""

import base64
import hashlib
import os

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

import sshsig
from judgement import head, next_link, vault_link

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

    def sign(self, entry_head, demo=True, flags=0x05, counter=None, numbers=None, trailer=b""):
        """The armoured signature over a head."""
        application, space = sshsig.application(demo), sshsig.namespace(demo)
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


class LogMaker:
    """A log under way. What it makes needn't be right."""

    def __init__(self, demo=True):
        self.demo = demo
        self.keys = {}
        self.link = vault_link(VAULT)
        self.entries = []  # pairs of a document and its signatures by signer

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

    def add(self, events, signers, time="2026-01-01T00:00:00Z", flags=0x05, header=()):
        """Adds an entry. `header` has the fields of it that are to be others."""
        number = len(self.entries) + 1
        document = write_document({
            "format": 1, "vault": VAULT, "number": number, "previous": self.link,
            "time": Moment(time), "salt": "05" * 16, "tool": "selftest", "signers": signers,
            "slips": [], **dict(header),
        }, events)
        self.link = next_link(self.link, hashlib.sha256(document).hexdigest())
        entry_head = head(VAULT, number, self.link)
        self.entries.append((document, {
            name: self.keys[name].sign(entry_head, self.demo, flags)
            for name in signers if name in self.keys
        }))

    def write(self, folder, withheld=()):
        """Writes a bundle, without what is for people."""
        os.makedirs(os.path.join(folder, "entries"))
        with open(os.path.join(folder, "entries.sha256"), "w", encoding="ascii") as file:
            for number, (document, _) in enumerate(self.entries, 1):
                file.write(
                    f"{hashlib.sha256(document).hexdigest()}  entries/{number:06}.toml\n"
                )
        for number, (document, signatures) in enumerate(self.entries, 1):
            if number in withheld:
                continue
            files = {f"{number:06}.toml": document}
            for signer, armour in signatures.items():
                files[f"{number:06}.{signer.replace('/', '.')}.sig"] = armour
            for name, octets in files.items():
                with open(os.path.join(folder, "entries", name), "wb") as file:
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
