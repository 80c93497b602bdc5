/** The fixed part of README.decode. */
export const README_TEXT = `HOW TO READ THIS TESSERA
========================

You are holding a tessera: a box of memories that somebody packed and signed
so that it could be opened by you, whoever you are and whenever this is. You
need no special program. Everything here is either plain text, like this
file, or is explained in plain text in the folder named "decode".

@ABOUT@


What to do first
----------------

1. Look into the folder "memories". Each memory has a folder of its own:

     media.xxx     the memory itself: a picture, a sound, a film or a text
     context.txt   what is known about it, for you
     meta.json     the same, in a form that machines read

   The names of the folders are long numbers computed from the contents of
   the memories. The list at the end of this file tells which is which.

2. If you have a program that opens the memory, use it. If you have none,
   read decode/formats.txt. It leads to one file for each kind of memory,
   which says how the bytes are arranged.

3. To learn whether everything is still as it was packed, and by whom, read
   the next part.


How to check that nothing has changed
-------------------------------------

MANIFEST lists every file with its length and its fingerprint, a number
computed from all bytes of the file by a rule named BLAKE3. If a single bit
of a file changes, its fingerprint changes completely. The fingerprint of
MANIFEST itself is the name of this tessera.

With common tools of the time this was made, in this folder:

  b3sum -c CHECKSUMS.b3
  sha256sum -c CHECKSUMS.sha256

The person who packed it signed MANIFEST twice, in two ways that fail for
different reasons, so that both would have to be broken to deceive you:

  openssl pkeyutl -verify -pubin -inkey identity/creator.pub.ed25519 \\
    -rawin -in MANIFEST -sigfile identity/signature.ed25519.sig

  openssl pkeyutl -verify -pubin -inkey identity/creator.pub.ml-dsa-65 \\
    -rawin -in MANIFEST -sigfile identity/signature.ml-dsa-65.sig

(The second needs OpenSSL 3.5 or later.)

Without these tools: decode/blake3.txt, decode/sha-256.txt and
decode/signatures.txt describe the computations; decode/tessera.txt
describes MANIFEST and everything else about this box.


What else lies here
-------------------

  MANIFEST           every file, its length and its fingerprint
  CHECKSUMS.b3       the fingerprints again, as one tool wants them
  CHECKSUMS.sha256   other fingerprints, by a rule named SHA-256
  identity/          the creator's public keys, and the two signatures
  decode/            how to read everything
  schema/v1.json     the exact form of every meta.json
  memories/          what this is all for


What is inside
--------------

Each memory by the name its owner gave it, and where it lies. In names and
titles a backslash spells a character that cannot be seen: \\n is a new line,
\\u{202e} the character of that number, \\\\ one backslash.

@INSIDE@
`;
