"""Signatures of security keys over heads (log-format.md, "Signatures")."""

import base64
import hashlib
from typing import NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.hashes import SHA256

from fault import Fault
from values import read_base64

MAX_ARMOUR_BYTES = 4096

ED25519 = "sk-ssh-ed25519@openssh.com"
P256 = "sk-ecdsa-sha2-nistp256@openssh.com"

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551

_UP, _UV, _AT, _ED = 0x01, 0x04, 0x40, 0x80

# Ed25519 keys as which everybody could sign, with the top bit of the last byte cleared.
_SMALL_ORDER = {bytes.fromhex(point) for point in (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)}

_BEGIN = "-----BEGIN SSH SIGNATURE-----\n"
_END = "-----END SSH SIGNATURE-----\n"
_COLUMNS = 70


def application(demo):
    return b"ssh:keymuster-demo" if demo else b"ssh:keymuster"


def namespace(demo):
    """The namespace of heads."""
    return b"keymuster-demo" if demo else b"keymuster-head"


def slip_namespace(demo):
    return b"keymuster-demo-slip" if demo else b"keymuster-slip"


# The types of RFC 4251, section 5

class WireError(Exception):
    """A blob isn't as it should be."""


class _Wire:
    """What is left to be read of a blob."""

    def __init__(self, octets):
        self._octets = octets
        self._place = 0

    def take(self, count):
        taken = self._octets[self._place:self._place + count]
        if len(taken) != count:
            raise WireError("it is cut short")
        self._place += count
        return taken

    def u32(self):
        return int.from_bytes(self.take(4), "big")

    def string(self):
        return self.take(self.u32())

    def expect(self, string):
        if self.string() != string:
            raise WireError(f"it lacks the string {string.decode()!r}")

    def positive_mpint(self):
        """A number from 1 to 2^256 - 1, written as short as can be."""
        octets = self.string()
        number = int.from_bytes(octets, "big")
        if number == 0 or number.bit_length() > 256 or octets != _mpint(number):
            raise WireError("a number of it isn't written as it should be")
        return number

    def end(self):
        if self._place != len(self._octets):
            raise WireError("something stands behind its last field")


def _mpint(number):
    return number.to_bytes(number.bit_length() // 8 + 1, "big")


def _string(octets):
    return len(octets).to_bytes(4, "big") + octets


# Public keys

class PublicKey(NamedTuple):
    kind: str
    point: bytes  # 32 bytes of Ed25519, or 0x04, x and y of P-256
    application: bytes


def read_public_key_line(line):
    """The public key of a line, its type and base64 with a blank between."""
    kind, _, encoded = line.partition(" ")
    public_key = _read_public_key(read_base64(encoded))
    if public_key.kind != kind:
        raise WireError("the type in front of it isn't that within")
    return public_key


def _read_public_key(blob):
    wire = _Wire(blob)
    kind = wire.string()
    if kind == ED25519.encode():
        point = wire.string()
        if len(point) != 32:
            raise WireError("its point hasn't 32 bytes")
        if point[:31] + bytes([point[31] & 0x7F]) in _SMALL_ORDER:
            raise WireError("its point is of small order")
    elif kind == P256.encode():
        wire.expect(b"nistp256")
        point = wire.string()
        if len(point) != 65 or point[0] != 0x04:
            raise WireError("its point isn't 0x04 and 64 bytes")
    else:
        raise WireError("it is of another type")
    public_key = PublicKey(kind.decode(), point, wire.string())
    wire.end()
    return public_key


# Signatures

class Signature(NamedTuple):
    """What a genuine signature says besides."""

    user_verified: bool
    counter: int


def verify(armour, signer, head, space, needs_user_verification):
    """Verifies an armoured signature over a head, and gives back what else it says.

    `signer` is the public key line of who should have signed, `space` the namespace. A signature
    that isn't genuine is a Fault of signature.
    """
    try:
        return _verify(armour, signer, head, space, needs_user_verification)
    except WireError as error:
        raise Fault("signature", str(error)) from None


def _verify(armour, signer, head, space, needs_user_verification):
    public_key = read_public_key_line(signer)
    wire, key, made_in = _begin(armour)
    if key != read_base64(signer.partition(" ")[2]):
        raise WireError("it is of another key")
    if made_in != space:
        raise WireError("it is of another namespace")
    wire.expect(b"")
    wire.expect(b"sha512")
    signature = _Wire(wire.string())
    wire.end()

    signature.expect(public_key.kind.encode())
    numbers = signature.string()
    flags = signature.take(1)
    counter = signature.take(4)
    signature.end()
    _check_flags(flags[0], needs_user_verification)

    challenge = (
        b"SSHSIG" + _string(space) + _string(b"") + _string(b"sha512")
        + _string(hashlib.sha512(head).digest())
    )
    signed = (
        hashlib.sha256(public_key.application).digest() + flags + counter
        + hashlib.sha256(challenge).digest()
    )
    verify_numbers = _verify_ed25519 if public_key.kind == ED25519 else _verify_p256
    verify_numbers(public_key.point, numbers, signed)
    return Signature(bool(flags[0] & _UV), int.from_bytes(counter, "big"))


def namespace_of(armour):
    """The namespace of an armoured signature that may be none (None: it can't be read)."""
    try:
        return _begin(armour)[2]
    except WireError:
        return None


def _begin(armour):
    """What a signature begins with: what is left to read of it, its public key, its namespace."""
    wire = _Wire(_read_armour(armour))
    if wire.take(6) != b"SSHSIG" or wire.u32() != 1:
        raise WireError("it isn't an SSH signature of version 1")
    key = wire.string()
    return wire, key, wire.string()


def _check_flags(flags, needs_user_verification):
    if flags & (_AT | _ED):
        raise WireError("its flags announce data that has no place in it")
    if not flags & _UP:
        raise WireError("the key wasn't touched")
    if needs_user_verification and not flags & _UV:
        raise WireError("the key didn't verify its user")


def _verify_ed25519(point, numbers, signed):
    if len(numbers) != 64:
        raise WireError("it hasn't 64 bytes")
    try:
        ed25519.Ed25519PublicKey.from_public_bytes(point).verify(numbers, signed)
    except (InvalidSignature, ValueError):
        raise WireError("it doesn't verify") from None


def _verify_p256(point, numbers, signed):
    wire = _Wire(numbers)
    r, s = wire.positive_mpint(), wire.positive_mpint()
    wire.end()
    if r >= _P256_ORDER or s >= _P256_ORDER:
        raise WireError("a number of it is out of range")
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(utils.encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        raise WireError("it doesn't verify") from None


# The armour

def write_armour(blob):
    """The one spelling of a blob in armour."""
    encoded = base64.b64encode(blob).decode()
    lines = [encoded[at:at + _COLUMNS] for at in range(0, len(encoded), _COLUMNS)]
    return _BEGIN + "".join(line + "\n" for line in lines) + _END


def _read_armour(armour):
    """The blob in an armoured signature. That is only what would be armoured the same again."""
    if len(armour) > MAX_ARMOUR_BYTES:
        raise WireError("its armour is too long")
    try:
        text = armour.decode("utf-8")
    except UnicodeDecodeError:
        raise WireError("its armour isn't UTF-8") from None
    if not text.startswith(_BEGIN) or not text.endswith(_END):
        raise WireError("it isn't in armour")
    blob = read_base64(text[len(_BEGIN):-len(_END)].replace("\n", ""))
    if blob is None or write_armour(blob) != text:
        raise WireError("its armour isn't written as it should be")
    return blob
