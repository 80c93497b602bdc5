/** What is counted is listed, which the compiler sees to; that what is listed is counted is looked for here. */
import { assertEquals, assertTrue } from "@tesseras/testing";
import { COUNTER_HELP } from "@tesseras/core";
import { REGISTRY, WIRE_CODES } from "@tesseras/wire";

const ROOT = new URL("../", import.meta.url);
const NOT_THE_CODE =
  /_(test|bench)\.ts$|_for_tests\.ts$|\/(counter|event)_names\.ts$/;

async function* sources(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}${entry.name}`;
    if (entry.isDirectory) yield* sources(`${path}/`);
    else if (path.endsWith(".ts") && !NOT_THE_CODE.test(path)) {
      yield await Deno.readTextFile(new URL(path, ROOT));
    }
  }
}

Deno.test("every counter that is listed is counted somewhere", async () => {
  const code = [
    ...await Array.fromAsync(sources("lib/")),
    ...await Array.fromAsync(sources("services/")),
  ].join("\n");
  // A name may be put together: `pointer.${verdict}` counts whatever begins and ends so.
  const patterns = Array.from(
    code.matchAll(/`([a-z]+\.[a-z_]*)\$\{[^}]+\}([a-z_]*)`/g),
    ([, head, tail]) => ({ head: head!, tail: tail! }),
  );
  const uncounted = [...COUNTER_HELP.keys()].filter((name) =>
    !code.includes(`"${name}"`) &&
    !patterns.some(({ head, tail }) =>
      name.startsWith(head) && name.endsWith(tail)
    )
  );
  assertEquals(uncounted, []);
});

Deno.test("every request and every code of the wire has its counter", () => {
  for (const [name, { kind }] of Object.entries(REGISTRY)) {
    if (kind !== "request") continue;
    assertTrue(COUNTER_HELP.has(`request.${name}`), name);
  }
  for (const code of WIRE_CODES) {
    assertTrue(COUNTER_HELP.has(`rpc.refused_${code}`), code);
  }
});
