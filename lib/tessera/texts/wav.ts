/** decode/wav.txt */
export const WAV_TEXT = `SOUND: WAV
==========

Sound is a movement of the air. A microphone measures the pressure many
thousand times a second; each measurement is a number, a sample. WAV keeps
the samples one after the other. To hear them, move a membrane to each
sample's position at the same pace.

Numbers are little-endian unless said otherwise.

Chunks
------

The file is one outer chunk with chunks inside:

  offset 0   52 49 46 46, which is RIFF
  offset 4   4 bytes: length of what follows, which is the length of the
             file minus 8
  offset 8   57 41 56 45, which is WAVE
  offset 12  chunks until the end

Each chunk inside:

  4 bytes    its name, as ASCII letters
  4 bytes    its length in bytes, without these eight
  ...        its contents
  0 or 1     a byte to skip, if the length is odd

Skip chunks whose name you do not know. LIST chunks contain names and
comments as text.

The chunk "fmt " (its fourth character is a space)
--------------------------------------------------

  offset 0   2 bytes   code: 1 = plain samples (PCM), 3 = samples with a
                       floating point, FFFE = see below, 6 and 7 = samples
                       squeezed by a curve (A-law, mu-law)
  offset 2   2 bytes   channels: 1 = one ear, 2 = left and right, more for
                       more loudspeakers
  offset 4   4 bytes   frames a second, often 44100 or 48000
  offset 8   4 bytes   bytes a second
  offset 12  2 bytes   bytes of one frame
  offset 14  2 bytes   bits of one sample: 8, 16, 24 or 32

If the code is FFFE, the contents are at least 40 bytes long, and the true
code is in the two bytes at offset 24.

The chunk "data"
----------------

Frames, one after the other. A frame has one sample for each channel, the
first channel first. With code 1 a sample is

  8 bits     a byte from 0 to 255; silence is 128
  16 bits    two bytes, -32768 to 32767; silence is 0
  24 bits    three bytes, silence is 0
  32 bits    four bytes, silence is 0

A number of more than 8 bits can be negative: if its highest bit is 1,
subtract 2 to the number of bits. With code 3 a sample is a number between
-1 and 1 as IEEE 754 keeps it in 4 or 8 bytes: highest bit the sign s, then
8 (or 11) bits e, then 23 (or 52) bits m; the value is
(-1)^s times 2^(e-127) times (1 + m / 2^23)   (or 1023 and 2^52).

The sound lasts (length of data) / (bytes of one frame) / (frames a second)
seconds.

If the length of "data" is 0 or FFFFFFFF, the recorder was stopped before it
could write it: the samples go on to the end of the file.

Example: a file of one second of silence, one channel, 8000 frames a
second, 16 bits, begins

  52 49 46 46 A4 3E 00 00 57 41 56 45 66 6D 74 20
  10 00 00 00 01 00 01 00 40 1F 00 00 80 3E 00 00
  02 00 10 00 64 61 74 61 80 3E 00 00

and 16000 bytes 00 follow.
`;
