/** decode/json.txt */
export const JSON_TEXT = String.raw`FACTS FOR MACHINES: JSON
========================

The file meta.json beside each memory is written in JSON (RFC 8259), a small
grammar for facts. It is text (see utf-8.txt), and one can read it by eye.

A JSON text is one value. A value is one of these:

  object    { "name": value, "name": value }
            named values. Each name is a string and occurs once.
  array     [ value, value ]
            values in an order.
  string    "text between double quotes"
  number    12  -3  0.5  6.02e23  (decimal; e means "times ten to the")
  true, false, null

Spaces, tabs and line ends between these parts mean nothing.

Inside a string, a backslash begins an escape:

  \"  the double quote        \n  line feed
  \\  one backslash           \r  carriage return
  \/  a slash                 \t  tab
  \b  backspace               \f  form feed
  \uXXXX  the character of that hexadecimal number

A character above FFFF may be written as two escapes. The first, between
D800 and DBFF, and the second, between DC00 and DFFF, give the code point
10000 + (first - D800) * 400 + (second - DC00), all hexadecimal.

The fields of meta.json
-----------------------

  version       1
  name          the name of the file in its owner's folder; a slash stands
                between a folder and what is in it
  memoryType    "moment": something that happened. "reflection": what
                somebody thought or felt. Also possible: "daily",
                "relation", "object"
  media         an object about the memory itself:
    file          its name in this folder
    type          its kind, such as "image/jpeg"
    bytes         its length
    blake3        its fingerprint by BLAKE3, 64 hexadecimal digits
    sha256        its fingerprint by SHA-256
    typeVerified  false if its first bytes were not those of its kind
  takenAt       if known: when the picture was taken, by the camera's clock:
                year-month-day, T, hour:minute:second, and perhaps the
                difference from the time of the zero meridian, +hour:minute
  place         if known: latitude and longitude in degrees, north of the
                equator and east of Greenwich positive
  modifiedAt    if known: when the file was last changed; the Z at the end
                says it is the time of the zero meridian

Fields that are not in this list were added later, and may be ignored.

schema/v1.json says the same in a grammar for such grammars, named JSON
Schema: "properties" lists the fields, "type" what kind of value each has,
"required" those that are always there, and "pattern" the form of a string.
`;
