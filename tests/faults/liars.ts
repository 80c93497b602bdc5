/** Holders that take fragments and then do not do what they signed for. */
import { TesserasError } from "@tesseras/core";
import { bulkOf } from "@tesseras/net";
import type { Handlers, Role } from "@tesseras/node";
import type { ChangeRoles } from "@tesseras/testing/sim";

/**
 * How a liar lies: it gives bytes of the right length that are another's (`others`), gives nothing and says nothing (`stalls`),
 * says that it has nothing when it is asked for bytes and that it has everything otherwise (`denies`), or gives more than it was
 * asked for (`floods`).
 */
export const LIES = ["others", "stalls", "denies", "floods"] as const;

/** See {@link LIES}; a liar is `honest` until it begins. */
export type Manner = typeof LIES[number] | "honest";

/** What decides how a liar lies now. */
export type Mood = { manner: Manner };

/** Roles that lie about fragments as their mood says. */
export function lying(mood: Mood): ChangeRoles {
  return (roles) =>
    roles.map((role): Role => ({
      ...role,
      handlers: { ...role.handlers, ...lies(role.handlers, mood) },
    }));
}

function lies(
  { get_fragment: get, audit }: Handlers,
  mood: Mood,
): Handlers {
  if (get === undefined || audit === undefined) return {};
  return {
    get_fragment: async (from, request, bulk, signal) => {
      await stallOr(mood, signal);
      if (mood.manner === "denies") throw gone();
      const reply = await get(from, request, bulk, signal);
      const { response } = reply;
      if (mood.manner === "honest" || response.type !== "fragment") {
        return reply;
      }
      // Bytes of somebody else's tessera, and for a flood twice as many as were announced.
      const times = mood.manner === "floods" ? 2 : 1;
      const wrong = bulkOf(new Uint8Array(times * response.bulk).fill(0x2a));
      return { response, bulk: wrong };
    },
    audit: async (from, request, bulk, signal) => {
      await stallOr(mood, signal);
      if (mood.manner !== "honest") throw gone();
      return await audit(from, request, bulk, signal);
    },
  };
}

async function stallOr(mood: Mood, signal: AbortSignal): Promise<void> {
  if (mood.manner !== "stalls") return;
  await new Promise<never>((_, reject) =>
    signal.addEventListener("abort", () => reject(signal.reason), {
      once: true,
    })
  );
}

function gone(): TesserasError {
  return new TesserasError("absent", "Cannot give it: it is gone");
}
