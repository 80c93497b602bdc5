/** decode/webm.txt */
export const WEBM_TEXT = `FILMS: WEBM
===========

A film is a row of pictures, shown many times a second, with sound. WebM is a
box (a kind of Matroska, RFC 9559) in which pictures and sound lie in small
pieces, each with its time. This text explains the box completely enough to
take it apart. The pictures and the sound inside are compressed by methods of
which the full description is a book of its own; they are named at the end.

Elements
--------

Everything is an element: an ID, a size, and contents. Some contain elements.

The ID: look at the first byte. If its highest bit is 1, the ID is this one
byte; if the first 1 is the second bit, two bytes; the third, three; the
fourth, four. IDs are written here with that bit.

The size: in the same way, up to eight bytes; but here the first 1 is taken
away, and the rest is a number, big-endian. If all bits of it are 1, the size
was not known when it was written: the element ends where an element begins
that cannot be inside it.

Contents are, depending on the ID: whole numbers (big-endian, as many bytes
as the size says), fractional numbers (4 or 8 bytes, IEEE 754, see below),
text, raw bytes, or elements. Skip every element that you do not know.

A number in IEEE 754: highest bit the sign s, then 8 (of 4 bytes) or 11 (of 8
bytes) bits e, then the other 23 or 52 bits m. The value is (-1)^s times
2^(e-127) times (1 + m / 2^23), or with 1023 and 2^52.

What lies where
---------------

  1A 45 DF A3          head of the file
    42 82                "webm", text
  18 53 80 67          segment: everything else
    15 49 A9 66          information
      2A D7 B1             nanoseconds in one unit of time, if absent 1000000
      44 89                duration in these units, fractional
      44 61                date, in nanoseconds since 2001-01-01 (may be < 0)
    16 54 AE 6B          tracks
      AE                   one track
        D7                   its number
        83                   1 picture, 2 sound
        86                   text: the method, see below
        63 A2                raw bytes that the method needs to begin
        56 AA                nanoseconds of sound to play before and drop
        E0                   of a picture:
          B0, BA               width and height in pixels
        E1                   of sound:
          B5                   samples a second, fractional
          9F                   channels
          62 64                bits of a sample
    1F 43 B6 75          cluster: a few seconds
      E7                   its time, in units
      A3                   simple block, see below
      A0                   block group
        A1                   block, see below
        9B                   how long it is shown, in units
    1C 53 BB 6B          index: where to find which time (can be skipped)
    12 54 C3 67          labels (can be skipped)

A block:

  1 byte or more   number of the track, written like a size
  2 bytes          its time, counted from that of the cluster; big-endian,
                   and if the highest bit is 1 subtract 65536
  1 byte           flags: 80 in a simple block: can be shown without those
                   before it; 06: several pieces are tied together (00 one
                   piece, 02 sizes as in Xiph, 04 equal sizes, 06 sizes as in
                   EBML)
  the rest         one piece for the method of the track

To play the film: go through the clusters in order, give each piece to the
method of its track, and show or sound the result at (time of cluster + time
of block) times the length of the unit.

If several pieces are tied together, a byte follows that says how many, minus
one. Equal sizes: divide the rest. Xiph: for each but the last, its size as
bytes FF added up with the first byte that is not FF. EBML: the first size
written like a size; each next but the last like a size, from which
2^(7 * its bytes - 1) - 1 is subtracted, added to the size before.

The methods
-----------

  V_VP8     pictures, RFC 6386 (which contains a whole decoder)
  V_VP9     pictures, "VP9 Bitstream and Decoding Process Specification"
  V_AV1     pictures, "AV1 Bitstream and Decoding Process Specification"
  A_VORBIS  sound, "Vorbis I specification"; 63 A2 holds three headers, tied
            together as in Xiph, a byte 02 before them
  A_OPUS    sound, RFC 6716 (which contains a whole decoder); 63 A2 holds a
            head: "OpusHead", version, channels, samples to drop at the
            beginning (2 bytes, little-endian), and the original pace

All of them predict a piece from those before, and store what is different,
as waves: the picture in blocks of 4 to 64 pixels by transforms like the one
in JPEG, the sound by transforms of overlapping stretches of time. VP8, VP9,
AV1 and Opus store the numbers with an arithmetic code: the whole piece is one
long fraction, and each decision narrows an interval in proportion to its
likelihood.

If you cannot find these descriptions, the first picture of a V_VP8 track is
a good beginning: it depends on nothing before it.
`;
