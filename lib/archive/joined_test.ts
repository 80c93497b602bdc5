import { TesserasError } from "@tesseras/core";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import { joined } from "./joined.ts";

Deno.test("joined() waits for all before it throws the first failure", async () => {
  let ended = false;
  const slow = new Promise<void>((resolve) =>
    setTimeout(() => {
      ended = true;
      resolve();
    }, 5)
  );
  const failing = Promise.reject(new TesserasError("diskFull", "Cannot write"));
  await assertRejectsCode(joined([failing, slow]), "diskFull");
  assertTrue(ended);
  assertEquals(await joined([Promise.resolve(1), Promise.resolve(2)]), [1, 2]);
});
