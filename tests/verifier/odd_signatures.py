"""Writes bundles that stock ssh-keygen finds nothing wrong with, and that aren't right: for the tests of
verify.sh. In FOLDER there are then: good, without-touch, without-pin, waived, other-application.
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
    sshsig.application = lambda demo: b"ssh:"
    write("other-application", founded())


if __name__ == "__main__":
    main(sys.argv[1])
