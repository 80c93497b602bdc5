/**
 * Every attack on one running store over real QUIC: each is refused and counted, and an honest node at another address
 * is served between them: `deno run -A tests/e2e/hostile_peers.ts --rounds 5`.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { equal, type NodeId } from "@tesseras/core";
import { dataPaths } from "@tesseras/run";
import { openLibsqlState } from "@tesseras/state/libsql";
import { assertEquals, assertTrue } from "@tesseras/testing";
import type { Attack, Field } from "./attack.ts";
import { ATTACKS_AFTER_HELLO, TRICKLES } from "./attacks_after_hello.ts";
import { ATTACKS_BEFORE_HELLO, SILENT_DIALER } from "./attacks_before_hello.ts";
import { allOf, counted, isWell, type Lab, untilCounted } from "./lab.ts";
import { longRun } from "./long_run.ts";
import { honestIdentity, openOutsider, recordAt } from "./outsider.ts";

/** Starts a store with the limits of the public network, and attacks it in every way. It stays. */
export async function hostilePeers(
  lab: Lab,
  rounds: number,
  say: (line: string) => void,
): Promise<void> {
  const { signal } = lab;
  for (let round = 1; round <= rounds; round++) {
    const name = `victim-${round}`;
    const process = await lab.cluster.add({
      name,
      role: "store",
      dataDir: join(lab.cluster.dir, name),
      // The caps per address are those of the public network, loopback or not.
      settings: { TESSERAS_NETWORK_SUBNET_DIVERSITY: "true" },
    }, signal);
    const open = async (ip: string) =>
      await openOutsider(ip, await honestIdentity(signal), signal);
    await using honest = await open("127.0.0.2");
    await using enemy = await open("127.0.0.3");
    await using slow = await open("127.0.0.6");
    const victim = await recordAt(honest, process, signal);
    const ping = () => honest.ping(victim, signal);
    await ping();
    const field = { process, victim, enemy, signal };
    const beside = [SILENT_DIALER, ...TRICKLES].map((attack) =>
      attempt(attack, { ...field, enemy: slow }, say)
    );
    const oneByOne = async (): Promise<void> => {
      for (const attack of [...ATTACKS_BEFORE_HELLO, ...ATTACKS_AFTER_HELLO]) {
        await attempt(attack, field, say);
        await ping();
      }
    };
    await allOf([oneByOne(), ...beside]);
    await ping();
    assertTrue(await isWell(process));
    // Others may give it fragments meanwhile, also to make up for losses.
    const { id } = enemy.self.identity;
    assertEquals(await keptFor(id, process.dataDir, signal), 1);
    assertEquals(await counted(process, "rpc.handler_failed"), 0);
  }
}

/** How many fragments a running store keeps for a peer. */
async function keptFor(
  peer: NodeId,
  dataDir: string,
  signal: AbortSignal,
): Promise<number> {
  const url = pathToFileURL(dataPaths(dataDir).database).href;
  await using state = await openLibsqlState({ url, worker: false }, signal);
  const rows = await state.fragments(undefined, 1_000, signal);
  return rows.filter(({ owner }) => owner !== undefined && equal(owner, peer))
    .length;
}

async function attempt(
  attack: Attack,
  field: Field,
  say: (line: string) => void,
): Promise<void> {
  const { name, counter } = attack;
  const before = counter === undefined
    ? undefined
    : await counted(field.process, counter);
  try {
    await attack.run(field);
  } catch (cause) {
    throw new Error(`After ${name}: ${cause}`, { cause });
  }
  if (counter === undefined || before === undefined) return say(name);
  await untilCounted(field.process, counter, before + 1);
  say(`${name}: ${counter} moved`);
}

if (import.meta.main) await longRun("hostile peers", hostilePeers);
