/** A denokv server on loopback, with a database of its own that goes with it, for tests of what several processes share. */

/** A running server. Its token is set as `DENO_KV_ACCESS_TOKEN` of this process. */
export type DenokvServer = AsyncDisposable & {
  readonly url: string;
  /** Stops it at once, as a crash does. */
  readonly kill: () => Promise<void>;
};

/** How often a server that starts is asked whether it answers, and how many times. */
const TRY_MS = 50;
const TRIES_MAX = 200;

/** Starts one, or says why there is none and returns `undefined`. It comes from the crate `denokv`. */
export async function openDenokv(): Promise<DenokvServer | undefined> {
  const folder = await Deno.makeTempDir({ prefix: "tesseras_denokv_" });
  const port = freePort();
  const token = crypto.randomUUID();
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("denokv", {
      args: [
        `--sqlite-path=${folder}/kv.sqlite`,
        "serve",
        `--access-token=${token}`,
        `--addr=127.0.0.1:${port}`,
      ],
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (error) {
    await Deno.remove(folder);
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    console.log("skipped: denokv is not installed here");
    return undefined;
  }
  let isOver = false;
  const ended = child.status.then(() => {
    isOver = true;
  });
  const kill = async (): Promise<void> => {
    if (!isOver) child.kill("SIGKILL");
    await ended;
  };
  Deno.env.set("DENO_KV_ACCESS_TOKEN", token);
  await answers(port);
  return {
    url: `http://127.0.0.1:${port}`,
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

/** Waits until somebody listens there. */
async function answers(port: number): Promise<void> {
  for (let tries = 0;; tries++) {
    try {
      using _connection = await Deno.connect({ hostname: "127.0.0.1", port });
      return;
    } catch (error) {
      if (tries === TRIES_MAX) throw error;
      await new Promise((resolve) => setTimeout(resolve, TRY_MS));
    }
  }
}
