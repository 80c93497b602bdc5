"""BLAKE3 and the checking of Ed25519, as the texts in decode/ describe them.

For people to read beside those texts, and for the two programs beside this
file. Only the standard library: SHA-512, which Ed25519 needs, is in hashlib.
"""

import hashlib
import sys
from array import array

# --- BLAKE3 (decode/blake3.txt) ----------------------------------------------
#
# Chunks do not depend on each other, so up to LANES of them are computed side
# by side: a Python number holds one 32-bit word of each, every word in 64 bits
# of its own. The upper half of these takes what an addition or a turn carries
# over, and is cut off again.

IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
      0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
ORDER = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
CHUNK_BYTES, BLOCK_BYTES, LANES = 1024, 64, 1024


def side_by_side(words):
    """One number out of many words; the first word is the lowest."""
    wide = array("Q", words)
    if sys.byteorder == "big":
        wide.byteswap()
    return int.from_bytes(wide.tobytes(), "little")


def apart(number, count):
    """The opposite of side_by_side()."""
    wide = array("Q", number.to_bytes(8 * count, "little"))
    if sys.byteorder == "big":
        wide.byteswap()
    return wide


def compress(h, m, t, b, f, lanes):
    """COMPRESS for every lane at once; b and f are the same in all lanes."""
    ones = ((1 << 64 * lanes) - 1) // ((1 << 64) - 1)  # 1 in every lane
    low = ones * 0xFFFFFFFF
    v = [*h, *(word * ones for word in IV[:4]),
         t & low, (t >> 32) & low, b * ones, f * ones]
    for _ in range(7):
        for i, (p, q, r, s) in enumerate(MIXES):
            for x, turn_d, turn_b in ((m[2 * i], 16, 12), (m[2 * i + 1], 8, 7)):
                v[p] = (v[p] + v[q] + x) & low
                d = v[s] ^ v[p]
                v[s] = (d >> turn_d | d << 32 - turn_d) & low
                v[r] = (v[r] + v[s]) & low
                d = v[q] ^ v[r]
                v[q] = (d >> turn_b | d << 32 - turn_b) & low
        m = [m[i] for i in ORDER]
    return [v[i] ^ v[i + 8] for i in range(8)]


def chunk_values(data, first, root):
    """The values of equally long chunks: eight rows, one word of each chunk."""
    size = min(len(data), CHUNK_BYTES)
    lanes = len(data) // size if size else 1
    blocks = max(1, -(-size // BLOCK_BYTES))
    padded = data if size == CHUNK_BYTES else data.ljust(blocks * BLOCK_BYTES, b"\0")
    words = array("I", padded)
    if sys.byteorder == "big":
        words.byteswap()
    t = side_by_side(range(first, first + lanes))
    ones = side_by_side([1] * lanes)
    h = [word * ones for word in IV]
    for block in range(blocks):
        m = [side_by_side(words[16 * block + j::16 * blocks]) for j in range(16)]
        flags = CHUNK_START if block == 0 else 0
        if block == blocks - 1:
            flags |= CHUNK_END | (ROOT if root else 0)
        length = min(BLOCK_BYTES, size - BLOCK_BYTES * block)
        h = compress(h, m, t, length, flags, lanes)
    return [apart(word, lanes) for word in h]


def blake3(pieces):
    """BLAKE3 in hexadecimal of an iterable of pieces of bytes. All pieces but
    the last hold a multiple of 1024 bytes, and none is empty."""
    rows = [array("Q") for _ in range(8)]
    count, pieces = 0, iter(pieces)
    piece = next(pieces, b"")
    while piece is not None:
        following = next(pieces, None)
        whole = len(piece) // CHUNK_BYTES * CHUNK_BYTES
        for part in (piece[:whole], piece[whole:]):
            if part or not (count or piece):
                only = not count and following is None and len(piece) <= CHUNK_BYTES
                for row, more in zip(rows, chunk_values(part, count, only)):
                    row.extend(more)
                count = len(rows[0])
        piece = following
    # Join neighbours level by level; an odd one at the end moves up as it is.
    # That is the tree of the text: the left part is the largest power of two.
    while len(rows[0]) > 1:
        pairs, odd = divmod(len(rows[0]), 2)
        ones = side_by_side([1] * pairs)
        left = [side_by_side(row[0:2 * pairs:2]) for row in rows]
        right = [side_by_side(row[1:2 * pairs:2]) for row in rows]
        flags = PARENT | (ROOT if pairs == 1 and not odd else 0)
        joined = compress([word * ones for word in IV], left + right, 0,
                          BLOCK_BYTES, flags, pairs)
        rows = [apart(word, pairs) + row[2 * pairs:] for word, row in zip(joined, rows)]
    return b"".join(row[0].to_bytes(4, "little") for row in rows).hex()


def pieces_of(path):
    """The contents of a file, a piece at a time."""
    with open(path, "rb") as file:
        while True:
            piece = file.read(CHUNK_BYTES * LANES)
            if not piece:
                return
            yield piece


# --- Ed25519 (decode/signatures.txt) -----------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def add(one, two):
    (x1, y1), (x2, y2) = one, two
    k = D * x1 * x2 * y1 * y2
    return ((x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
            (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P)


def times(number, point):
    result = (0, 1)
    while number:
        if number & 1:
            result = add(result, point)
        point, number = add(point, point), number >> 1
    return result


def read_point(data):
    """The point that 32 bytes write, or None."""
    y = int.from_bytes(data, "little")
    odd, y = y >> 255, y & (1 << 255) - 1
    u = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(u, (P + 3) // 8, P)
    if x * x % P != u:
        x = x * pow(2, (P - 1) // 4, P) % P
    if y >= P or x * x % P != u or (x == 0 and odd):
        return None
    return (x if x & 1 == odd else P - x, y)


BASE = read_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def ed25519_holds(key, message, signature):
    """Whether the 64 bytes of signature are the key's over the message."""
    a, r = read_point(key), read_point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= L:
        return False
    if times(8, a) == (0, 1):  # of small order: it would fit almost anything
        return False
    h = hashlib.sha512(signature[:32] + key + message).digest()
    return times(s, BASE) == add(r, times(int.from_bytes(h, "little") % L, a))
