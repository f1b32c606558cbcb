"""Ed25519 as RFC 8032 has it, slow and plain, to hold the library's against in selftest.py."""

import hashlib

PRIME = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, PRIME) % PRIME


def add(one, other):
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, -1, PRIME) % PRIME,
        (y1 * y2 + x1 * x2) * pow(1 - product, -1, PRIME) % PRIME,
    )


def multiply(number, point):
    result = 0, 1
    while number:
        if number & 1:
            result = add(result, point)
        point = add(point, point)
        number >>= 1
    return result


def encode(point):
    x, y = point
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode(octets):
    """The point, be y less than the prime or not; None if there is none."""
    number = int.from_bytes(octets, "little")
    y, sign = number & 2**255 - 1, number >> 255
    square = (y * y - 1) * pow(D * y * y + 1, -1, PRIME) % PRIME
    x = pow(square, (PRIME + 3) // 8, PRIME)
    if (x * x - square) % PRIME:
        x = x * pow(2, (PRIME - 1) // 4, PRIME) % PRIME
    if (x * x - square) % PRIME:
        return None
    return (-x % PRIME if x & 1 != sign else x), y % PRIME


BASE = decode((4 * pow(5, -1, PRIME) % PRIME).to_bytes(32, "little"))
OF_ORDER_8 = decode(bytes.fromhex(
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"
))


def challenge(r, public, message):
    return int.from_bytes(hashlib.sha512(r + public + message).digest(), "little") % ORDER


def verify(public, numbers, message):
    """Whether R is the encoding of [S]B - [k]A."""
    r, s = numbers[:32], int.from_bytes(numbers[32:], "little")
    if s >= ORDER:
        return False
    x, y = multiply(challenge(r, public, message), decode(public))
    return encode(add(multiply(s, BASE), (-x % PRIME, y))) == r
