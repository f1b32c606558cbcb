"""Writes bundles that stock ssh-keygen finds nothing wrong with, and that aren't right: for the tests of
verify.sh. What is in FOLDER then is named below.
"""

import os
import sys

import sshsig
from logmaker import founded


def main(folder):
    def write(name, log):
        log.write(os.path.join(folder, name))

    write("good", founded(p256=True))
    write("without-touch", founded(flags=0x04))
    write("without-pin", founded(flags=0x01))
    write("waived", founded(flags=0x01, verification="waived"))
    # Somebody without a key adds one of their own, which alone signs that.
    stranger = founded()
    stranger.add([stranger.enrol("alice/evil")], ["alice/evil"])
    write("own-key", stranger)
    # The same, to do without PINs.
    waiving = founded()
    waiving.add(
        [waiving.enrol("alice/evil"), {"kind": "policy-changed", "user_verification": "waived"}],
        ["alice/evil"],
    )
    waiving.add([{"kind": "key-checked", "key": "bob/one"}], ["bob/one"], flags=0x01)
    write("own-policy", waiving)
    # More signers than there may be, which takes long to read.
    crowd = founded()
    crowd.add([{"kind": "key-checked", "key": "bob/one"}], ["bob/one"] * 5000)
    write("crowd", crowd)
    sshsig.application = lambda demo: b"ssh:"
    write("other-application", founded())


if __name__ == "__main__":
    main(sys.argv[1])
