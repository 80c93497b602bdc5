#!/usr/bin/env python3
"""Verify an exported tessera, and list the memories in it.

    python3 verify_tessera.py FOLDER [CONTENT_HASH]

Written from docs/FORMAT.md and the texts that every tessera carries in its
folder decode/, and from nothing else. Needs Python 3.8 and its standard library;
"section" below is one of FORMAT.md.

The second signature, ML-DSA-65, is left to OpenSSL 3.5 or later; the command is
printed. Exit code 0: all the rest is as its creator packed it. 1: something is
not, and the lines that begin with WRONG say what. 2: wrong command line.
"""

import hashlib
import json
import os
import re
import sys
from base64 import b64decode, b64encode
from datetime import datetime

from blake3_ed25519 import blake3, ed25519_holds, pieces_of

HEX64 = "[0-9a-f]{64}"
FILES_MAX, TESSERA_BYTES_MAX = 50_000, 1_000_000_000
MANIFEST_BYTES_MAX, META_BYTES_MAX = 1 << 24, 1 << 20


class Wrong(Exception):
    """Something is not as the format demands; the text says what and where."""


# --- MANIFEST (section 3) ----------------------------------------------------

UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
TEXT = re.compile(r"(?:[^\\]|\\(?:[\\nrt]|u\{[0-9a-f]{1,6}\}))+")
SEGMENT = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"
PATH = re.compile(SEGMENT + "(?:/" + SEGMENT + "){0,7}")
MIME = r"[a-z0-9][a-z0-9.+-]{0,30}/[a-z0-9][a-z0-9.+-]{0,62}"
FILE = re.compile("(" + HEX64 + ") (0|[1-9][0-9]{0,15}) (" + MIME + ") (.*)")
MEDIA = re.compile("memories/[^/]+/media[.][a-z0-9]+")
SHORT = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
LONG = {"n": "\n", "r": "\r", "t": "\t"}
EXCLUDED = ("CHECKSUMS.b3", "CHECKSUMS.sha256", "MANIFEST",
            "identity/signature.ed25519.sig", "identity/signature.ml-dsa-65.sig")
KEY_FILES = ("identity/creator.pub.ed25519", "identity/creator.pub.ml-dsa-65")


def escape(text):
    """The one spelling of a text."""
    return "".join(
        SHORT[c] if c in SHORT
        else "\\u{%x}" % ord(c)
        if UNSEEN.match(c) or (c == " " and i in (0, len(text) - 1))
        else c
        for i, c in enumerate(text))


def unescape(raw):
    """The text behind a spelling; refuses every spelling but the one."""
    if not TEXT.fullmatch(raw):
        raise Wrong("is no text")
    try:
        text = re.sub(r"\\(?:u\{(.+?)\}|(.))",
                      lambda m: chr(int(m[1], 16)) if m[1] else LONG.get(m[2], m[2]), raw)
    except ValueError:
        raise Wrong("has a code point that does not exist") from None
    if escape(text) != raw:
        raise Wrong("is not spelled in the one way")
    return text


def short_text(raw):
    text = unescape(raw)
    if len(text.encode()) > 1024:
        raise Wrong("has more than 1024 bytes")
    return text


def fits(pattern):
    """A check that a value is spelled as the grammar has it."""
    def check(value):
        if not re.fullmatch(pattern, value):
            raise Wrong("is not as the grammar has it")
        return value
    return check


def existing_time(value):
    fits("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")(value)
    try:
        datetime.strptime(value, "%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise Wrong("is a time that does not exist") from None
    return value


# Key, how often at least and at most, how its value is read.
HEAD = (
    ("title", 1, 1, short_text),
    ("created", 1, 1, existing_time),
    ("language", 1, 1, fits("(?=.{2,35}$)[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")),
    ("tag", 0, 64, short_text),
    ("location", 0, 1, short_text),
    ("visibility", 1, 1, fits("public|private|circle|sealed")),
    ("creator-ed25519", 1, 1, fits(HEX64)),
    ("creator-ml-dsa-65", 1, 1, fits(HEX64)),
)


def read_file_line(value):
    match = FILE.fullmatch(value)
    if not match:
        raise Wrong("is not as the grammar has it")
    fingerprint, size, _type, path = match.groups()
    if len(path) > 100 or not PATH.fullmatch(path) or path in EXCLUDED:
        raise Wrong("has a path that must not be there")
    return path, int(size), fingerprint


def parse_manifest(data):
    """The head of a MANIFEST by its keys, and its files by their paths."""
    try:
        lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise Wrong("MANIFEST: is not UTF-8 at byte %d" % error.start) from None
    if len(data) > MANIFEST_BYTES_MAX or lines.pop() != "":
        raise Wrong("MANIFEST: is too long, or its last line has no end")
    at = 0

    def take(key, read):
        """The value of the next line, or None if that has another key."""
        nonlocal at
        if at == len(lines) or not lines[at].startswith(key + ": "):
            return None
        line, at = lines[at], at + 1
        try:
            if len(line.encode("utf-16-le")) > 2 * 8192:
                raise Wrong("is too long")
            return read(line[len(key) + 2:])
        except Wrong as error:
            raise Wrong("MANIFEST: line %d %s" % (at, error)) from None

    if lines[:1] != ["TESSERA MANIFEST v1"]:
        raise Wrong("MANIFEST: line 1 is not that of version 1")
    at, head, files, before = 1, {}, {}, ""
    for key, least, most, read in HEAD:
        values = []
        while len(values) < most and (value := take(key, read)) is not None:
            values.append(value)
        if len(values) < least:
            raise Wrong("MANIFEST: line %d is not the %s" % (at + 1, key))
        head[key] = values
    known = {"file", *(key for key, *_ in HEAD)}
    first_later = at
    while at < len(lines) and not lines[at].startswith("file: "):
        match = re.match("([a-z][a-z0-9-]{0,31}): ", lines[at])
        if not match or match[1] in known or at - first_later == 1000:
            raise Wrong("MANIFEST: line %d has no place here" % (at + 1))
        take(match[1], unescape)
    while at < len(lines):
        path, *facts = take("file", read_file_line) or ("",)
        if path <= before:
            raise Wrong("MANIFEST: line %d is no file, or not in its place" % (at + (path == "")))
        files[path], before = facts, path
    check_files(files)
    return head, files


def check_files(files):
    """What must hold for all paths of a MANIFEST together."""
    names = {path.lower() for path in (*files, *EXCLUDED)}
    folders = {path[:i] for path in names for i, c in enumerate(path) if c == "/"}
    if len(names) != len(files) + len(EXCLUDED) or names & folders:
        raise Wrong("MANIFEST: two paths cannot stand side by side")
    if len(files) > FILES_MAX or sum(size for size, _ in files.values()) > TESSERA_BYTES_MAX:
        raise Wrong("MANIFEST: lists too much")
    if not all(path in files for path in KEY_FILES):
        raise Wrong("MANIFEST: a key of the creator is missing")
    if not any(MEDIA.fullmatch(path) for path in files):
        raise Wrong("MANIFEST: there is no memory")


# --- The tessera (section 7) -------------------------------------------------

# Head of the DER, bytes of the key, bytes of a signature (section 5).
KINDS = {
    "ed25519": ("302a300506032b6570032100", 32, 64),
    "ml-dsa-65": ("308207b2300b0609608648016503040312038207a100", 1952, 3309),
}
OWN_FOLDERS = ("identity", "memories", "decode", "schema")


class Tessera:
    """A folder that claims to be a tessera, and what is wrong with it."""

    def __init__(self, folder):
        self.folder = folder
        self.wrongs = []
        self.present = set(self.walk())

    def walk(self):
        """The paths of all plain files; a link leads out and counts as none."""
        for here, _, names in os.walk(self.folder):
            for name in names:
                full = os.path.join(here, name)
                if os.path.isfile(full) and not os.path.islink(full):
                    yield os.path.relpath(full, self.folder).replace(os.sep, "/")

    def full(self, path):
        return os.path.join(self.folder, *path.split("/"))

    def read(self, path, bytes_max):
        if path not in self.present:
            raise Wrong(path + ": is not there")
        with open(self.full(path), "rb") as file:
            data = file.read(bytes_max + 1)
        if len(data) > bytes_max:
            raise Wrong(path + ": is too long")
        return data

    def check(self, what, *given):
        """Does one check; what it finds is noted, and the others go on."""
        try:
            return what(*given)
        except Wrong as wrong:
            self.wrongs.append(str(wrong))

    def read_key(self, kind):
        """The raw key in a PEM file, of which there is one spelling."""
        path = "identity/creator.pub." + kind
        head, key_bytes, _ = KINDS[kind]
        pem = self.read(path, 4096)
        try:
            der = b64decode(b"".join(pem.split(b"\n")[1:-2]))
        except ValueError:
            raise Wrong(path + ": is no PEM") from None
        letters = b64encode(der).decode()
        rows = [letters[at:at + 64] for at in range(0, len(letters), 64)]
        spelled = ["-----BEGIN PUBLIC KEY-----", *rows, "-----END PUBLIC KEY-----", ""]
        if der[:-key_bytes].hex() != head or "\n".join(spelled).encode() != pem:
            raise Wrong("%s: is no %s key in its one spelling" % (path, kind))
        return der[-key_bytes:]

    def check_identity(self, manifest, head):
        """Keys are those that MANIFEST names, and the first signature holds."""
        for kind, (_, _, signature_bytes) in KINDS.items():
            key = self.read_key(kind)
            named = key.hex() if kind == "ed25519" else blake3([key])
            if [named] != head["creator-" + kind]:
                raise Wrong("identity/creator.pub.%s: is not the key that MANIFEST names" % kind)
            path = "identity/signature.%s.sig" % kind
            signature = self.read(path, signature_bytes)
            if len(signature) != signature_bytes:
                raise Wrong(path + ": is too short")
            if kind == "ed25519" and not ed25519_holds(key, manifest, signature):
                raise Wrong(path + ": is not the creator's signature of this MANIFEST")

    def check_file(self, path, size, fingerprint):
        if path not in self.present:
            raise Wrong(path + ": is not there")
        if os.path.getsize(self.full(path)) != size:
            raise Wrong("%s: has not the %d bytes that MANIFEST says" % (path, size))
        seen = blake3(pieces_of(self.full(path)))
        if seen != fingerprint:
            raise Wrong("%s: its BLAKE3 is %s, and MANIFEST says %s" % (path, seen, fingerprint))

    def check_list(self, name, fingerprint_of, paths):
        """A checksum list is what the files make it, line by line (section 4)."""
        lines = iter(self.read(name, MANIFEST_BYTES_MAX).split(b"\n"))
        for path in sorted(paths):
            if path not in self.present:
                raise Wrong("%s: lists %s, which is not there" % (name, path))
            if next(lines, b"") != ("%s  %s" % (fingerprint_of(path), path)).encode():
                raise Wrong("%s: its line for %s is not what that file gives" % (name, path))
        if list(lines) != [b""]:
            raise Wrong("%s: does not end behind its last file" % name)

    def check_strangers(self, listed):
        """Files that nobody signed: wrong in the four folders, else harmless."""
        for path in sorted(self.present - set(listed) - set(EXCLUDED)):
            if path.split("/")[0] in OWN_FOLDERS:
                self.wrongs.append("%s: is not in MANIFEST" % escape(path))
            else:
                print("note   %s is no part of the tessera" % escape(path))

    def verify(self, wanted):
        """Everything but the ML-DSA-65 signature; gives the files listed."""
        manifest = self.read("MANIFEST", MANIFEST_BYTES_MAX)
        fingerprints = {"MANIFEST": blake3([manifest])}
        print("content hash  " + fingerprints["MANIFEST"])
        if wanted not in (None, fingerprints["MANIFEST"]):
            self.wrongs.append("MANIFEST: is not that of " + wanted)
        head, files = parse_manifest(manifest)
        print("title         %s\ncreated       %s" % (escape(head["title"][0]), head["created"][0]))
        self.check(self.check_identity, manifest, head)
        for path, (size, fingerprint) in files.items():
            fingerprints[path] = fingerprint  # the list says it, whatever the file became
            self.check(self.check_file, path, size, fingerprint)
        for path in EXCLUDED[3:]:
            fingerprints[path] = blake3(pieces_of(self.full(path))) if path in self.present else ""
        self.check(self.check_list, "CHECKSUMS.b3", fingerprints.get, fingerprints)
        self.check(self.check_list, "CHECKSUMS.sha256", self.sha256, fingerprints)
        self.check_strangers(files)
        return files

    def sha256(self, path):
        digest = hashlib.sha256()
        for piece in pieces_of(self.full(path)):
            digest.update(piece)
        return digest.hexdigest()

    def list_memory(self, path):
        """Prints a memory by its name and date (section 6)."""
        name, date = "(meta.json does not tell its name)", "no date"
        try:
            meta = json.loads(self.read(path[:path.rindex("/")] + "/meta.json", META_BYTES_MAX))
            date = escape(meta.get("takenAt") or meta.get("modifiedAt") or date)
            name = escape(meta["name"])
        except (Wrong, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            pass  # what the creator signed need not be JSON; the memory is there all the same
        print("memory  %-25s  %s\n        %s" % (date, name, path))


def main(arguments):
    if len(arguments) not in (1, 2):
        print(__doc__, file=sys.stderr)
        return 2
    sys.stdout.reconfigure(errors="backslashreplace")  # names may hold anything
    folder = os.path.abspath(arguments[0])
    named = re.fullmatch("tessera-(" + HEX64 + ")", os.path.basename(folder))
    wanted = arguments[1] if len(arguments) == 2 else named and named[1]
    tessera = Tessera(folder)
    for path in tessera.check(tessera.verify, wanted) or ():
        if MEDIA.fullmatch(path):
            tessera.list_memory(path)
    if tessera.wrongs:
        print("\n".join("WRONG  " + wrong for wrong in tessera.wrongs))
        return 1
    print("all files, checksums and the Ed25519 signature are right")
    print("left to OpenSSL 3.5 or later, in that folder:\n"
          "  openssl pkeyutl -verify -pubin -inkey identity/creator.pub.ml-dsa-65 \\\n"
          "    -rawin -in MANIFEST -sigfile identity/signature.ml-dsa-65.sig")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
