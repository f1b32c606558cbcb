"""Links and heads (log-format.md, "Links and heads")."""

import hashlib


def vault_link(vault):
    """Link 0."""
    return hashlib.sha256(f"keymuster/{vault}\n".encode()).hexdigest()


def next_link(link, digest):
    """The link after one, made of the digest of the document."""
    return hashlib.sha256(f"{link} {digest}\n".encode()).hexdigest()


def head(vault, number, link):
    return f"keymuster/{vault}\n{number}\n{link}\n".encode()
