/** decode/png.txt */
export const PNG_TEXT = `PICTURES WITHOUT LOSS: PNG
==========================

A picture is a grid of small squares, pixels, in rows from top to bottom,
each row from left to right. PNG (ISO/IEC 15948) keeps the colour of every
pixel exactly. Numbers are big-endian unless said otherwise.

Chunks
------

The file begins 89 50 4E 47 0D 0A 1A 0A. Then come chunks:

  4 bytes    length of the contents
  4 bytes    name, as ASCII letters
  ...        contents
  4 bytes    a check number (CRC-32 of name and contents), which may be
             ignored

If the first letter of a name is small, the chunk may be skipped.

  IHDR   the first: width (4 bytes), height (4 bytes), bits of a sample (1),
         colour type (1), and three bytes: compression 0, filter 0, and
         interlace 0 or 1
  PLTE   the palette: three bytes red, green, blue for each entry
  tRNS   transparency
  IDAT   the pixels. The contents of all IDAT chunks, put together, are one
         compressed stream
  IEND   the end

Colour types, and the samples of each pixel:

  0   grey                          1 sample; 1, 2, 4, 8 or 16 bits
  2   red, green, blue              3 samples; 8 or 16 bits
  3   number of a palette entry     1 sample; 1, 2, 4 or 8 bits
  4   grey, opacity                 2 samples; 8 or 16 bits
  6   red, green, blue, opacity     4 samples; 8 or 16 bits

The lowest sample is dark or transparent, the highest bright or opaque.

The compressed stream (zlib, RFC 1950; deflate, RFC 1951)
---------------------------------------------------------

Two bytes to skip, then blocks, then four check bytes. Bits are taken from
each byte beginning with the LOWEST. A number of n bits has its lowest bit
first; but the bits of a Huffman code come highest first.

Each block: 1 bit, set in the last block; 2 bits kind.

  kind 0   stored: skip to the next whole byte; 2 bytes length
           (little-endian), 2 bytes to skip, then that many bytes
  kind 1   symbols with fixed codes
  kind 2   symbols with codes that are described first

A symbol 0 to 255 is a byte of output. 256 ends the block. 257 to 285 say:
repeat earlier output. Their length, with extra bits read after the symbol:

  257 to 264   3 to 10, no extra bits
  265 to 268   11, 13, 15, 17           1 extra bit to add
  269 to 272   19, 23, 27, 31           2 extra bits
  273 to 276   35, 43, 51, 59           3
  277 to 280   67, 83, 99, 115          4
  281 to 284   131, 163, 195, 227       5
  285          258                      0

Then comes a distance symbol 0 to 29, in its own code:

  0 to 3       1 to 4, no extra bits
  4 and on     symbol n has e = n/2 - 1 (cut off) extra bits, and begins at
               2^(e+1) + 1 for even n, 3 * 2^e + 1 for odd n

Copy "length" bytes from "distance" bytes back, one at a time (the copy may
run into what it has just written).

Huffman codes are given by a length in bits for each symbol (0: not used).
The codes follow: go through the lengths from 1 up; within a length through
the symbols in order; give each the next code, beginning with 0; at each
step to the next length double the next code.

Fixed codes: symbols 0 to 143 have 8 bits, 144 to 255 9, 256 to 279 7,
280 to 287 8; all distance symbols 5.

Described codes: 5 bits + 257 = number of symbol lengths; 5 bits + 1 =
number of distance lengths; 4 bits + 4 = number of 3-bit lengths that follow,
which belong to the length symbols 16 17 18 0 8 7 9 6 10 5 11 4 12 3 13 2 14
1 15 in this order. They form a code, in which the symbol lengths and then
the distance lengths are written: 0 to 15 are lengths; 16 repeats the last
one 3 + (2 bits) times; 17 writes 3 + (3 bits) zeros; 18 writes 11 + (7 bits)
zeros.

Rows and filters
----------------

The output is one part for each row: one byte filter, then the samples of
the row, packed (highest bits first), filled up to a whole byte. Let n be
the bytes of one pixel, at least 1. To each byte x of the row add, and keep
the lowest 8 bits:

  filter 0   nothing
  filter 1   the byte n places before (a)
  filter 2   the byte above it in the row before (b)
  filter 3   (a + b) / 2, cut off
  filter 4   of a, b and c (the byte n places before b), the one nearest to
             a + b - c; if equally near, a goes before b before c

Bytes outside the picture count as 0. All bytes are those after filtering.

If interlace is 1, the picture is stored as seven smaller ones, each with
rows of its own, filtered by itself; those without pixels are left out. In
squares of 8 by 8 pixels, they are first column, first row, then the step:

  1: 0,0 every 8,8    2: 4,0 every 8,8    3: 0,4 every 4,8
  4: 2,0 every 4,4    5: 0,2 every 2,4    6: 1,0 every 2,2
  7: 0,1 every 1,2
`;
