// One network of twelve processes, hurt in every way we know of. Takes more than a minute; each scenario has a long form, see
// its file.
import { SeededRandom } from "@tesseras/core";
import { fullDisk } from "./full_disk.ts";
import { hostilePeers } from "./hostile_peers.ts";
import { impostor } from "./impostor.ts";
import { allOf, Lab } from "./lab.ts";
import { freshSeed, type Scenario } from "./long_run.ts";
import { losingHolders } from "./losing_holders.ts";
import { rottenDisks } from "./rotten_disks.ts";
import { suddenDeath } from "./sudden_death.ts";

/** Runs a scenario, and tells its story only when it goes wrong. */
async function play(
  lab: Lab,
  scenario: Scenario,
  rounds: number,
): Promise<void> {
  const told: string[] = [];
  try {
    await scenario(lab, rounds, (line) => told.push(line));
  } catch (error) {
    console.log(told.join("\n"));
    throw error;
  }
}

Deno.test("a network of processes survives what is done to it", async (t) => {
  const seed = freshSeed();
  console.log(`seed ${seed}`);
  const { signal } = new AbortController();
  await using lab = await Lab.open(new SeededRandom(seed), signal);
  await t.step(
    "SIGKILL at any moment of create, publish, store and fetch loses nothing acknowledged and lists nothing half-done",
    () => play(lab, suddenDeath, 1),
  );
  await t.step(
    "while one store is attacked in every way, holders die two at a time, one is replaced by an impostor, disks rot, and every byte comes back",
    async () => {
      const holders = async (): Promise<void> => {
        await play(lab, losingHolders, 3);
        await play(lab, impostor, 1);
        await play(lab, rottenDisks, 1);
      };
      await allOf([holders(), play(lab, hostilePeers, 1)]);
    },
  );
  await t.step(
    "a full disk under a store, a fetch, a create or an export is one sentence, and nothing is half-listed",
    () => play(lab, fullDisk, 1),
  );
});
