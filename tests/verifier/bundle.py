"""The folder that an auditor gets (log-format.md, "The bundle")."""

import hashlib
import os
import re
import stat
from functools import partial

import sshsig
from document import Entry, Part, read_document
from fault import Fault
from links import next_link, vault_link

MAX_ENTRIES = 999_999
MAX_DOCUMENT_BYTES = 33_554_432
MAX_ATTACHMENT_BYTES = 33_554_432

_DIGEST_LINE = re.compile(rb"([0-9a-f]{64})  entries/([0-9]{6})\.toml\n")
_DIGEST_LINE_BYTES = 86
_VAULT_LINE = re.compile(rb'vault = "([0-9a-f]{32})"')


class NoBundle(Exception):
    """The folder isn't a bundle."""


def _read_file(folder, name, most):
    """The first bytes of a regular file, one more than `most` if it is larger.

    None where there is no such file, or it is a link or something else than a regular file.
    """
    path = os.path.join(folder, name)
    try:
        if not stat.S_ISREG(os.lstat(path).st_mode):
            return None
        with open(path, "rb") as file:
            return file.read(most + 1)
    except OSError:
        return None


def _is_folder(path):
    """Whether it is a folder, and no link to one."""
    try:
        return stat.S_ISDIR(os.lstat(path).st_mode)
    except OSError:
        return False


class Bundle:
    """A bundle: `digests` are those of all documents, `vault` is the vault's id."""

    def __init__(self, path):
        self._path = path
        self._entries = os.path.join(path, "entries")
        self._slips = os.path.join(path, "slips")
        self.digests = self._read_digests()
        self.vault = self._read_vault()

    def _read_digests(self):
        octets = _read_file(self._path, "entries.sha256", MAX_ENTRIES * _DIGEST_LINE_BYTES)
        if octets is None:
            raise NoBundle("entries.sha256 is missing, or no regular file")
        count, rest = divmod(len(octets), _DIGEST_LINE_BYTES)
        if rest or not 1 <= count <= MAX_ENTRIES:
            raise NoBundle("entries.sha256 isn't a list of digests")
        digests = []
        for place in range(count):
            begin = place * _DIGEST_LINE_BYTES
            line = _DIGEST_LINE.fullmatch(octets[begin:begin + _DIGEST_LINE_BYTES])
            if not line or int(line[2]) != place + 1:
                raise NoBundle("entries.sha256 isn't a list of digests")
            digests.append(line[1].decode())
        return digests

    def _read_vault(self):
        octets = None
        if _is_folder(self._entries):
            octets = _read_file(self._entries, _document_name(1), MAX_DOCUMENT_BYTES)
        if octets is None or len(octets) > MAX_DOCUMENT_BYTES:
            octets = b""
        lines = octets.split(b"\n", 2)
        vault = _VAULT_LINE.fullmatch(lines[1]) if len(lines) > 1 else None
        if not vault:
            raise NoBundle("there is no entry 1 whose second line is the vault's id")
        return vault[1].decode()

    def is_withheld(self, number):
        """Whether there is nothing of the name of that document."""
        return not os.path.lexists(os.path.join(self._entries, _document_name(number)))

    def entry(self, number):
        """An entry that is shown, or a Fault of form."""
        own, left = _read_part(
            self._entries, f"{number:06}", self.digests[number - 1], MAX_DOCUMENT_BYTES
        )
        names = own.document.slips
        if names and not _is_folder(self._slips):
            raise Fault("form", "the slips aren't in a folder")
        slips = []
        for digest in names:
            slip, left = _read_part(self._slips, digest, digest, left)
            slips.append(slip)
        return Entry(own, slips)

    def links(self, numbers):
        """The links of those numbers that the log has, by their number."""
        links = {}
        link = vault_link(self.vault)
        for number, digest in enumerate(self.digests, 1):
            link = next_link(link, digest)
            if number in numbers:
                links[number] = link
        return links

    def look_at_files(self, judgement):
        """Holds the files besides the entries against a log without a fault.

        Gives back what is damaged, and how many attachments are what the entries say.
        """
        damage = []
        if os.path.lexists(os.path.join(self._path, "allowed_signers")):
            expected = _allowed_signers(judgement)
            if _read_file(self._path, "allowed_signers", len(expected)) != expected:
                damage.append("allowed_signers isn't what the entries say")
        attachments = os.path.join(self._path, "attachments")
        is_in_order = _is_folder(attachments) or not os.path.lexists(attachments)
        good = 0
        for sha256 in _named_attachments(judgement):
            if not is_in_order:
                damage.append(f"attachments/{sha256} isn't in a folder")
                continue
            if not os.path.lexists(os.path.join(attachments, sha256)):
                continue
            octets = _read_file(attachments, sha256, MAX_ATTACHMENT_BYTES)
            if octets is None:
                damage.append(f"attachments/{sha256} is no regular file")
            elif len(octets) > MAX_ATTACHMENT_BYTES:
                damage.append(f"attachments/{sha256} is too large")
            elif hashlib.sha256(octets).hexdigest() != sha256:
                damage.append(f"attachments/{sha256} isn't what an entry names")
            else:
                good += 1
        return damage, good


def _read_part(folder, stem, digest, left):
    """A document, an entry's or a slip's, and how many bytes are left for others of the entry.

    `stem` is what the names of its files begin with. `left` is how many bytes it may have.
    """
    octets = _read_file(folder, f"{stem}.toml", left)
    if octets is None:
        raise Fault("form", "a document is missing, or no regular file")
    if len(octets) > left:
        raise Fault("form", "the documents are too large")
    if hashlib.sha256(octets).hexdigest() != digest:
        raise Fault("form", "a document hasn't the digest that is named")
    return Part(read_document(octets), partial(_armour, folder, stem)), left - len(octets)


def _armour(folder, stem, signer):
    """What lies where the signature of a signer should, if it is a regular file."""
    name = f"{stem}.{signer.replace('/', '.')}.sig"
    return _read_file(folder, name, sshsig.MAX_ARMOUR_BYTES)


def _document_name(number):
    return f"{number:06}.toml"


def _allowed_signers(judgement):
    """What allowed_signers must be, in bytes."""
    demo = judgement.state.demo
    spaces = b",".join([sshsig.namespace(demo), sshsig.slip_namespace(demo)]).decode()
    return "".join(
        f'{event["key"]} namespaces="{spaces}" {event["public_key"]}\n'
        for entry in judgement.entries.values()
        for event in entry.events if event["kind"] == "key-enrolled"
    ).encode()


def _named_attachments(judgement):
    """The digests of the attachments that entries name, in their order, each once."""
    return list(dict.fromkeys(
        event["sha256"]
        for entry in judgement.entries.values()
        for event in entry.events if event["kind"] in ("runbook-adopted", "evidence-kept")
    ))
