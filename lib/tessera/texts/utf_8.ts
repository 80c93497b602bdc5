/** decode/utf-8.txt */
export const UTF_8_TEXT = `TEXT: UTF-8
===========

UTF-8 writes the characters of all human scripts as bytes. Each character has
a number, its code point, in a list named Unicode (ISO/IEC 10646). UTF-8 is
the rule that turns the number into one to four bytes (RFC 3629).

The first 128 characters
------------------------

They are the old code named ASCII, one byte each:

  20 to 2F   (space) ! " # $ % & ' ( ) * + , - . /
  30 to 39   0 1 2 3 4 5 6 7 8 9
  3A to 40   : ; < = > ? @
  41 to 5A   A B C D E F G H I J K L M N O P Q R S T U V W X Y Z
  5B to 60   [ \\ ] ^ _ \`
  61 to 7A   a b c d e f g h i j k l m n o p q r s t u v w x y z
  7B to 7E   { | } ~

Below 20 are marks without a shape. Three matter:

  09   tab: move on to the next column
  0A   line feed: the end of a line. All files that were made for this
       tessera use it alone.
  0D   carriage return. Some writers of text end a line with 0D 0A.

All other characters
--------------------

  code point           bytes, written as bits
  0 to 7F              0xxxxxxx
  80 to 7FF            110xxxxx 10xxxxxx
  800 to FFFF          1110xxxx 10xxxxxx 10xxxxxx
  10000 to 10FFFF      11110xxx 10xxxxxx 10xxxxxx 10xxxxxx

The bits marked x, read from left to right, are the code point.

Example: C3 A9 is 11000011 10101001. Without the marking bits it is
00011 101001, which is E9, the letter e with an acute accent.

Example: E2 82 AC gives 0010 000010 101100, which is 20AC, the sign of the
currency named euro.

To decode: look at the first byte. If its first bit is 0, it is a character
alone. If it begins with 110, 1110 or 11110, one, two or three bytes that
begin with 10 belong to it. Bytes that begin with 10 never stand first; so
if you start in the middle, or a byte is damaged, skip to the next byte that
does not begin with 10 and go on.

A code point is always written in as few bytes as possible, and the numbers
D800 to DFFF are never used.

Some files begin with EF BB BF, a mark that only says "this is UTF-8".

What the numbers mean
---------------------

Code points are grouped by script: 0000 Latin, 0370 Greek, 0400 Cyrillic,
0590 Hebrew, 0600 Arabic, 0900 Devanagari, 3040 Hiragana, 30A0 Katakana,
4E00 to 9FFF Chinese characters, AC00 to D7A3 Korean syllables, 1F300 and on
small pictures. Letters with accents may be one code point, or the letter
followed by a code point of the accent (0300 to 036F), which is drawn over
it. Hebrew and Arabic are stored in the order they are spoken, and read from
right to left.
`;
