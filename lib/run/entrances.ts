/** Whether what a configuration names as ways into the network answers at all, without joining through any of it. */
import {
  codeOf,
  mapBounded,
  messageOf,
  parseAddress,
  type Runtime,
  TesserasError,
} from "@tesseras/core";
import { readDirectoryPage } from "@tesseras/directory";
import type { Config } from "./config.ts";
import { fetchDirectoryPage } from "./directory_client.ts";
import { dnsTexts, readPeerTexts } from "./dns_texts.ts";
import { resolvePeer, systemAddresses } from "./entries.ts";

/** One way in. */
export type Entrance = {
  /** As a person wrote it. */
  readonly name: string;
  /** One sentence; `undefined` when it answers. */
  readonly problem: string | undefined;
};

/** Entrances tried at once, and how long each may take. */
const TRIED_PARALLEL = 4;
const TRY_MS = 5_000;

/** Tries every entrance: names are resolved, records looked up, pages read. Several take as long as the slowest. */
export async function checkEntrances(
  { bootstrap }: Config,
  { clock }: Pick<Runtime, "clock">,
  signal: AbortSignal,
): Promise<readonly Entrance[]> {
  return await mapBounded(
    triesOf(bootstrap),
    TRIED_PARALLEL,
    async ({ name, go }, laneSignal): Promise<Entrance> => {
      try {
        using deadline = clock.deadline(TRY_MS, laneSignal);
        await go(deadline.signal);
        return { name, problem: undefined };
      } catch (error) {
        if (laneSignal.aborted || codeOf(error) === undefined) throw error;
        return { name, problem: messageOf(error) };
      }
    },
    signal,
  );
}

type Try = {
  readonly name: string;
  readonly go: (signal: AbortSignal) => Promise<void>;
};

function triesOf(
  { hardcoded, dns_domain, dns_server, directories }: Config["bootstrap"],
): readonly Try[] {
  const server = dns_server === "" ? undefined : parseAddress(dns_server);
  const tries: Try[] = hardcoded.map((name) => ({
    name,
    go: async (signal) => {
      await resolvePeer(name, systemAddresses, signal);
    },
  }));
  if (dns_domain !== "") {
    tries.push({
      name: dns_domain,
      go: async (signal) => {
        const texts = await dnsTexts(server)(dns_domain, signal);
        if (readPeerTexts(texts).peers.length === 0) throw nobody(dns_domain);
      },
    });
  }
  for (const name of directories) {
    tries.push({
      name,
      go: async (signal) => {
        const page = readDirectoryPage(await fetchDirectoryPage(name, signal));
        if (page.records.length === 0) throw nobody(name);
      },
    });
  }
  return tries;
}

function nobody(name: string): TesserasError {
  return new TesserasError("absent", `Cannot join through ${name}: no peers`);
}
