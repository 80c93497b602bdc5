#!/usr/bin/env python3
"""Rebuild the pack of a tessera from its signed plan and enough fragments.

    python3 rebuild_pack.py PLAN PACK.tar FRAGMENT...

Written from docs/FORMAT.md (sections 8 to 10) and decode/reedsolomon.txt, and
from nothing else. Needs Python 3.8 and its standard library. The fragments may
come in any order and under any names: the plan tells which is which. One that
does not belong is named and left out; k right ones are enough.

The second signature of the plan, ML-DSA-65, is not checked here; what is
checked is that the first holds, and that the MANIFEST in the rebuilt pack is
the one that the plan names, by the creator whose keys the plan carries. Open
the pack with tar, and check what is in it with verify_tessera.py beside this
file. Exit code 0: PACK.tar is there and right. 1: it was not written. 2: the
command line cannot be used.
"""

import os
import re
import sys

from blake3_ed25519 import blake3, ed25519_holds, pieces_of
from verify_tessera import MANIFEST_BYTES_MAX, Wrong, parse_manifest

FIRST_LINE = b"TESSERA PLAN v1\n"
PACK_BYTES_MAX = 1_000_000_000
PLAN_BYTES_MAX = 16_384
SLICE_BYTES = 1024 * 1024

# --- The plan (section 10) ---------------------------------------------------


def tier_of(pack_bytes):
    """Data fragments k and parity fragments m (section 9)."""
    if pack_bytes < 4_194_304:
        return 1, 6
    return (16, 8) if pack_bytes < 268_435_456 else (48, 24)


class Plan:
    """A plan, taken apart and checked as far as its own bytes allow."""

    def __init__(self, data):
        rest = memoryview(data)

        def take(count):
            nonlocal rest
            taken, rest = bytes(rest[:count]), rest[count:]
            if len(taken) != count:
                raise Wrong("ends too early")
            return taken

        if take(16) != FIRST_LINE:
            raise Wrong("is no plan of version 1")
        self.tessera = take(32).hex()
        self.pack_bytes = int.from_bytes(take(8), "big")
        self.shard_bytes = int.from_bytes(take(4), "big")
        self.k, self.m = take(2)
        self.ed25519 = take(32)
        self.ml_dsa_65 = take(1952)
        if not 0 < self.pack_bytes <= PACK_BYTES_MAX:
            raise Wrong("is of a pack of %d bytes" % self.pack_bytes)
        if (self.k, self.m) != tier_of(self.pack_bytes):
            raise Wrong("has %d + %d fragments, which is not its tier" % (self.k, self.m))
        if self.shard_bytes != -(-self.pack_bytes // self.k):
            raise Wrong("has fragments of another size than its pack gives")
        self.fragments = [take(32).hex() for _ in range(self.k + self.m)]
        if self.k == 1 and len(set(self.fragments)) != 1:
            raise Wrong("has copies that differ")
        signed = data[:len(data) - len(rest)]
        ed25519_signature, _ml_dsa_65_signature = take(64), take(3309)
        if rest:
            raise Wrong("does not end behind its signatures")
        if not ed25519_holds(self.ed25519, signed, ed25519_signature):
            raise Wrong("is not signed by the key that it carries")


def read_plan(path):
    with open(path, "rb") as file:
        data = file.read(PLAN_BYTES_MAX + 1)
    try:
        return Plan(data)
    except Wrong as wrong:
        raise Wrong("%s: %s" % (path, wrong)) from None


# --- Bytes as numbers of a field (decode/reedsolomon.txt) ----------------------


def multiply(a, b):
    result = 0
    while b:
        if b & 1:
            result ^= a
        a, b = a << 1, b >> 1
        if a & 0x100:
            a ^= 0x11D
    return result


# TIMES[a][b] is a times b. A row of it is a table for bytes.translate(), which
# multiplies a whole row of bytes by a.
TIMES = [bytes(multiply(a, b) for b in range(256)) for a in range(256)]
INVERSE = [0] + [TIMES[a].index(1) for a in range(1, 256)]


def power(base, exponent):
    result = 1
    for _ in range(exponent):
        result = TIMES[result][base]
    return result


def product(left, right):
    """Left times right, for tables given as lists of rows."""
    return [[dot(row, column) for column in zip(*right)] for row in left]


def dot(row, column):
    total = 0
    for a, b in zip(row, column):
        total ^= TIMES[a][b]
    return total


def inverse(table):
    """The inverse of a square table, which must have one."""
    size = len(table)
    rows = [bytes(row) + bytes(int(i == j) for j in range(size)) for i, row in enumerate(table)]
    for at in range(size):
        chosen = next(i for i in range(at, size) if rows[i][at])
        rows[at], rows[chosen] = rows[chosen], rows[at]
        rows[at] = rows[at].translate(TIMES[INVERSE[rows[at][at]]])
        for i in range(size):
            if i != at and rows[i][at]:
                rows[i] = xor(rows[i], rows[at].translate(TIMES[rows[i][at]]))
    return [list(row[size:]) for row in rows]


def xor(one, two):
    mixed = int.from_bytes(one, "little") ^ int.from_bytes(two, "little")
    return mixed.to_bytes(len(one), "little")


def coding_table(k, m):
    """G: row r tells how fragment r is made of the k data fragments."""
    vandermonde = [[power(r, c) for c in range(k)] for r in range(k + m)]
    return product(vandermonde, inverse(vandermonde[:k]))


# --- Rebuilding --------------------------------------------------------------


def choose_fragments(plan, paths):
    """k fragments by their numbers, data fragments before parity."""
    found = {}
    for path in paths:
        right_size = os.path.getsize(path) == plan.shard_bytes
        seen = blake3(pieces_of(path)) if right_size else ""
        # Fragments with the same contents have the same hash, so one file may
        # be right at several numbers.
        numbers = [i for i, fragment in enumerate(plan.fragments) if fragment == seen]
        if not numbers:
            print("WRONG  %s: is no fragment of this plan" % path)
        for number in numbers:
            found.setdefault(number, path)
    if len(found) < plan.k:
        raise Wrong("%d right fragments are too few, %d are needed" % (len(found), plan.k))
    return {number: found[number] for number in sorted(found)[:plan.k]}


def write_pack(plan, chosen, target):
    """Writes the pack, a slice of every fragment at a time."""
    numbers = list(chosen)
    table = coding_table(plan.k, plan.m)
    back = inverse([table[number] for number in numbers])
    files = [open(path, "rb") for path in chosen.values()]
    try:
        for at in range(0, plan.shard_bytes, SLICE_BYTES):
            slices = [file.read(SLICE_BYTES) for file in files]
            for data_number in range(plan.k):
                here = data_number * plan.shard_bytes + at
                if data_number in chosen:
                    piece = slices[numbers.index(data_number)]
                else:
                    piece = bytes(len(slices[0]))
                    for factor, part in zip(back[data_number], slices):
                        piece = xor(piece, part.translate(TIMES[factor]))
                target.seek(here)
                target.write(piece[:max(0, plan.pack_bytes - here)])
    finally:
        for file in files:
            file.close()


def check_pack(plan, path):
    """The first file of the pack is the MANIFEST that the plan is about."""
    with open(path, "rb") as file:
        header = file.read(512)
        name, size = header[:100].rstrip(b"\0"), header[124:135]
        if name != b"MANIFEST" or not re.fullmatch(b"[0-7]{11}", size):
            raise Wrong("the pack does not begin with a MANIFEST")
        manifest = file.read(min(int(size, 8), MANIFEST_BYTES_MAX))
    if blake3([manifest]) != plan.tessera:
        raise Wrong("the pack is not that of the tessera in the plan")
    head, _ = parse_manifest(manifest)
    keys = [plan.ed25519.hex()], [blake3([plan.ml_dsa_65])]
    if keys != (head["creator-ed25519"], head["creator-ml-dsa-65"]):
        raise Wrong("the plan was not signed by the creator of the tessera")


def rebuild(plan_path, pack_path, fragment_paths):
    plan = read_plan(plan_path)
    print("tessera    %s" % plan.tessera)
    print("pack       %d bytes, any %d of %d fragments" %
          (plan.pack_bytes, plan.k, plan.k + plan.m))
    chosen = choose_fragments(plan, fragment_paths)
    print("fragments  " + " ".join(str(number) for number in chosen))
    unfinished = pack_path + ".part"  # so that PACK.tar is whole or absent
    try:
        with open(unfinished, "wb") as target:
            write_pack(plan, chosen, target)
        check_pack(plan, unfinished)
        os.replace(unfinished, pack_path)
    finally:
        if os.path.exists(unfinished):
            os.remove(unfinished)


def main(arguments):
    if len(arguments) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    sys.stdout.reconfigure(errors="backslashreplace")  # file names may hold anything
    try:
        rebuild(arguments[0], arguments[1], arguments[2:])
    except (Wrong, OSError) as error:
        print("WRONG  %s" % error)
        return 1
    print("wrote      %s" % arguments[1])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
