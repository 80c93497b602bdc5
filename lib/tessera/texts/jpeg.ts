/** decode/jpeg.txt */
export const JPEG_TEXT = `PHOTOGRAPHS: JPEG
=================

JPEG (ITU-T T.81) keeps what the eye notices of a picture and leaves out the
rest. Decoding takes five steps: find the parts, read the codes, undo the
waves, put the colours together, turn the picture the right way up. This
text describes the two ways nearly all cameras use, "baseline" and
"progressive". Numbers are big-endian.

1. Markers and segments
-----------------------

The file is a row of segments. Each begins with a marker: FF and one byte
that is neither 00 nor FF. Most are followed by a length of two bytes, which
counts itself but not the marker, and contents.

  FF D8         beginning (no length)
  FF D9         end (no length)
  FF DB         quantization tables
  FF C4         Huffman tables
  FF C0, C1     frame: size and components, baseline
  FF C2         the same, progressive
  FF DD         restart interval: 2 bytes, a number of units
  FF DA         scan: header, then coded bits until the next marker
  FF D0 to D7   restart, inside a scan (no length)
  FF E0 to EF   facts for programs; FF E1 is often "Exif", see below
  FF FE         a comment, text

Quantization tables: one byte, whose upper four bits are 0 for entries of 1
byte and 1 for entries of 2, and whose lower four are the number of the table
(0 to 3); then 64 entries in zigzag order. There may be several in a segment.

Zigzag order: entry i of a list belongs to this place (8 * row + column):

   0  1  8 16  9  2  3 10 17 24 32 25 18 11  4  5
  12 19 26 33 40 48 41 34 27 20 13  6  7 14 21 28
  35 42 49 56 57 50 43 36 29 22 15 23 30 37 44 51
  58 59 52 45 38 31 39 46 53 60 61 54 47 55 62 63

Huffman tables: one byte, upper four bits 0 for DC and 1 for AC, lower four
the number; then 16 bytes: how many codes have 1, 2, ... 16 bits; then the
symbols, one byte each, in order of their codes. Codes: begin with 0; each
next symbol of the same length has the code before plus one; at each step to
the next length, double.

Frame: 1 byte bits of a sample (8), 2 bytes height, 2 bytes width, 1 byte
number of components, and for each: 1 byte its name, 1 byte with the
horizontal factor H in the upper four bits and the vertical factor V in the
lower, 1 byte number of its quantization table.

Scan header: 1 byte number of components, for each 1 byte its name and 1 byte
with the DC table in the upper four bits and the AC table in the lower; then
three bytes Ss, Se, and Ah, Al in four bits each.

2. The coded bits
-----------------

Bits are read from the highest of each byte. After a byte FF stands a 00 that
is skipped. A restart marker comes after every "restart interval" units:
skip the bits left in the byte, and set the predictions to 0.

The picture is cut into units. In a scan with several components, a unit has
8*Hmax by 8*Vmax pixels, and holds for each component in turn H times V blocks
of 8 by 8 samples, row by row. In a scan with one component, a unit is one
block, and only as many are there as the component's own size needs.

RECEIVE(n) reads n bits as a number v; if v is less than 2^(n-1), subtract
2^n - 1. RECEIVE(0) is 0.

Baseline (Ss 0, Se 63). For each block, 64 coefficients, all 0 at first:

  DC: read a symbol n with the DC table. The difference is RECEIVE(n).
      Coefficient 0 is the prediction plus the difference, and is the
      component's next prediction.
  AC: i = 1. Read a symbol with the AC table; r is its upper four bits, n
      its lower. If the symbol is 00, the block is done. If it is F0, add 16
      to i. Else add r to i, set coefficient i (zigzag) to RECEIVE(n), add 1
      to i. Until i is 64.

Progressive: several scans refine the same coefficients, from Ss to Se.

  Ss = 0, Ah = 0   as DC above, the value times 2^Al
  Ss = 0, Ah > 0   read one bit; if 1, add 2^Al to coefficient 0
  Ss > 0, Ah = 0   as AC above, values times 2^Al, until Se. A symbol with
                   n = 0 and r below 15 ends this block and
                   2^r + (r bits) - 1 blocks after it
  Ss > 0, Ah > 0   go from Ss to Se. Read a symbol. If n is 1, a bit follows:
                   1 for a new value 2^Al, 0 for -2^Al. Go on: at each
                   coefficient that is not 0, read a bit, and if it is 1 move
                   the coefficient by 2^Al away from 0; each that is 0 uses
                   up one of r; at the zero after r of them put the new
                   value (for F0: sixteen zeros are passed). n = 0 with r
                   below 15 counts blocks as above; in those, only the
                   correction bits of coefficients that are not 0 follow

3. From waves to samples
------------------------

Multiply each coefficient by the entry of the component's quantization table.
Put them in their places: F(v, u), row v, column u, 0 to 7. Then each sample
in row y and column x of the block is

  f(y, x) = 1/4 * sum over u and v of
            c(u) c(v) F(v, u) cos((2x+1) u pi / 16) cos((2y+1) v pi / 16)

with c(0) = 1 / (root of 2), and c of all others = 1. Add 128, round, and keep
it between 0 and 255.

4. Colours
----------

A component with smaller H or V than the largest is stretched to the size of
the picture. One component is brightness alone: grey. Three are brightness Y,
and two differences Cb and Cr:

  red   = Y + 1.402 (Cr - 128)
  green = Y - 0.344136 (Cb - 128) - 0.714136 (Cr - 128)
  blue  = Y + 1.772 (Cb - 128)

each kept between 0 and 255. Cut off what goes beyond width and height.

5. Exif: when, where, which way up
----------------------------------

The contents of an FF E1 segment may begin with "Exif", 00 00. What follows
is a small archive of facts. Offsets count from its first byte. 49 49 says
that its numbers are little-endian, 4D 4D big-endian; then 00 2A as a number
(42), then 4 bytes: offset of the first directory.

A directory is 2 bytes number of entries, then entries of 12 bytes: 2 bytes
tag, 2 bytes type, 4 bytes count, 4 bytes value, or, where the value is
longer than 4 bytes, its offset. Types: 1 byte, 2 text, 3 number of 2 bytes,
4 number of 4 bytes, 5 fraction (two numbers of 4 bytes, divide).

  0112   which way up: 1 as it is; 3 turn by half; 6 turn a quarter
         clockwise; 8 a quarter counter-clockwise; 2, 4, 5, 7 are the
         mirrored ones
  8769   offset of a further directory, in which
    9003   is the date and time it was taken: "year:month:day hour:min:sec"
    9011   its difference from the time of the zero meridian
  8825   offset of a directory of the place:
    1, 2   "N" or "S", and three fractions: degrees, minutes, seconds
    3, 4   "E" or "W", and the same
`;
