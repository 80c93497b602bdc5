/** The MANIFEST: one fact a line, readable by any eye and by a parser written from docs/FORMAT.md. */
import {
  fromHex,
  fromUtf8,
  type Hash,
  hash,
  TesserasError,
  toHex,
  utf8,
} from "@tesseras/core";
import {
  MANIFEST_BYTES_MAX,
  TESSERA_BYTES_MAX,
  TESSERA_FILES_MAX,
} from "@tesseras/core/limits";
import {
  comparePaths,
  ED25519_KEY_PATH,
  isMediaPath,
  isTesseraPath,
  ML_DSA_KEY_PATH,
  UNLISTED_PATHS,
} from "./paths.ts";
import { parseTime, printTime } from "./time.ts";
import { escapeText, quoteText, unescapeText } from "./visible_text.ts";

/** Who a tessera is for. Anything but `public` has its contents encrypted. */
export const VISIBILITIES = ["public", "private", "circle", "sealed"] as const;
/** One of {@link VISIBILITIES}. */
export type Visibility = typeof VISIBILITIES[number];

/** What a MANIFEST says. */
export type Manifest = {
  readonly title: string;
  /** Unix milliseconds, whole seconds. */
  readonly createdAtMs: number;
  /** BCP 47, like `en` or `pt-BR`. */
  readonly language: string;
  readonly tags: readonly string[];
  readonly location?: string;
  readonly visibility: Visibility;
  /** 32 bytes. */
  readonly creatorEd25519: Uint8Array;
  /** BLAKE3 of the creator's raw ML-DSA-65 key. */
  readonly creatorMlDsa: Hash;
  /** Lines of keys we do not know, in order: kept, so that a later version's MANIFEST prints as it came. */
  readonly extras: readonly ManifestExtra[];
  /** Every file but the five of {@link UNLISTED_PATHS}, by path bytes. */
  readonly files: readonly ManifestFile[];
};

/** A line that a later version added. `value` is as written, escapes included. */
export type ManifestExtra = { readonly key: string; readonly value: string };

/** One file of a tessera. */
export type ManifestFile = {
  readonly path: string;
  readonly bytes: number;
  /** Like `image/jpeg`. */
  readonly mime: string;
  readonly blake3: Hash;
};

/** Bytes of UTF-8 in a title, a tag or a location: a paragraph. */
export const TEXT_BYTES_MAX = 1_024;
/** Tags of one tessera. */
export const TAGS_MAX = 64;
/** Characters of a line: the longest text with every byte of it spelled out. */
const LINE_CHARS_MAX = 8_192;
/** Lines of unknown keys: room for what comes, and an end. */
const EXTRAS_MAX = 1_000;

/** Lines in all: the first, known keys, tags, unknown keys and files, and what is refused by its own name rather than by this. */
const LINES_MAX = TESSERA_FILES_MAX + EXTRAS_MAX + 2 * TAGS_MAX;

const UNLISTED_FOLDED = new Set(UNLISTED_PATHS.map((p) => p.toLowerCase()));
const FIRST_LINE = "TESSERA MANIFEST v1";
const LANGUAGE = /^(?=.{2,35}$)[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8})*$/;
const MIME = /^[a-z0-9][a-z0-9.+-]{0,30}\/[a-z0-9][a-z0-9.+-]{0,62}$/;
const FILE = /^([0-9a-f]{64}) (0|[1-9]\d{0,15}) (\S+) (\S+)$/;
/** Keys in the order they are written; `tag` may repeat, `tag` and `location` may be absent. */
const KEYS = [
  "title",
  "created",
  "language",
  "tag",
  "location",
  "visibility",
  "creator-ed25519",
  "creator-ml-dsa-65",
];

/**
 * The bytes of a MANIFEST; {@link parseManifest} reads them back.
 *
 * @throws `unusable` when what a person gave does not fit: an empty title, too many tags, a bad language code
 */
export function printManifest(manifest: Manifest): Uint8Array {
  const lines = [FIRST_LINE, ...headerOf(manifest)];
  for (const { key, value } of manifest.extras) lines.push(`${key}: ${value}`);
  for (const { path, bytes, mime, blake3 } of manifest.files) {
    lines.push(`file: ${toHex(blake3)} ${bytes} ${mime} ${path}`);
  }
  const printed = utf8(lines.join("\n") + "\n");
  try {
    parseManifest(printed);
  } catch (cause) {
    // Everything of ours fits, so what does not is what somebody gave us.
    throw new TesserasError(
      "unusable",
      `Cannot write MANIFEST: ${
        cause instanceof Error ? cause.message : String(cause)
      }`,
      { cause },
    );
  }
  return printed;
}

function headerOf(manifest: Manifest): readonly string[] {
  const { location } = manifest;
  return [
    `title: ${escapeText(manifest.title)}`,
    `created: ${printTime(manifest.createdAtMs)}`,
    `language: ${manifest.language}`,
    ...manifest.tags.map((tag) => `tag: ${escapeText(tag)}`),
    ...(location === undefined ? [] : [`location: ${escapeText(location)}`]),
    `visibility: ${manifest.visibility}`,
    `creator-ed25519: ${toHex(manifest.creatorEd25519)}`,
    `creator-ml-dsa-65: ${toHex(manifest.creatorMlDsa)}`,
  ];
}

/**
 * Reads a MANIFEST. Keeps nothing of the argument.
 *
 * @throws `malformed` for anything that {@link printManifest} would not write, naming the line
 */
export function parseManifest(bytes: Uint8Array): Manifest {
  if (bytes.length > MANIFEST_BYTES_MAX) {
    throw malformed(
      `${bytes.length} bytes, allowed are ${MANIFEST_BYTES_MAX}`,
    );
  }
  const lines = linesOf(bytes);
  if (lines[0] !== FIRST_LINE) {
    throw malformed(`line 1: wanted ${JSON.stringify(FIRST_LINE)}`);
  }
  const header = new HeaderReader();
  const files = new FilesReader();
  for (const [index, line] of lines.entries()) {
    if (index === 0) continue;
    try {
      const { key, value } = splitLine(line);
      if (key === "file") files.add(value);
      else if (files.list.length > 0) {
        throw malformed(`${key} stands after the first file`);
      } else header.add(key, value);
    } catch (error) {
      if (!(error instanceof TesserasError)) throw error;
      const reason = error.message.replace(/^Cannot read MANIFEST: /, "");
      throw malformed(`line ${index + 1}: ${reason}`, error);
    }
  }
  files.finish();
  return { ...header.finish(), files: files.list };
}

/** Total bytes of the files a MANIFEST lists. */
export function listedBytes(manifest: Manifest): number {
  let bytes = 0;
  for (const file of manifest.files) bytes += file.bytes;
  return bytes;
}

function linesOf(bytes: Uint8Array): string[] {
  let text: string;
  try {
    text = fromUtf8(bytes);
  } catch (cause) {
    throw malformed("not UTF-8", cause);
  }
  if (!text.endsWith("\n")) throw malformed("its last line has no end");
  // The limit keeps sixteen million empty lines from becoming as many strings.
  const lines = text.slice(0, -1).split("\n", LINES_MAX + 1);
  if (lines.length <= LINES_MAX) return lines;
  throw malformed(`more than ${LINES_MAX} lines`);
}

function splitLine(line: string): ManifestExtra {
  if (line.length > LINE_CHARS_MAX) {
    throw malformed(
      `${line.length} characters, allowed are ${LINE_CHARS_MAX}`,
    );
  }
  const match = /^([a-z][a-z0-9-]{0,31}): (.+)$/s.exec(line);
  const [, key, value] = match ?? [];
  if (key === undefined || value === undefined) {
    throw malformed("wanted the form key: value");
  }
  return { key, value };
}

/** Collects the lines before the files: known keys in their order, then unknown ones. */
class HeaderReader {
  readonly #values = new Map<string, string>();
  readonly #tags: string[] = [];
  readonly #extras: ManifestExtra[] = [];
  #at = -1;

  add(key: string, value: string): void {
    const index = KEYS.indexOf(key);
    if (index < 0) return this.#addExtra({ key, value });
    if (this.#extras.length > 0) {
      throw malformed(`${key} stands after a key that is not of version 1`);
    }
    if (index < this.#at || index === this.#at && key !== "tag") {
      throw malformed(`${key} stands twice or out of order`);
    }
    this.#at = index;
    const text = checkedValue(key, value);
    if (key !== "tag") this.#values.set(key, text);
    else if (this.#tags.push(text) > TAGS_MAX) {
      throw malformed(`more than ${TAGS_MAX} tags`);
    }
  }

  finish(): Omit<Manifest, "files"> {
    const get = (key: string): string => {
      const value = this.#values.get(key);
      if (value === undefined) throw malformed(`${key} is missing`);
      return value;
    };
    const location = this.#values.get("location");
    return {
      title: get("title"),
      createdAtMs: parseTime(get("created")),
      language: get("language"),
      tags: this.#tags,
      ...(location === undefined ? {} : { location }),
      visibility: visibilityOf(get("visibility")),
      creatorEd25519: fromHex(get("creator-ed25519")),
      creatorMlDsa: hash(fromHex(get("creator-ml-dsa-65"))),
      extras: this.#extras,
    };
  }

  #addExtra(extra: ManifestExtra): void {
    unescapeText(extra.value); // one spelling here too
    if (this.#extras.push(extra) > EXTRAS_MAX) {
      throw malformed(`more than ${EXTRAS_MAX} lines of unknown keys`);
    }
  }
}

/** The value of a known key, checked for its own rule here so that the error names the line. */
function checkedValue(key: string, value: string): string {
  switch (key) {
    case "created":
      parseTime(value);
      return value;
    case "language":
      return matching(value, LANGUAGE, "a language code like pt-BR");
    case "visibility":
      return visibilityOf(value);
    case "creator-ed25519":
    case "creator-ml-dsa-65":
      return matching(value, /^[0-9a-f]{64}$/, "64 hexadecimal digits");
    default: {
      const text = unescapeText(value);
      if (utf8(text).length <= TEXT_BYTES_MAX) return text;
      throw malformed(
        `${key} has more than ${TEXT_BYTES_MAX} bytes of UTF-8`,
      );
    }
  }
}

function visibilityOf(value: string): Visibility {
  const found = VISIBILITIES.find((visibility) => visibility === value);
  if (found !== undefined) return found;
  throw malformed(`visibility is none of ${VISIBILITIES.join(", ")}`);
}

function matching(value: string, form: RegExp, wanted: string): string {
  if (form.test(value)) return value;
  throw malformed(
    `${quoteText(value)} is not ${wanted}`,
  );
}

/** Collects the file lines and what must hold between them. */
class FilesReader {
  readonly list: ManifestFile[] = [];
  /** Lower-case paths of files and their folders: some systems do not tell `a` from `A`. */
  readonly #files = new Set<string>();
  readonly #folders = new Set<string>();
  #bytes = 0;

  add(value: string): void {
    const [, digest, size, mime, path] = FILE.exec(value) ?? [];
    if (
      digest === undefined || size === undefined || mime === undefined ||
      path === undefined || !MIME.test(mime)
    ) throw malformed("wanted file: <blake3> <bytes> <type> <path>");
    this.#checkPath(path);
    const bytes = Number(size);
    this.#bytes += bytes;
    if (this.#bytes > TESSERA_BYTES_MAX) {
      throw malformed(`more than ${TESSERA_BYTES_MAX} bytes of files`);
    }
    const blake3 = hash(fromHex(digest));
    if (this.list.push({ path, bytes, mime, blake3 }) > TESSERA_FILES_MAX) {
      throw malformed(`more than ${TESSERA_FILES_MAX} files`);
    }
  }

  finish(): void {
    for (const path of [ED25519_KEY_PATH, ML_DSA_KEY_PATH]) {
      if (!this.#files.has(path)) throw malformed(`${path} is not listed`);
    }
    if (!this.list.some((file) => isMediaPath(file.path))) {
      throw malformed("no memory is listed");
    }
  }

  #checkPath(path: string): void {
    const shown = quoteText(path);
    if (!isTesseraPath(path)) throw malformed(`path ${shown} is not allowed`);
    if (UNLISTED_PATHS.includes(path)) {
      throw malformed(`${path} cannot be listed`);
    }
    const previous = this.list.at(-1);
    if (previous !== undefined && comparePaths(previous.path, path) >= 0) {
      throw malformed(`path ${shown} stands twice or out of order`);
    }
    const folded = path.toLowerCase();
    if (this.#clashes(folded)) {
      throw malformed(`path ${shown} clashes with another`);
    }
    this.#files.add(folded);
    for (const folder of foldersOf(folded)) this.#folders.add(folder);
  }

  /** The same name in another case, or one path both a file and a folder. */
  #clashes(folded: string): boolean {
    return this.#files.has(folded) || this.#folders.has(folded) ||
      UNLISTED_FOLDED.has(folded) ||
      foldersOf(folded).some((folder) =>
        this.#files.has(folder) || UNLISTED_FOLDED.has(folder)
      );
  }
}

/** `a/b/c` lies in `a` and `a/b`. */
function foldersOf(path: string): readonly string[] {
  const folders: string[] = [];
  for (let at = path.indexOf("/"); at >= 0; at = path.indexOf("/", at + 1)) {
    folders.push(path.slice(0, at));
  }
  return folders;
}

function malformed(what: string, cause?: unknown): TesserasError {
  return new TesserasError(
    "malformed",
    `Cannot read MANIFEST: ${what}`,
    cause === undefined ? undefined : { cause },
  );
}
