/** decode/reedsolomon.txt */
export const REED_SOLOMON_TEXT = `ONE FILE CUT INTO MANY: FRAGMENTS
=================================

Machines in a network do not keep whole tesseras, if they are large, but
fragments of the pack (see tar.txt). If enough fragments are found, the pack
can be computed from them, whichever they are. If you have the folder, you
need not read this.

The cut
-------

  length of the pack             data fragments k   more fragments m
  below 4194304 bytes                    1                 6
  below 268435456 bytes                 16                 8
  otherwise                             48                24

The length of every fragment, s, is the length of the pack divided by k,
rounded up. Data fragment 0 is the first s bytes of the pack, fragment 1 the
next s bytes, and so on; the last is filled up with zero bytes. So if all
data fragments are there, put them one behind the other and cut the result
to the length of the pack. With k = 1 every fragment is the whole pack.

Fragments k to k+m-1 are computed: byte number i of each of them from byte
number i of all data fragments. Any k fragments out of the k+m give all.

Arithmetic with bytes
---------------------

Bytes are added by "xor": bit by bit, 1 where they differ. Adding and
subtracting are the same.

To multiply a by b: the result is 0 at first. For each bit of b, from the
lowest: if it is 1, add a to the result. Then double a: move its bits one
place up, and if a 1 falls out at the top, xor with 1D. (This is the field
of 256 elements with the polynomial x^8 + x^4 + x^3 + x^2 + 1, 11D.)

Every a but 0 has exactly one b with a times b = 1; find it by trying.

The matrix
----------

Write the table V with k+m rows and k columns: the entry in row r and column
c (both from 0) is r multiplied by itself c times; anything multiplied 0
times is 1, also 0. Let T be the first k rows. Multiply V by the inverse of T.
The result, G, has in its first k rows 1 on the diagonal and 0 elsewhere.

Fragment r is: for every column c, entry (r, c) of G times data fragment c,
all added up, byte by byte.

To compute the lost fragments
-----------------------------

Take any k fragments, with the numbers r1 to rk. Take these rows of G: a table
of k rows and k columns. Its inverse, multiplied by the k fragments, gives
the k data fragments.

The inverse of a table: write beside it the table with 1 on the diagonal and
0 elsewhere. Change rows of both in the same way until the left one has 1 on
its diagonal and 0 elsewhere: exchange two rows; multiply a row by a number;
add a multiple of one row to another. The right one is then the inverse.

The plan
--------

Each fragment travels with a plan, signed by the creator of the tessera, that
tells what it is a part of:

  bytes   meaning
  16      "TESSERA PLAN v1" and a line feed
  32      name of the tessera (BLAKE3 of its MANIFEST)
  8       length of the pack, big-endian
  4       length of a fragment, s, big-endian
  1       k
  1       m
  32      the creator's Ed25519 key
  1952    the creator's ML-DSA-65 key
  32      BLAKE3 of fragment 0, then of fragment 1, up to k+m-1
  64      Ed25519 signature of all bytes before it
  3309    ML-DSA-65 signature of the same bytes

A fragment is right if its length is s and its BLAKE3 is in the plan, at its
number. See signatures.txt and blake3.txt.
`;
