/** decode/blake3.txt */
export const BLAKE3_TEXT = `FINGERPRINTS: BLAKE3
====================

BLAKE3 turns any row of bytes into 32 bytes. Nobody knows how to find two
rows of bytes with the same 32 bytes. In lists the result is written as 64
hexadecimal digits, in the order of its bytes.

Words
-----

A word is a number of 32 bits. Words are read from bytes and written to
bytes little-endian. Additions keep the lowest 32 bits. "xor" compares two
words bit by bit: 1 where they differ. ">>> n" moves all bits n places
towards the lowest; those that fall out come in again at the top.

These eight words are called IV:

  6A09E667 BB67AE85 3C6EF372 A54FF53A 510E527F 9B05688C 1F83D9AB 5BE0CD19

The mixing step
---------------

Given sixteen words v0 to v15. MIX(a, b, c, d, x, y) does this with four of
them and two words x, y of the message:

  a = a + b + x      d = (d xor a) >>> 16
  c = c + d          b = (b xor c) >>> 12
  a = a + b + y      d = (d xor a) >>> 8
  c = c + d          b = (b xor c) >>> 7

One round with the sixteen message words m0 to m15:

  MIX(v0, v4, v8,  v12, m0,  m1)     MIX(v1, v5, v9,  v13, m2,  m3)
  MIX(v2, v6, v10, v14, m4,  m5)     MIX(v3, v7, v11, v15, m6,  m7)
  MIX(v0, v5, v10, v15, m8,  m9)     MIX(v1, v6, v11, v12, m10, m11)
  MIX(v2, v7, v8,  v13, m12, m13)    MIX(v3, v4, v9,  v14, m14, m15)

After each round the message words change places. The new row is the old

  m2 m6 m3 m10 m7 m0 m4 m13 m1 m11 m12 m5 m9 m14 m15 m8

The compression
---------------

COMPRESS takes eight words h0 to h7, sixteen message words, a counter t of
64 bits, the number b of bytes in the block, and flags f. It sets

  v0 to v7     h0 to h7
  v8 to v11    the first four words of IV
  v12, v13     the lower and the upper 32 bits of t
  v14, v15     b and f

makes seven rounds (six changes of place between them), and gives the eight
words  v0 xor v8, v1 xor v9, ... v7 xor v15.

The flags are added up from

  1 CHUNK_START    2 CHUNK_END    4 PARENT    8 ROOT

Chunks
------

The input is cut into chunks of 1024 bytes; the last may be shorter, and an
empty input is one empty chunk. Each chunk is cut into blocks of 64 bytes;
the last may be shorter and is filled up with zero bytes to make sixteen
words. Start with h = IV. For each block, h becomes COMPRESS of h, the words
of the block, t = the number of the chunk (the first is 0), b = the number
of bytes of the block before filling, and f: CHUNK_START in the first block
of the chunk, CHUNK_END in the last (both if there is only one).

After the last block, h is the value of the chunk.

The tree
--------

Two values become one: PARENT(left, right) is COMPRESS with h = IV, the
eight words of left and the eight of right as the message, t = 0, b = 64,
f = PARENT.

To join the values of more than one chunk: the left part takes the largest
power of two of chunks that leaves at least one for the right part. Join
each part in the same way, then take PARENT of the two. With five chunks
0 to 4, for example: PARENT(PARENT(PARENT(0,1), PARENT(2,3)), 4).

The very last compression of all has ROOT added to its flags: the one of the
topmost PARENT, or, if there is only one chunk, the one of its last block
(where t is 0). Its eight words, as bytes, are the result.

To try it
---------

The input of no bytes gives

  AF1349B9F5F9A1A6A0404DEA36DCC9499BCB25C9ADC112B7CC9A93CAE41F3262

The three bytes 61 62 63 (abc) give

  6437B3AC38465133FFB63B75273A8DB548C558465D79DB03FD359C6CD5BD9D85

Keys out of one number
----------------------

For checking a tessera the above is all that is needed. The creator's secret
numbers are made from one by BLAKE3 in two steps. First the fingerprint of a
fixed text is computed with 32 (hexadecimal 20) added to all flags. Then the
fingerprint of the secret number is computed, with that result in place of
IV where h starts (also in PARENT; v8 to v11 stay the words of IV), and
with 64 (hexadecimal 40) added to all flags.
`;
