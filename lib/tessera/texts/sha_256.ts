/** decode/sha-256.txt */
export const SHA_256_TEXT = `OTHER FINGERPRINTS: SHA-256
===========================

SHA-256 (FIPS 180-4) turns any row of bytes into 32 bytes. It is older than
BLAKE3 and built differently. A tessera carries both, so that one suffices
if the other is forgotten or broken.

Words are numbers of 32 bits, read and written big-endian. Additions keep
the lowest 32 bits. ">>> n" moves all bits n places towards the lowest, those
that fall out come in again at the top; ">> n" does the same, but zeros come
in. "and", "xor" and "not" work bit by bit.

The constants
-------------

H0 to H7: the first 32 bits after the point of the square roots of the first
eight primes (2, 3, 5, 7, 11, 13, 17, 19). The root of 2 is 1.41421356..., so
H0 is 0.41421356... times 2^32, cut off: 6A09E667.

K0 to K63: the first 32 bits after the point of the cube roots of the first
64 primes (2 to 311). K0 is 428A2F98.

The message
-----------

Add one byte 80, then as many zero bytes as needed, then the length of the
input in bits as a number of 8 bytes, so that the whole is a multiple of 64
bytes, with as few zero bytes as possible. Cut it into blocks of 64 bytes.

For each block, words W0 to W15 are its bytes, and for i from 16 to 63

  s0 = (W[i-15] >>> 7) xor (W[i-15] >>> 18) xor (W[i-15] >> 3)
  s1 = (W[i-2] >>> 17) xor (W[i-2] >>> 19) xor (W[i-2] >> 10)
  W[i] = W[i-16] + s0 + W[i-7] + s1

Set a to h to H0 to H7. For i from 0 to 63:

  S1 = (e >>> 6) xor (e >>> 11) xor (e >>> 25)
  ch = (e and f) xor ((not e) and g)
  T1 = h + S1 + ch + K[i] + W[i]
  S0 = (a >>> 2) xor (a >>> 13) xor (a >>> 22)
  mj = (a and b) xor (a and c) xor (b and c)
  T2 = S0 + mj
  h = g   g = f   f = e   e = d + T1   d = c   c = b   b = a   a = T1 + T2

Then add a to H0, b to H1, and so on to h and H7. After the last block H0 to
H7 are the result.

To try it: the three bytes 61 62 63 (abc) give

  BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD
`;
