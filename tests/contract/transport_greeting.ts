/** What every transport must do with the first words of an answerer. */
import type { Connection } from "@tesseras/net";
import { assertEquals, assertRejectsCode, assertTrue } from "@tesseras/testing";
import {
  ANNA,
  BERT,
  type Claim,
  CLIO,
  echoOnce,
  never,
  pattern,
  readAll,
} from "./transport_lab.ts";

const HELLO = pattern(400);

async function sayHello(to: Connection): Promise<void> {
  const stream = await to.open(never);
  await stream.write(HELLO, never);
  await stream.finish(never);
}

/** Words before the handshake is over. */
export const transportGreeting: Record<string, Claim> = {
  async "what the answerer says to a dialer at once is there when the dial is done"(
    lab,
  ) {
    await using anna = await lab.open(ANNA);
    await using bert = await lab.open(BERT);
    const greeted: Connection[] = [];
    const said = Promise.withResolvers<void>();
    bert.greetWith((connection) => {
      greeted.push(connection);
      said.resolve(sayHello(connection));
    });
    const expect = { publicKey: BERT.publicKey };
    const near = await anna.dial(bert.local, expect, never);
    await said.promise;
    const heard = await near.accept(never);
    assertTrue(heard);
    assertEquals(await readAll(heard), HELLO);
    // Nothing that the dialer says is lost, nor is the connection another one.
    const far = await bert.accept(never);
    assertTrue(far && far === greeted[0] && greeted.length === 1);
    assertEquals(far.remote, anna.local);
    await echoOnce(near, far);
    await echoOnce(far, near);
  },

  async "a dialer that wanted another key is greeted and never accepted, and nobody is greeted whom admission turns away"(
    lab,
  ) {
    await using anna = await lab.open(ANNA);
    let isOpen = true;
    await using bert = await lab.open(BERT, { admit: () => isOpen });
    const greeted: Connection[] = [];
    bert.greetWith((connection) => {
      greeted.push(connection);
      // It may fail, since the connection may end before it is said.
      sayHello(connection).catch(() => {});
    });
    const expect = { publicKey: CLIO.publicKey };
    await assertRejectsCode(anna.dial(bert.local, expect, never), "forged");
    using patience = lab.clock.deadline(20_000, never);
    while (greeted.length === 0) await lab.clock.sleep(1, patience.signal);
    await greeted[0]!.closed;
    assertEquals(await greeted[0]!.accept(never), undefined);
    isOpen = false;
    await assertRejectsCode(anna.dial(bert.local, expect, never), "refused");
    assertEquals(greeted.length, 1);
    using soon = lab.clock.deadline(200, never);
    await assertRejectsCode(bert.accept(soon.signal), "timeout");
  },
};
