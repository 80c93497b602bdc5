/** decode/formats.txt */
export const FORMATS_TEXT = `THE FORMATS IN A TESSERA
========================

Bits, bytes and numbers
-----------------------

Everything here is stored as bytes. A byte is a number from 0 to 255, kept as
eight bits, each 0 or 1; the first bit named is worth 128, the last is
worth 1. This text writes bytes in sixteens (hexadecimal): two digits out of
0 1 2 3 4 5 6 7 8 9 A B C D E F, where A is ten and F is fifteen. 41 means
4 times 16 plus 1, which is 65.

A number too large for one byte is kept in several. "Big-endian" means the
byte worth most comes first: 01 00 is 256. "Little-endian" means it comes
last: 00 01 is 256. Each description says which is used.

A file is a row of bytes with a name. The first byte is at offset 0.

How to tell what a file is
--------------------------

The end of its name says it, and its first bytes confirm it:

  name ends in   what it is                   first bytes
  .txt           text, see utf-8.txt          (any letters)
  .json          text with a fixed grammar,   7B, which is {
                 see json.txt
  .jpg           photograph or picture,       FF D8 FF
                 see jpeg.txt
  .png           picture without loss,        89 50 4E 47 0D 0A 1A 0A
                 see png.txt
  .wav           sound, see wav.txt           52 49 46 46, which is RIFF
  .webm          film, see webm.txt           1A 45 DF A3

Files about a format are here only if a memory in this tessera uses it.

Where a memory's bytes did not begin as its name promised, it was kept as it
was given, and its context.txt says so. Then the name is only what somebody
believed.

Files that a tessera itself is made of
--------------------------------------

  MANIFEST, README.decode, context.txt    text, see utf-8.txt
  CHECKSUMS.b3                            text, see blake3.txt
  CHECKSUMS.sha256                        text, see sha-256.txt
  identity/creator.pub.*                  keys as text, see signatures.txt
  identity/signature.*.sig                raw bytes, see signatures.txt

If this tessera came to you in pieces, through a network of machines that
kept it, tar.txt and reedsolomon.txt tell how the pieces were made.

In which order to learn
-----------------------

utf-8.txt lets you read text. tessera.txt explains this box. After that,
take the kinds you need. A picture in PNG is easier to decode than one in
JPEG; sound in WAV is the easiest of all and a good place to begin.
`;
