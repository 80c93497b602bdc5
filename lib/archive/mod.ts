/**
 * The local archive: tesseras whose every byte is on this disk, and their fragments. What touches a person's own folders
 * has an entry of its own, `@tesseras/archive/folder`.
 *
 * @module
 */
export { Archive, type ArchiveParts, type Shown } from "./archive.ts";
export { Assembly, type FragmentSink } from "./assembly.ts";
export {
  type CheckOrder,
  type CheckReport,
  checkStore,
  type DamagedBlob,
  type DamagedTessera,
} from "./check.ts";
export {
  type CreateOrder,
  type CreateReport,
  type KeptFile,
} from "./create.ts";
export type { FragmentReader } from "./fragment_reader.ts";
export type { ImportOrder, ImportReport } from "./import.ts";
export type { Memory } from "./memories.ts";
export { packSource } from "./pack_source.ts";
export type { OnProgress, Progress } from "./progress.ts";
export { quoted } from "./quoted.ts";
export type {
  FolderScan,
  LeftOut,
  SourceFile,
  SourceReader,
} from "./source_file.ts";
export type { SweepReport } from "./sweep.ts";
export type { PlaceFate } from "./passage.ts";
