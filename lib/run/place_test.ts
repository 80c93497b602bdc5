import { assertEquals, assertTrue } from "@tesseras/testing";
import { placeOf } from "./place.ts";

const PORT = 4433;

/** What a node is told that is configured so. */
function place(ip: string, subnet_diversity: boolean, told: string[] = []) {
  const config = {
    network: { subnet_diversity },
    node: { advertise_addrs: told },
  };
  return placeOf(config, { ip, port: PORT });
}

Deno.test("a cluster, and whoever binds one private address, live in a lab; all others in the Internet", () => {
  for (
    const [ip, diversity, realm] of [
      ["0.0.0.0", true, "internet"],
      ["0.0.0.0", false, "lab"],
      ["127.0.0.1", true, "lab"],
      ["10.1.2.3", true, "lab"],
      ["9.9.9.9", true, "internet"],
      ["::", true, "internet"],
    ] as const
  ) {
    assertEquals(place(ip, diversity).surroundings.realm, realm, ip);
  }
});

Deno.test("what is configured is told, and stands; else where the port is bound", () => {
  const bound = place("9.9.9.9", true);
  assertEquals(bound.addresses, [{ ip: "9.9.9.9", port: PORT }]);
  assertEquals(bound.surroundings.isConfigured, false);
  const told = place("0.0.0.0", true, ["8.8.8.8:1"]);
  assertEquals(told.addresses, [{ ip: "8.8.8.8", port: 1 }]);
  assertEquals(told.surroundings.isConfigured, true);
  const every = place("0.0.0.0", true);
  assertTrue(every.addresses.length > 0);
  assertTrue(every.addresses.every(({ ip }) => ip !== "0.0.0.0"));
});
