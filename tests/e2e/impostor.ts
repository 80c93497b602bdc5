/**
 * Another identity answers where a holder did: everybody who knows the holder refuses it, and goes on with the others:
 * `deno run -A tests/e2e/impostor.ts --rounds 5`.
 */
import { shuffled } from "@tesseras/core";
import type { ChildInfo } from "@tesseras/ops/cluster";
import { type DataPaths, dataPaths } from "@tesseras/run";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { counted, type Lab, untilCounted } from "./lab.ts";
import { longRun } from "./long_run.ts";
import { honestIdentity, openOutsider, recordAt } from "./outsider.ts";

/** Puts an impostor in the place of a random holder, fetches past it, and gives the place back. */
export async function impostor(
  lab: Lab,
  rounds: number,
  say: (line: string) => void,
): Promise<void> {
  const { signal, random } = lab;
  const identity = await honestIdentity(signal);
  const { created } = lab.kept;
  for (let round = 1; round <= rounds; round++) {
    await using asker = await openOutsider("127.0.0.1", identity, signal);
    const newcomer = await lab.newcomer();
    const [chosen] = shuffled(lab.stores, random);
    const holder = lab.info(chosen!);
    const record = await recordAt(asker, holder, signal);
    const other = await swapKey(lab, holder, async ({ nodeKey }) => {
      await Deno.rename(nodeKey, `${nodeKey}.away`);
    });
    assertTrue(other.id !== holder.id);
    say(`${other.id} answers at ${holder.address} instead of ${holder.id}`);
    await assertRejectsCode(asker.ping(record, signal), "forged");
    // What is in the network names the holder's key: whoever follows it finds the impostor, and breaks off.
    const fetched = await lab.fetchAndCompare(newcomer.dataDir, created);
    const askedThere = ({ holder: id }: { readonly holder: string }) =>
      id === other.id || id === holder.id;
    assertEquals(fetched.used.filter(askedThere), []);
    await untilCounted(other, "quic.handshake_failed", 1);
    const brokenOff = await counted(other, "quic.handshake_failed");
    say(`${brokenOff} dials broke off; every byte is back from the others`);
    const back = await swapKey(lab, other, async ({ nodeKey }) => {
      await Deno.rename(`${nodeKey}.away`, nodeKey);
    });
    assertEquals(back.id, holder.id);
    await asker.ping(record, signal);
  }
}

/** Starts a process again with another key: on the same disk, with every fragment, at the same port. */
async function swapKey(
  { cluster, signal }: Lab,
  { name, dataDir }: ChildInfo,
  swap: (paths: DataPaths) => Promise<void>,
): Promise<ChildInfo> {
  await cluster.crash(name);
  await swap(dataPaths(dataDir));
  return await cluster.restart(name, signal);
}

if (import.meta.main) await longRun("impostor", impostor);
