/** decode/tar.txt */
export const TAR_TEXT = `ONE FILE OUT OF MANY: TAR
=========================

When a tessera is kept by a network, all its files are first put one behind
the other into a single file, the pack. Its form is the old tape archive, tar
(POSIX, "ustar"). If you have the folder, you need not read this.

The pack is made of blocks of 512 bytes. For each file there is one block
that describes it, the header, and then its bytes, filled up with zero bytes
to a whole number of blocks. Two blocks of zeros end the pack.

The header
----------

  offset  bytes  meaning
  0       100    path, the rest filled with zero bytes
  100     8      "0000644" and a zero byte
  108     8      "0000000" and a zero byte (owner)
  116     8      "0000000" and a zero byte (group)
  124     12     length of the file, 11 digits and a zero byte
  136     12     "00000000000" and a zero byte (time)
  148     8      check sum, 6 digits, a zero byte, a space
  156     1      "0", which means: a file
  157     100    zero bytes
  257     8      "ustar", a zero byte, "00"
  265     247    zero bytes

Digits are ASCII, and the numbers are octal: each digit counts eight times
the next. The check sum is the sum of all 512 bytes, with eight spaces (20)
in the place of the check sum itself.

A tessera gives always the same pack, on every machine: owner, group and time
are zero, and the order of the files is fixed:

  MANIFEST
  identity/signature.ed25519.sig
  identity/signature.ml-dsa-65.sig
  the other files in identity/, by path
  CHECKSUMS.b3
  CHECKSUMS.sha256
  README.decode
  the files in decode/, by path
  the files in schema/, by path
  any others, by path
  the files in memories/, by path

"By path" means by the bytes of the path, the smaller byte first.

To open a pack: read a header, take the path and the length, copy that many
bytes into a file of that name, go on to the next multiple of 512.
`;
