/** decode/tessera.txt */
export const TESSERA_TEXT = String.raw`THE TESSERA ITSELF, VERSION 1
=============================

A tessera is a folder of files. Nothing about it is hidden: this text is
enough to check one, and to make one.

The files
---------

  MANIFEST
  CHECKSUMS.b3
  CHECKSUMS.sha256
  README.decode
  identity/creator.pub.ed25519
  identity/creator.pub.ml-dsa-65
  identity/signature.ed25519.sig
  identity/signature.ml-dsa-65.sig
  memories/FINGERPRINT/media.EXT
  memories/FINGERPRINT/context.txt
  memories/FINGERPRINT/meta.json
  schema/v1.json
  decode/*.txt

FINGERPRINT is the BLAKE3 of the media file in 64 hexadecimal digits. If the
same contents were given under two names, the second has -2 after its
fingerprint, the third -3, in the order of their names.

MANIFEST
--------

UTF-8 text. Every line, the last too, ends with one line feed (0A). The
first line is

  TESSERA MANIFEST v1

Then come lines of the form "key: value", one space after the colon, in this
order:

  title               what the creator called it
  created             when it was packed: year-month-day T
                      hour:minute:second Z, time of the zero meridian
  language            the language of its texts, such as en or pt-BR
  tag                 a word to find it by; there may be none or up to 64
  location            where it belongs; may be absent
  visibility          public, private, circle or sealed. If it is not
                      public, the memories are encrypted
  creator-ed25519     the creator's first key, 64 hexadecimal digits
  creator-ml-dsa-65   the BLAKE3 of the creator's second key

After these there may be lines with other keys, added by later versions.
They may be ignored. The lines at the end are

  file: FINGERPRINT LENGTH TYPE PATH

one for each file: its BLAKE3 in 64 hexadecimal digits, its length in bytes,
its kind, and where it lies. They are sorted by the bytes of PATH. No file
may be missing, and there is none twice.

A title, tag or location may contain any character. Those that cannot be
seen or would break the line are spelled out: \\ is one backslash, \n a line
feed, \r a carriage return, \t a tab, and \u{HEX} the character with that
code point: control characters, marks that turn the direction of writing,
the line separators, and a space at the beginning or end.

Five files are not listed: MANIFEST, because it cannot contain its own
fingerprint; the two signatures, because they are made over MANIFEST; and
the two CHECKSUMS, because they list those three as well.

The name of a tessera is the BLAKE3 of all bytes of MANIFEST. As MANIFEST
contains the fingerprints of the other files, this one number fixes them all.

How to check a tessera
----------------------

1. Read MANIFEST and compute its BLAKE3. If you were told the name of the
   tessera, the two must be equal.
2. Read the two keys in identity/ (signatures.txt says how). The first must
   be the number in creator-ed25519, and the BLAKE3 of the second must be
   the number in creator-ml-dsa-65.
3. Check both signatures over all bytes of MANIFEST. Both must hold.
4. For each line "file:", compute the length and BLAKE3 of that file.
5. There should be no other file in memories, identity, decode or schema.

If all this is so, every byte is as its creator packed it. If only some
files fail, the others are still good: each stands for itself.

Who the creator is, the keys cannot tell you. They tell that two tesseras
with the same keys came from the same hand.

CHECKSUMS.b3 and CHECKSUMS.sha256
---------------------------------

One line for each file but these two: the fingerprint in 64 hexadecimal
digits, two spaces, the path. They say nothing new. They are here because
tools exist that check such lists by themselves.
`;
