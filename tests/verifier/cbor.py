"""Reads CBOR as generously as log-format.md has it ("CBOR")."""

_MAX_DEPTH = 8
_INDEFINITE = None  # the length of what goes on until a break
_BREAK = 0xFF

# An item that may stand anywhere, and of which nothing is asked.
OTHER = object()


class CborError(Exception):
    """There is no item of CBOR."""


class Map(list):
    """The pairs of a map, in their order. Keys may be repeated."""


class CborReader:
    """Reads items, one after the other.

    An integer is read as an int, a byte string as bytes, a text string as str, a map as a Map;
    anything else as OTHER.
    """

    def __init__(self, octets, place=0):
        self._octets = octets
        self.place = place

    def item(self, depth=0):
        """The next item. `depth` is how many arrays, maps and tags are around it."""
        major, argument = self._head()
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major in (2, 3):
            return self._string(major, argument)
        if major == 7:
            return OTHER
        if major == 6 and argument in (2, 3):
            number = self._big_number()
            if number is not None:
                return _integer_of_tag(argument, number)
        if depth == _MAX_DEPTH:
            raise CborError("it is nested too deep")
        if major == 6:
            self.item(depth + 1)
            return OTHER
        if major == 4:
            for _ in self._until_end(argument):
                self.item(depth + 1)
            return OTHER
        return Map(
            (self.item(depth + 1), self.item(depth + 1)) for _ in self._until_end(argument)
        )

    def _take(self, count):
        taken = self._octets[self.place:self.place + count]
        if len(taken) != count:
            raise CborError("it is cut short")
        self.place += count
        return taken

    def _head(self):
        """The major type, and the argument or _INDEFINITE."""
        first = self._take(1)[0]
        major, information = first >> 5, first & 0x1F
        if major == 7:
            return major, self._simple(information)
        if information < 24:
            return major, information
        if information < 28:
            return major, int.from_bytes(self._take(1 << information - 24), "big")
        if information == 31 and major in (2, 3, 4, 5):
            return major, _INDEFINITE
        raise CborError("additional information is out of place")

    def _simple(self, information):
        """A simple value or a float, which stand for nothing that is asked for."""
        if information == 24:
            information = self._take(1)[0]
            if not 20 <= information <= 23:
                raise CborError("there is no such simple value")
        elif information in (25, 26, 27):
            self._take(1 << information - 24)
        elif not 20 <= information <= 23:
            raise CborError("there is no such simple value, or a break out of place")
        return information

    def _at_break(self):
        """Passes over a break, if one is next."""
        found = self._octets[self.place:self.place + 1] == bytes([_BREAK])
        self.place += found
        return found

    def _until_end(self, count):
        """Goes through what is in an array or a map of that length."""
        if count is _INDEFINITE:
            while not self._at_break():
                yield
        else:
            while count > 0:
                yield
                count -= 1

    def _string(self, major, length):
        """A string, the pieces of which may be of indefinite length in turn."""
        pieces = []
        unended = 0
        while True:
            if length is _INDEFINITE:
                unended += 1
            else:
                piece = self._take(length)
                pieces.append(piece if major == 2 else _text(piece))
            while unended and self._at_break():
                unended -= 1
            if not unended:
                return (b"" if major == 2 else "").join(pieces)
            of, length = self._head()
            if of != major:
                raise CborError("a string has a piece of another kind")

    def _big_number(self):
        """The number in a byte string that makes an integer of tag 2 or 3, if one is next."""
        before = self.place
        major, length = self._head()
        if major == 2 and length is not _INDEFINITE and length <= 16:
            return int.from_bytes(self._take(length), "big")
        self.place = before
        return None


def _text(octets):
    try:
        return octets.decode("utf-8")
    except UnicodeDecodeError:
        raise CborError("a text string isn't UTF-8") from None


def _integer_of_tag(tag, number):
    if tag == 3 and number >= 2**127:
        raise CborError("an integer is too small")
    integer = number if tag == 2 else -1 - number
    return integer if -2**64 <= integer < 2**64 else OTHER
