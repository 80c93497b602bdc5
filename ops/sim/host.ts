/** Where a simulated node sits, and how its packets look from outside. */
import type { Address, SeededRandom } from "@tesseras/core";
import type { Admission } from "@tesseras/net";

/** Where a node sits. */
export type Host = {
  /** Where its packets come from; behind a NAT that of the NAT. */
  readonly address: Address;
  /** Behind anything but `public` nobody gets in who was not spoken to first. */
  readonly nat: "public" | "cone" | "symmetric";
  readonly admission: Pick<Admission, "admit" | "enter" | "meter">;
  /** Whether what it says passes the real gate, byte by byte: nobody vouches for the shape of a liar's messages. */
  readonly isGated?: boolean;
};

/** Where a host's packets seem to come from: a symmetric NAT takes another port for everybody. */
export function seenAs({ address, nat }: Host, random: SeededRandom): Address {
  if (nat !== "symmetric") return address;
  return { ip: address.ip, port: 1_024 + random.below(64_000) };
}
