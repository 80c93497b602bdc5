/**
 * Another identity answers where a holder did: everybody who knows the holder refuses it, and goes on with the others:
 * `deno run -A tests/e2e/impostor.ts --rounds 5`.
 */
import { join } from "node:path";
import { shuffled } from "@tesseras/core";
import { assertRejectsCode, assertTrue } from "@tesseras/testing";
import { counted, type Lab, untilCounted } from "./lab.ts";
import { longRun } from "./long_run.ts";
import { honestIdentity, openOutsider, recordAt } from "./outsider.ts";

/** Puts an impostor in the place of a random holder, fetches past it, and gives the place back. */
export async function impostor(
  lab: Lab,
  rounds: number,
  say: (line: string) => void,
): Promise<void> {
  const { cluster, signal, random } = lab;
  const identity = await honestIdentity(signal);
  const { created } = lab.kept;
  for (let round = 1; round <= rounds; round++) {
    await using asker = await openOutsider("127.0.0.1", identity, signal);
    const newcomer = await lab.newcomer();
    const [chosen] = shuffled(lab.stores, random);
    const holder = lab.info(chosen!);
    const record = await recordAt(asker, holder, signal);
    await cluster.crash(holder.name);
    const name = `impostor-${round}`;
    const other = await cluster.add({
      name,
      role: "store",
      dataDir: join(cluster.dir, name),
      listen: holder.address,
    }, signal);
    assertTrue(other.id !== holder.id);
    say(`${name} answers at ${holder.address} instead of ${holder.name}`);
    const asked = asker.ping(record, signal);
    await assertRejectsCode(asked, "forged");
    // What is in the network names the holder's key: whoever follows it finds the impostor, and breaks off.
    const fetched = await lab.fetchAndCompare(newcomer.dataDir, created);
    assertTrue(fetched.used.every(({ holder: id }) => id !== other.id));
    await untilCounted(other, "quic.handshake_failed", 1);
    say(
      `${await counted(
        other,
        "quic.handshake_failed",
      )} dials broke off; every byte is back from the others`,
    );
    await cluster.crash(name);
    await lab.restart(holder.name);
  }
}

if (import.meta.main) await longRun("impostor", impostor);
