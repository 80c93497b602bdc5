/** The asking end of the control socket. */
import {
  ERROR_CODES,
  type ErrorCode,
  messageOf,
  TesserasError,
  throwIfAborted,
} from "@tesseras/core";
import {
  closeQuietly,
  ControlReader,
  encodeControl,
  isGone,
  type JsonObject,
  parseJson,
  writeFrame,
} from "./control_frames.ts";
import { checkSocket } from "./socket_folder.ts";

/**
 * Makes one call. An abort hangs up, which stops the work at the other end.
 *
 * @throws `notRunning` when nobody listens, `unusable` when the socket is another user's, `unreachable` when the node stopped
 * before it answered, or the error it answered with
 */
export async function callControl(
  socket: string,
  name: string,
  parameters: JsonObject,
  onEvent: (event: JsonObject) => void,
  signal: AbortSignal,
): Promise<JsonObject> {
  throwIfAborted(signal);
  const call = encodeControl({
    kind: "call",
    name,
    json: JSON.stringify(parameters),
  });
  await checkSocket(socket);
  using connection = await connect(socket);
  const onAbort = (): void => closeQuietly(connection);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    throwIfAborted(signal);
    await sendCall(connection, call);
    return await readAnswer(new ControlReader(connection), name, onEvent);
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/** A node that turns us away may have closed before it read the call; why, it has written. */
async function sendCall(
  connection: Deno.UnixConn,
  call: Uint8Array,
): Promise<void> {
  try {
    await writeFrame(connection, call);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

async function readAnswer(
  reader: ControlReader,
  name: string,
  onEvent: (event: JsonObject) => void,
): Promise<JsonObject> {
  for (;;) {
    const message = await reader.next();
    if (message === undefined) {
      throw new TesserasError(
        "unreachable",
        `Cannot finish ${name}: the node stopped before it was done; what was acknowledged is kept, run it again`,
      );
    }
    const body = parseJson(message.json);
    switch (message.kind) {
      case "event":
        onEvent(body);
        break;
      case "result":
        return body;
      case "error":
        throw new TesserasError(codeIn(body), String(body.message));
      case "call":
        throw new TesserasError("malformed", "Cannot read answer: it asks");
    }
  }
}

async function connect(socket: string): Promise<Deno.UnixConn> {
  try {
    return await Deno.connect({ transport: "unix", path: socket });
  } catch (cause) {
    if (cause instanceof Deno.errors.PermissionDenied) {
      throw new TesserasError(
        "unusable",
        `Cannot reach the node: ${socket} is another user's (${
          messageOf(cause)
        })`,
        { cause },
      );
    }
    throw new TesserasError(
      "notRunning",
      'Cannot reach the node: it is not running on this data directory; start it with "deno task start:node" (or tesd) and try again',
      { cause },
    );
  }
}

function codeIn(body: JsonObject): ErrorCode {
  return ERROR_CODES.find((code) => code === body.code) ?? "refused";
}
