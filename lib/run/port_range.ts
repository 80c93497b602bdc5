/** A range of ports as a person writes it. */
import type { PortRange } from "@tesseras/relay";

/** `40000-40999`, both ends included, with room for a pair; `undefined` for anything else. */
export function portsOf(text: unknown): PortRange | undefined {
  const [, from, to] = /^(\d{1,5})-(\d{1,5})$/.exec(String(text)) ?? [];
  const range = { from: Number(from), to: Number(to) };
  const isRange = range.from >= 1 && range.from < range.to &&
    range.to <= 65_535;
  return isRange ? range : undefined;
}
