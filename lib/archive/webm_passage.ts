/** A WebM on its way into the store: nothing in it is changed, but a tag that names a place is noticed. */
import { equal, utf8 } from "@tesseras/core";
import type { Passage, Seen } from "./passage.ts";

/**
 * In the names of all tags for places (Matroska tag specifications: RECORDING_LOCATION and others; what telephones write:
 * LOCATION, COM.APPLE.QUICKTIME.LOCATION.ISO6709), in either case. Eight such bytes do not come about by chance.
 */
const NAMES: readonly Uint8Array[] = ["LOCATION", "location"].map(utf8);
const NAME_BYTES = 8;

/** Looks for names of tags in a WebM as it comes, and lets all of it through. */
export class WebmPassage implements Passage {
  /** The end of what came before, where a name may have begun. */
  #before = new Uint8Array();
  #hasName = false;

  pass(chunk: Uint8Array): readonly Uint8Array[] {
    if (this.#hasName) return [chunk];
    const beginning = chunk.subarray(0, NAME_BYTES - 1);
    const seam = new Uint8Array(this.#before.length + beginning.length);
    seam.set(this.#before);
    seam.set(beginning, this.#before.length);
    this.#hasName = hasName(seam) || hasName(chunk);
    this.#before = chunk.length < NAME_BYTES
      ? seam.slice(-(NAME_BYTES - 1))
      : chunk.slice(-(NAME_BYTES - 1));
    return [chunk];
  }

  end(): readonly Uint8Array[] {
    return [];
  }

  seen(): Seen {
    return { about: {}, place: this.#hasName ? "unread" : "none" };
  }
}

function hasName(bytes: Uint8Array): boolean {
  return NAMES.some((name) => {
    for (let at = bytes.indexOf(name[0]!); at >= 0;) {
      if (equal(bytes.subarray(at, at + NAME_BYTES), name)) return true;
      at = bytes.indexOf(name[0]!, at + 1);
    }
    return false;
  });
}
