/** The programs in docs/examples, which were written from the documents alone: what they say of real tesseras. */
import { concat } from "@tesseras/core";
import { MIB } from "@tesseras/core/limits";
import { assertEquals, assertTrue } from "@tesseras/testing";
import {
  created,
  keys,
  never,
  noise,
  SUNDAY,
  world,
} from "@tesseras/testing/archive";
import { runTool, sampleTessera, writeFiles } from "@tesseras/testing/tessera";
import type { Plan } from "@tesseras/tessera";

const VERIFY = fileOf("../docs/examples/verify_tessera.py");
const REBUILD = fileOf("../docs/examples/rebuild_pack.py");
const VECTORS = fileOf("vectors");

function fileOf(name: string): string {
  return new URL(name, import.meta.url).pathname;
}

/** Runs a program of the examples; `-B` because a test leaves nothing behind. */
function python(args: readonly string[], cwd: string) {
  return runTool("python3", ["-B", ...args], cwd);
}

async function emptyFolder(): Promise<{ path: string } & AsyncDisposable> {
  const path = await Deno.makeTempDir({ prefix: "tesseras_examples_" });
  return {
    path,
    [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }),
  };
}

/** Changes one bit, in the middle unless told otherwise, or changes it back. */
async function flip(path: string, at?: number): Promise<void> {
  const bytes = await Deno.readFile(path);
  bytes[at ?? bytes.length >> 1]! ^= 1;
  await Deno.writeFile(path, bytes);
}

Deno.test("verify_tessera.py passes a real tessera and lists every memory by name and date", async () => {
  await using folder = await emptyFolder();
  const { files, composed } = sampleTessera();
  await writeFiles(folder.path, files);
  await Deno.writeTextFile(`${folder.path}/.DS_Store`, "somebody's own");
  const seen = await python([VERIFY, folder.path], folder.path);
  if (seen === undefined) return;
  assertTrue(seen.ok, seen.output);
  const lines = seen.output.split("\n");
  assertEquals(lines[0], `content hash  ${composed.id.toHex()}`);
  const names = lines.filter((line) => line.startsWith("memory  "))
    .map((line) => line.slice(35)).sort();
  assertEquals(names, [
    "a\\nb\\u{202e}../\\u{7}.txt",
    "garden.jpg",
    "notes/copy.txt",
    "notes/sunday.txt",
    "voice.wav",
  ]);
  assertTrue(seen.output.includes("note   .DS_Store is no part"));
});

Deno.test("verify_tessera.py names whichever file has a flipped bit", async () => {
  await using folder = await emptyFolder();
  const { files } = sampleTessera();
  await writeFiles(folder.path, files);
  // One of every sort; each costs a start of Python.
  const media = [...files.keys()].find((path) => path.endsWith("media.jpg"))!;
  const chosen = [
    "MANIFEST",
    "identity/signature.ed25519.sig",
    "identity/signature.ml-dsa-65.sig",
    "CHECKSUMS.sha256",
    media,
  ];
  for (const path of chosen) {
    await flip(`${folder.path}/${path}`);
    const seen = await python([VERIFY, folder.path], folder.path);
    if (seen === undefined) return;
    assertTrue(!seen.ok, `${path} passed`);
    const wrongs = seen.output.match(/^WRONG .*$/gm) ?? [];
    assertTrue(wrongs.some((line) => line.includes(path)), seen.output);
    await flip(`${folder.path}/${path}`);
  }
});

Deno.test("verify_tessera.py refuses a file that nobody signed, one that is gone, and another tessera", async () => {
  await using folder = await emptyFolder();
  const { files } = sampleTessera();
  await writeFiles(folder.path, files);
  await Deno.writeTextFile(`${folder.path}/decode/lies.txt`, "wrong way");
  await Deno.remove(`${folder.path}/decode/wav.txt`);
  const other = "00".repeat(32);
  const seen = await python([VERIFY, folder.path, other], folder.path);
  if (seen === undefined) return;
  assertTrue(!seen.ok);
  for (
    const wrong of [
      "WRONG  decode/lies.txt: is not in MANIFEST",
      "WRONG  decode/wav.txt: is not there",
      `WRONG  MANIFEST: is not that of ${other}`,
    ]
  ) assertTrue(seen.output.includes(wrong), seen.output);
});

/** Writes what a holder has: the plan and fragments, under names that tell nothing. Returns the plan and the pack. */
async function scatter(
  files: Readonly<Record<string, Uint8Array | string>>,
  folder: string,
): Promise<{ readonly plan: Plan; readonly pack: Uint8Array }> {
  const one = world();
  const { id } = await created(one, files);
  const plan = await one.archive.prepare(id, keys, () => {}, never);
  await Deno.writeFile(`${folder}/plan`, plan.bytes);
  const fragments: Uint8Array[] = [];
  for (const index of plan.fragments.keys()) {
    const opened = await one.archive.openFragment(plan, index, never);
    assertTrue(opened !== undefined);
    await using reader = opened;
    const bytes = new Uint8Array(reader.bytes);
    for (let at = 0; at < bytes.length;) {
      at += await reader.read(at, bytes.subarray(at), never);
    }
    await Deno.writeFile(nameOf(folder, index), bytes);
    fragments.push(bytes);
  }
  const pack = concat(fragments.slice(0, plan.dataCount));
  return { plan, pack: pack.subarray(0, plan.packBytes) };
}

/** The name tells nothing of the number, so the program has to find out. */
function nameOf(folder: string, index: number): string {
  return `${folder}/piece_${(index * 7 + 3) % 24}`;
}

Deno.test("rebuild_pack.py makes the pack of any 16 of 24 fragments, which tar opens and verify_tessera.py passes", async () => {
  await using folder = await emptyFolder();
  const at = folder.path;
  const { pack } = await scatter({ "big.wav": noise(5 * MIB, 3) }, at);
  const rebuild = (indices: readonly number[]) =>
    python(
      [REBUILD, "plan", "pack.tar", ...indices.map((i) => nameOf(at, i))],
      at,
    );
  const mixed = [23, 1, 2, 20, 4, 5, 6, 21, 8, 9, 10, 11, 12, 22, 14, 16];

  const whole = await rebuild(mixed);
  if (whole === undefined) return;
  assertTrue(whole.ok, whole.output);
  assertEquals(await Deno.readFile(`${at}/pack.tar`), pack);
  await Deno.mkdir(`${at}/opened`);
  const tar = await runTool("tar", ["-xf", "pack.tar", "-C", "opened"], at);
  if (tar !== undefined) {
    assertTrue(tar.ok, tar.output);
    const verified = await python([VERIFY, "opened"], at);
    assertTrue(verified?.ok, verified?.output);
  }

  await Deno.remove(`${at}/pack.tar`);
  await flip(nameOf(at, 20));
  const damaged = await rebuild(mixed);
  assertTrue(damaged?.ok === false, damaged?.output);
  assertTrue(damaged.output.includes(`WRONG  ${nameOf(at, 20)}: is no`));
  assertTrue(damaged.output.includes("15 right fragments are too few"));
  assertEquals(await exists(`${at}/pack.tar`), false);
  assertEquals(await exists(`${at}/pack.tar.part`), false);

  const spare = await rebuild([...mixed, 0]);
  assertTrue(spare?.ok, spare?.output);
  assertEquals(await Deno.readFile(`${at}/pack.tar`), pack);
});

Deno.test("rebuild_pack.py takes one copy of a small tessera, and names a plan with a flipped bit", async () => {
  await using folder = await emptyFolder();
  const at = folder.path;
  const { pack } = await scatter(SUNDAY, at);
  const args = [REBUILD, "plan", "pack.tar", nameOf(at, 4)];
  const whole = await python(args, at);
  if (whole === undefined) return;
  assertTrue(whole.ok, whole.output);
  assertEquals(await Deno.readFile(`${at}/pack.tar`), pack);

  await Deno.remove(`${at}/pack.tar`);
  // In the creator's Ed25519 key. The bytes of the ML-DSA-65 signature are not judged here.
  await flip(`${at}/plan`, 80);
  const damaged = await python(args, at);
  assertTrue(damaged?.ok === false, damaged?.output);
  assertTrue(/^WRONG {2}plan: is not signed/m.test(damaged.output));
  assertEquals(await exists(`${at}/pack.tar`), false);
});

Deno.test("the examples judge the vectors of manifests, plans, BLAKE3 and Ed25519 as we do", async () => {
  await using folder = await emptyFolder();
  const program = `
import json, sys
sys.path.insert(0, sys.argv[1])
from blake3_ed25519 import blake3, ed25519_holds
from rebuild_pack import Plan
from verify_tessera import Wrong, parse_manifest

def vectors(name):
    with open(sys.argv[2] + "/" + name + ".json") as file:
        return json.load(file)

def judge(name, read, bytes_of, beyond):
    valid = {v["name"]: bytes_of(v) for v in vectors(name)["valid"]}
    for data in valid.values():
        read(data)
    for v in vectors(name)["invalid"]:
        data = bytearray(valid[v["of"]][:v.get("keep", None)])
        changed = bytes.fromhex(v.get("hex", ""))
        data[v.get("at", 0):v.get("at", 0) + len(changed)] = changed
        try:
            read(bytes(data))
        except Wrong:
            continue
        assert v["name"] in beyond, "accepted " + v["name"]

judge("manifests", parse_manifest, lambda v: v["text"].encode(), ())
judge("plans", Plan, lambda v: bytes.fromhex(v["hex"]), ("another ML-DSA-65 signature",))
for v in vectors("blake3")["cases"]:
    data = bytes(i % 251 for i in range(v["inputBytes"]))
    pieces = [data[at:at + 2048] for at in range(0, len(data), 2048)]
    assert blake3(pieces) == v["hash"][:64], v["inputBytes"]
for v in vectors("ed25519")["valid"]:
    key, message, signature = (bytes.fromhex(v[n]) for n in ("publicKey", "message", "signature"))
    assert ed25519_holds(key, message, signature), v["name"]
    assert not ed25519_holds(key, message + b".", signature), v["name"]
print("judged")
`;
  const examples = VERIFY.slice(0, VERIFY.lastIndexOf("/"));
  const seen = await python(["-c", program, examples, VECTORS], folder.path);
  if (seen === undefined) return;
  assertTrue(seen.ok, seen.output);
  assertEquals(seen.output, "judged\n");
});

async function exists(path: string): Promise<boolean> {
  try {
    await Deno.lstat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
