/** Provider records in a simulated network: published by somebody, looked for by others. */
import { keyOf, keyOfTessera, type TesseraId, tesseraId } from "@tesseras/core";
import { HASH_BYTES, POINTER_TTL_MS } from "@tesseras/core/limits";
import { findProviders, type Provider, storeProviders } from "@tesseras/node";
import { signProviderRecord } from "@tesseras/wire";
import { type Citizen, type City, never } from "./city.ts";

/** A record that was published. */
export type Published = {
  readonly id: TesseraId;
  readonly holder: Citizen;
  readonly keeperCount: number;
};

/** Has somebody tell the network that they hold something. */
export async function publishFrom(
  city: City,
  holder: Citizen,
  id: TesseraId = tesseraId(city.random.bytes(HASH_BYTES)),
): Promise<Published> {
  const provider = providerOf(city, holder, id);
  const report = await storeProviders(holder.node, id, [provider], never);
  return { id, holder, keeperCount: report.keeperCount };
}

/** Whether somebody finds the holder of a record. */
export async function findsHolder(
  asker: Citizen,
  { id, holder }: Published,
): Promise<boolean> {
  const found = await findProviders(asker.node, id, never);
  return found.some(({ record }) =>
    keyOf(record.holder) === keyOf(holder.node.id)
  );
}

/** The share of askers that find each of some records. */
export async function shareFound(
  city: City,
  published: readonly Published[],
  askersEach: number,
): Promise<number> {
  let found = 0;
  for (const [i, one] of published.entries()) {
    city.doing = `${i} of ${published.length} records have been looked for`;
    const askers = Array.from({ length: askersEach }, () => city.one());
    const answers = await city.run(
      Promise.all(askers.map((asker) => findsHolder(asker, one))),
    );
    found += answers.filter((isFound) => isFound).length;
  }
  return found / (published.length * askersEach);
}

/** How many of those who are up keep a record. */
export async function keepersOf(
  city: City,
  { id }: Published,
): Promise<readonly Citizen[]> {
  const keepers: Citizen[] = [];
  for (const one of city.living) {
    const rows = await one.state.pointers(id, never);
    if (rows.length > 0) keepers.push(one);
  }
  return keepers;
}

/** Where a record's key lies. */
export function keyOfPublished({ id }: Published) {
  return keyOfTessera(id);
}

function providerOf(
  city: City,
  holder: Citizen,
  id: TesseraId,
): Provider {
  const nowMs = city.clock.nowMs();
  const record = signProviderRecord({
    tesseraId: id,
    planHash: id,
    indices: [0],
    sequence: nowMs,
    expiresAtMs: nowMs + POINTER_TTL_MS,
  }, holder.node.identity);
  return { record, holder: holder.node.record() };
}
