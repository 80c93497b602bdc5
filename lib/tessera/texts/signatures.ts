/** decode/signatures.txt */
export const SIGNATURES_TEXT = `KEYS AND SIGNATURES
===================

A person who makes a tessera has two secret numbers. From each follows a
public number, the public key, which lies in identity/. With a secret one
can compute, for a given text, a signature; with the public key anybody can
check that the signature belongs to that text. Nobody knows how to make a
signature without the secret. Two methods are used because a way to break
one of them may be found: Ed25519 falls to a large quantum computer,
ML-DSA-65 was designed to withstand it but is younger.

What is signed: all bytes of the file MANIFEST, as they are.

  identity/signature.ed25519.sig       64 bytes
  identity/signature.ml-dsa-65.sig     3309 bytes

The key files
-------------

They are text named PEM: a line "-----BEGIN PUBLIC KEY-----", then bytes in
base64, 64 letters a line, then a line "-----END PUBLIC KEY-----".

Base64 writes three bytes as four letters. Each letter stands for six bits:
A to Z are 0 to 25, a to z 26 to 51, 0 to 9 52 to 61, + is 62, / is 63. Two
letters and == at the end stand for one byte, three letters and = for two.

The bytes begin with a description of the key, and end with the key:

  creator.pub.ed25519      12 bytes 30 2A 30 05 06 03 2B 65 70 03 21 00,
                           then the key, 32 bytes
  creator.pub.ml-dsa-65    22 bytes 30 82 07 B2 30 0B 06 09 60 86 48 01 65
                           03 04 03 12 03 82 07 A1 00, then the key,
                           1952 bytes

Ed25519 (RFC 8032)
------------------

All numbers are whole. "mod p" means: keep only the remainder after division
by p. Division mod p is multiplication by the number that gives 1. Numbers
of 32 bytes are little-endian.

  p = 2^255 - 19
  L = 2^252 + 27742317777372353535851937790883648493
  d = -121665 / 121666 mod p

A point is a pair (x, y) with  -x^2 + y^2 = 1 + d x^2 y^2  mod p. Two points
are added by

  x3 = (x1 y2 + x2 y1) / (1 + d x1 x2 y1 y2)
  y3 = (y1 y2 + x1 x2) / (1 - d x1 x2 y1 y2)

and k times a point is the point added to itself k times (by doubling, this
takes some 256 steps). (0, 1) is the point that changes nothing. The base
point B has y = 4/5 mod p, and of the two possible x the even one.

A point is written as 32 bytes: y, with the lowest bit of x in the highest
bit of the last byte. To read one, take y, then x^2 = (y^2 - 1) / (d y^2 + 1);
a square root of u mod p is u^((p+3)/8), times 2^((p-1)/4) if its square is
-u; if neither fits, it is no point. Of the two roots take the one whose
lowest bit is as written.

To check: the key is a point A. The first 32 bytes of the signature are a
point R, the other 32 a number S, which must be less than L. Let h be the
SHA-512 of the bytes R, then A, then the text, as a little-endian number,
mod L. The signature holds if

  S times B  =  R plus h times A.

SHA-512 is SHA-256 (see sha-256.txt) with these changes: words are 64 bits;
blocks are 128 bytes; the length at the end takes 16 bytes; there are 80
rounds, with the cube roots of the first 80 primes, and all roots give 64
bits of their fraction; the turns to the right are
  s0: 1, 8, and shift 7       s1: 19, 61, and shift 6
  S1: 14, 18, 41              S0: 28, 34, 39.

A key that is one of the eight points of small order (those where 8 times
the point gives (0, 1)) is refused, as it would fit almost anything.

ML-DSA-65 (FIPS 204)
--------------------

This method computes with polynomials of degree below 256 over the whole
numbers mod q = 8380417, where x^256 = -1. The public key is 32 bytes, rho,
from which a matrix A of 6 rows and 5 columns of polynomials is expanded
with the function SHAKE128, and 6 polynomials t1 of 10 bits a coefficient,
the upper part of t = A s1 + s2 for secret short s1, s2. The signature is
48 bytes c~, then 5 polynomials z with coefficients of 20 bits, then 61 bytes
of hints h (the positions of at most 55 ones). To check, one computes
w = A z - c t1 2^13, where c is a polynomial with 49 coefficients of 1 or -1
made from c~, corrects the upper part of w with the hints, and hashes it with
the text by SHAKE256: the result must be c~, and the coefficients of z must
be smaller than 2^19 - 196. The text is preceded by two zero bytes (an empty
context).

The full description, with every order of bits, is the standard FIPS 204,
"Module-Lattice-Based Digital Signature Standard", of August 2024; it is too
long for this box. If you cannot find it, Ed25519 alone still tells much.
`;
