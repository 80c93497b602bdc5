/** MessagePack bytes to values: the scan, then msgpackr. */
import { TesserasError } from "@tesseras/core";
import { Unpackr } from "msgpackr/index-no-eval";
import { type DecodeLimits, scan } from "./scan.ts";

/** What {@link decode} gives. A whole number beyond 2^53 is a bigint; a map is a `Map`, so that no key can touch a prototype. */
export type Decoded =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly Decoded[]
  | ReadonlyMap<string, Decoded>;

/** `auto` gives numbers up to 2^53, exactly; byte strings are copied, so that a result outlives the buffer it came from. */
const unpackr = new Unpackr({
  useRecords: false,
  mapsAsObjects: false,
  int64AsType: "auto",
  copyBuffers: true,
});

/**
 * The value of MessagePack bytes. Borrows the bytes; the result shares nothing with them.
 *
 * @throws `malformed` as {@link scan} does
 */
export function decode(bytes: Uint8Array, limits: DecodeLimits): Decoded {
  scan(bytes, limits);
  try {
    // A view of its own, because msgpackr hangs a property on the array it reads.
    return unpackr.unpack(bytes.subarray());
  } catch (cause) {
    // The scan is meant to leave nothing for this; if the two ever disagree, the bytes are refused and we go on.
    throw new TesserasError(
      "malformed",
      "Cannot read MessagePack: the decoder refuses what the scan accepted",
      { cause },
    );
  }
}
