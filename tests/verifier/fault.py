"""A fault: which rule an entry breaks, and why (log-format.md, "How an entry is judged")."""

# The verdict that a fault of each rule denies.
DENIED_VERDICT = {
    "form": "integrity",
    "vault": "integrity",
    "number": "integrity",
    "link": "integrity",
    "slip": "authority",
    "signers": "authority",
    "signature": "authorship",
    "authority": "authority",
    "event": "authority",
}


class Fault(Exception):
    """An entry breaks a rule."""

    def __init__(self, rule, reason):
        super().__init__(f"{rule}: {reason}")
        self.rule = rule
        self.reason = reason
