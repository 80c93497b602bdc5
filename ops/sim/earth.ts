/**
 * Where simulated nodes live, and how long packets take between them.
 *
 * The map is our own: fourteen regions with many people and computers, a point each, and a share of all nodes. A packet takes
 * the great circle at the speed of light in glass (200 km a millisecond), half as long again because cables do not run
 * straight, and the access line at both ends. Round trips come to 20 to 250 ms, like those between homes and hosts on the real
 * network.
 */
import type { SeededRandom } from "@tesseras/core";

/** Name, latitude and longitude in degrees, share of all nodes. */
const REGIONS = [
  ["Western Europe", 50, 5, 18],
  ["Northern Europe", 59, 17, 6],
  ["Southern Europe", 41, 6, 7],
  ["Eastern Europe", 50, 25, 8],
  ["Eastern North America", 40, -76, 15],
  ["Central North America", 38, -95, 7],
  ["Western North America", 38, -121, 8],
  ["Brazil and its neighbours", -22, -46, 7],
  ["East Asia", 34, 125, 8],
  ["Southeast Asia", 5, 105, 4],
  ["South Asia", 20, 76, 5],
  ["Middle East", 31, 38, 3],
  ["Australia", -34, 150, 2],
  ["Southern and West Africa", -10, 15, 2],
] as const;

/** How far nodes of one region lie apart, in degrees: about 500 km. */
const SPREAD_DEGREES = 5;
const EARTH_RADIUS_KM = 6_371;
const KM_PER_MS = 200;
/** Cables are longer than the way of a bird. */
const DETOUR = 1.5;
/** Round trips of the map, in milliseconds. */
const ROUND_TRIP_MS = [20, 250] as const;
/** The longest access line, one way in milliseconds; most are much shorter. */
const ACCESS_MS_MAX = 25;
/** How much longer a packet may take than another on the same way. */
const JITTER = 0.1;

/** A point on the unit sphere, and the access line there. */
type Place = {
  readonly x: number;
  readonly y: number;
  readonly z: number;
  readonly accessMs: number;
};

/** A map with a place for every node that ever asked for one. */
export class Earth {
  readonly #random: SeededRandom;
  readonly #places = new Map<string, Place>();

  constructor(random: SeededRandom) {
    this.#random = random;
  }

  /** How long a packet takes one way, in milliseconds: the least and the most. Both directions take the same. */
  readonly latencyMs = (
    from: string,
    to: string,
  ): readonly [number, number] => {
    const oneWayMs = this.roundTripMs(from, to) / 2;
    return [oneWayMs, oneWayMs * (1 + JITTER)];
  };

  /** The shortest round trip between two nodes, in milliseconds. */
  roundTripMs(from: string, to: string): number {
    const [a, b] = [this.#placeOf(from), this.#placeOf(to)];
    const cosine = Math.min(1, a.x * b.x + a.y * b.y + a.z * b.z);
    const km = EARTH_RADIUS_KM * Math.acos(Math.max(-1, cosine)) * DETOUR;
    const ms = 2 * (km / KM_PER_MS + (a.accessMs + b.accessMs));
    const [min, max] = ROUND_TRIP_MS;
    return Math.min(max, Math.max(min, ms));
  }

  #placeOf(name: string): Place {
    const known = this.#places.get(name);
    if (known !== undefined) return known;
    const place = this.#draw();
    this.#places.set(name, place);
    return place;
  }

  #draw(): Place {
    const [latitude, longitude] = this.#region();
    const radians = (degrees: number): number =>
      (degrees + SPREAD_DEGREES * (2 * this.#chance() - 1)) * Math.PI / 180;
    const [north, east] = [radians(latitude), radians(longitude)];
    return {
      x: Math.cos(north) * Math.cos(east),
      y: Math.cos(north) * Math.sin(east),
      z: Math.sin(north),
      // The square leaves most lines short and some long.
      accessMs: 1 + (ACCESS_MS_MAX - 1) * this.#chance() ** 2,
    };
  }

  #region(): readonly [number, number] {
    const all = REGIONS.reduce((sum, [, , , share]) => sum + share, 0);
    let left = this.#random.below(all);
    for (const [, latitude, longitude, share] of REGIONS) {
      if (left < share) return [latitude, longitude];
      left -= share;
    }
    return [REGIONS[0][1], REGIONS[0][2]];
  }

  #chance(): number {
    return this.#random.uint32() / 0x1_0000_0000;
  }
}
