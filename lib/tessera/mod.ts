/**
 * The time capsule: its MANIFEST, files and texts, how it is composed, packed, indexed, verified and planned. Nothing
 * here touches a disk: contents come in as readers and go out as bytes.
 *
 * @module
 */
export { type Checksum, printChecksums } from "./checksums.ts";
export {
  type Composed,
  composeTessera,
  type Entry,
  type TesseraInput,
} from "./compose.ts";
export { type DecodeText, decodeTexts } from "./decode_texts.ts";
export {
  type Exif,
  EXIF_HEAD_BYTES,
  type Place,
  readExif,
  readExifBlock,
} from "./exif.ts";
export { checkHeader, foretellPack } from "./foretell.ts";
export { readHead, type TesseraHead, type TesseraSource } from "./head.ts";
export {
  type Kind,
  KIND_HEAD_BYTES,
  kindOf,
  kindOfMime,
  KINDS,
  looksLike,
  type MemoryType,
} from "./kinds.ts";
export {
  listedBytes,
  type Manifest,
  type ManifestExtra,
  type ManifestFile,
  parseManifest,
  printManifest,
  TAGS_MAX,
  TEXT_BYTES_MAX,
  VISIBILITIES,
  type Visibility,
} from "./manifest.ts";
export { type MemoryInput, META_SCHEMA } from "./meta.ts";
export {
  type ByteSource,
  type OpenEntry,
  type PackEntry,
  type PackLayout,
  packLayout,
  packReader,
  type PackSegment,
} from "./pack.ts";
export {
  CHECKSUMS_B3_PATH,
  CHECKSUMS_SHA256_PATH,
  comparePackOrder,
  ED25519_KEY_PATH,
  ED25519_SIGNATURE_PATH,
  isMediaPath,
  isOwnPath,
  isTesseraPath,
  MANIFEST_PATH,
  ML_DSA_KEY_PATH,
  ML_DSA_SIGNATURE_PATH,
  README_PATH,
  SCHEMA_PATH,
  UNLISTED_PATHS,
} from "./paths.ts";
export {
  draftPlan,
  type Plan,
  type PlanDraft,
  planFits,
  readPlan,
  shardBytesOf,
  signPlan,
  type Tier,
  tierOf,
  verifyPlan,
} from "./plan.ts";
export { parseTime, printTime } from "./time.ts";
export {
  checkTombstoneFresh,
  creatorOf,
  readTombstone,
  signTombstone,
  type Tombstone,
  type TombstoneDraft,
  tombstoneExpiry,
  verifyTombstone,
} from "./tombstone.ts";
export { indexTar, type TarEntry } from "./unpack.ts";
export {
  type FileReport,
  type VerifyOptions,
  type VerifyReport,
  verifyTessera,
} from "./verify.ts";
export {
  escapeText,
  printVisibleJson,
  quoteText,
  unescapeText,
} from "./visible_text.ts";
