/** The two identities of a data directory. Their files are read as they are: a check tightens nothing and makes nothing. */
import { codeOf, messageOf, toHex } from "@tesseras/core";
import {
  type Config,
  creatorInFile,
  type DataPaths,
  nodeInFile,
  seedPath,
} from "@tesseras/run";
import { lookAt } from "./doctor_files.ts";
import { advice, type Finding, fine, problem } from "./finding.ts";

/** More than any of our key files has. */
const KEY_FILE_BYTES_MAX = 4096;

/** Whether the creator's seed can be read, and how to keep a copy of it. */
export async function checkCreator(
  paths: DataPaths,
): Promise<readonly Finding[]> {
  const check = "Identity";
  const path = seedPath(paths);
  const file = await bytesOf(path);
  if (file === undefined) {
    return [advice(
      check,
      "There is no identity here, so nothing can be created or published",
      "Run tes init, or put the master.seed of your backup there first",
    )];
  }
  const broken =
    `Put the master.seed of your backup back in its place: ${path}`;
  const reason = reasonOf(() => creatorInFile(paths, file));
  if (reason !== undefined) return [problem(check, reason, broken)];
  return [
    fine(check, `${path} can be read, and its check fits`),
    advice(
      "Backup",
      "Nobody but you can know whether the master seed has a copy; without it nothing can be signed or deleted in your name again",
      `Copy it to a medium that lies elsewhere, if you have not: cp ${path} /path/to/medium/ (it is text, and fits on paper)`,
    ),
  ];
}

/** Whether the node's own key can be read. */
export async function checkNodeKey(
  paths: DataPaths,
  config: Config | undefined,
): Promise<readonly Finding[]> {
  const check = "Node key";
  const file = await bytesOf(paths.nodeKey);
  if (file === undefined) {
    return [
      fine(check, "There is none yet; the first start of a node makes it"),
    ];
  }
  let id = "";
  const reason = reasonOf(() => {
    id = toHex(nodeInFile(paths, file, config?.node.pow_bits ?? 0).id);
  });
  if (reason === undefined) return [fine(check, `The node is ${id}`)];
  return [problem(
    check,
    reason,
    `Move it away, and the next start makes another; what others know of the old one is lost: ${paths.nodeKey}`,
  )];
}

function reasonOf(read: () => unknown): string | undefined {
  try {
    read();
    return undefined;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return messageOf(error);
  }
}

/** A small file, `undefined` when there is none; of a larger one its beginning, which is no key. */
async function bytesOf(path: string): Promise<Uint8Array | undefined> {
  const found = await lookAt(path);
  if (found === undefined) return undefined;
  using file = await Deno.open(path);
  const bytes = new Uint8Array(KEY_FILE_BYTES_MAX + 1);
  let length = 0;
  while (length < bytes.length) {
    const count = await file.read(bytes.subarray(length));
    if (count === null) break;
    length += count;
  }
  return bytes.subarray(0, length);
}
