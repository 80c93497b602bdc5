import { assertEquals } from "@tesseras/testing";
import { buildKernels } from "./build.ts";

Deno.test("the committed kernels are what their sources give, byte for byte", async () => {
  for (const { url, text } of await buildKernels()) {
    assertEquals(await Deno.readTextFile(url), text, url.pathname);
  }
});
