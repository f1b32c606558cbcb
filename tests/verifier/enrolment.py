"""Whether a key-enrolled holds together (log-format.md, "Enrolment")."""

import hashlib
from typing import NamedTuple

from cbor import CborError, CborReader, Map
from fault import Fault
from sshsig import ED25519, WireError, read_public_key_line
from values import read_base64

MAX_AUTHENTICATOR_DATA = 4096
MAX_CREDENTIAL_ID = 1023

_UP, _AT, _ED = 0x01, 0x40, 0x80

# The keys of a public key in COSE form.
_KTY, _ALG, _CRV, _X, _Y = 1, 3, -1, -2, -3


class AuthenticatorData(NamedTuple):
    rp_id_hash: bytes
    flags: int
    aaguid: bytes
    credential: bytes
    public_key: dict  # in COSE form


class _Unreadable(Exception):
    """Authenticator data can't be read."""


def check_enrolment(event, application):
    """Holds the attestation of a key-enrolled against what the event says of the key."""
    try:
        public_key = read_public_key_line(event["public_key"])
    except WireError as error:
        raise Fault("event", f"the public key of {event['key']}: {error}") from None
    try:
        attested = _read_authenticator_data(read_base64(event["attestation_data"]))
    except (_Unreadable, CborError) as error:
        raise Fault("event", f"the attestation of {event['key']}: {error}") from None

    def demand(condition, reason):
        if not condition:
            raise Fault("event", f"{event['key']}: {reason}")

    demand(public_key.application == application, "the key is of another application")
    demand(
        attested.rp_id_hash == hashlib.sha256(application).digest(),
        "the attestation is of another application",
    )
    demand(attested.flags & _UP, "the key wasn't touched")
    demand(attested.credential == read_base64(event["credential"]), "another credential")
    demand(attested.aaguid.hex() == event["aaguid"], "another AAGUID")
    demand(attested.public_key == _cose(public_key), "another public key")


def _cose(public_key):
    """The public key in COSE form."""
    point = public_key.point
    if public_key.kind == ED25519:
        return {_KTY: 1, _ALG: -8, _CRV: 6, _X: point}
    return {_KTY: 2, _ALG: -7, _CRV: 1, _X: point[1:33], _Y: point[33:]}


def _read_authenticator_data(octets):
    if len(octets) > MAX_AUTHENTICATOR_DATA:
        raise _Unreadable("it is too long")
    flags = octets[32:33]
    length = octets[53:55]
    if len(length) != 2 or not flags[0] & _AT:
        raise _Unreadable("there is no credential in it")
    length = int.from_bytes(length, "big")
    credential = octets[55:55 + length]
    if not 1 <= length <= MAX_CREDENTIAL_ID or len(credential) != length:
        raise _Unreadable("the length of the credential's id isn't possible")
    reader = CborReader(octets, 55 + length)
    public_key = _read_cose(reader.item())
    if flags[0] & _ED:
        extensions = reader.item()
        if not isinstance(extensions, Map) or any(type(key) is not str for key, _ in extensions):
            raise _Unreadable("its extensions are no map of text strings")
    if reader.place != len(octets):
        raise _Unreadable("something stands behind its end")
    return AuthenticatorData(octets[:32], flags[0], octets[37:53], credential, public_key)


def _read_cose(item):
    """The map of a public key as a dict. Which keys and values it must have isn't asked here."""
    if not isinstance(item, Map):
        raise _Unreadable("its public key is no map")
    result = {}
    for key, value in item:
        if type(key) is not int:
            raise _Unreadable("a key in the map of its public key is no integer")
        if key == _CRV and type(value) is bytes:
            continue
        if key in result:
            raise _Unreadable("a key in the map of its public key is repeated")
        result[key] = value
    return result
