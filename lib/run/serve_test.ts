import { assertEquals, assertTrue } from "@tesseras/testing";
import { flatErrors } from "./serve.ts";

Deno.test("everything that fails while closing is told, what failed first comes first", async () => {
  const fail = (text: string) => () => Promise.reject(new Error(text));
  const stack = new AsyncDisposableStack();
  for (const text of ["third", "second", "first"]) stack.defer(fail(text));
  const closing = await stack.disposeAsync().then(() => undefined, (e) => e);
  assertTrue(closing instanceof Error);
  const said = flatErrors(closing).map((one) => (one as Error).message);
  assertEquals(said, ["first", "second", "third"]);
  const alone = new Error("alone");
  assertEquals(flatErrors(alone), [alone]);
});
