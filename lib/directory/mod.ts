/**
 * Peers that newcomers are told of: the port, the implementation in memory, how a sample is chosen, and how a page of
 * another directory is read. The one in Deno KV and the page itself have entries of their own, `@tesseras/directory/kv`
 * and `@tesseras/directory/page`; the latter imports nothing that an edge runtime lacks.
 *
 * @module
 */
export type { Directory, DirectoryEntry } from "./entry.ts";
export { type DirectoryParts, MemoryDirectory } from "./memory.ts";
export { type DirectoryPage, readDirectoryPage } from "./read_page.ts";
export { type Candidate, sample, type SampleRules } from "./sample.ts";
