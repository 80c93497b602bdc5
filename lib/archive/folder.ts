/**
 * The archive's way to a person's disk: folders to take memories from, and exports and tars to write and to read.
 * An adapter, imported by programs and tests only.
 *
 * @module
 */
export { scanFolder } from "./folder_scan.ts";
export { type ExportOrder, exportTessera } from "./folder_export.ts";
export { directorySource } from "./folder_source.ts";
export { openTessera } from "./open_tessera.ts";
export { tarSource } from "./tar_file.ts";
