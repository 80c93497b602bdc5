/** The bootstrap role: an entry that newcomers are told about. Its answers are those of any node; its record says so. */
import type { Role } from "@tesseras/node";
import { CAPABILITIES } from "@tesseras/wire";

/** Builds the role. */
export function bootstrapRole(): Role {
  return {
    name: "bootstrap",
    capabilities: CAPABILITIES.BOOTSTRAP,
    handlers: {},
  };
}
