/** Child processes for tests that need one: to be killed, or to live on a disk that fills up. */
import { assertEquals } from "@tesseras/testing";

/**
 * Runs a program with a folder on a file system of 1 MiB as its argument, and
 * returns what it printed. The file system vanishes with the program. Where
 * mounting is not allowed it says so and returns `undefined`.
 */
export async function runOnTinyDisk(
  program: URL,
): Promise<string | undefined> {
  const mount = await Deno.makeTempDir({ prefix: "tesseras_tiny_" });
  try {
    if (!await mayMount(mount)) {
      console.log("skipped: mounting a file system is not allowed here");
      return undefined;
    }
    const { code, stdout, stderr } = await mounted(
      mount,
      [Deno.execPath(), "run", "-A", program.href, mount],
    ).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(mount);
  }
}

async function mayMount(mount: string): Promise<boolean> {
  try {
    return (await mounted(mount, ["true"]).output()).success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** A command that alone sees a small file system at a folder. */
function mounted(mount: string, command: readonly string[]): Deno.Command {
  const script = 'mount -t tmpfs -o size=1m none "$0" && exec "$@"';
  return new Deno.Command("unshare", {
    args: ["-rm", "sh", "-c", script, mount, ...command],
  });
}

/**
 * Runs a program, kills it with SIGKILL once it printed `lineCount` lines, and
 * returns every whole line it printed.
 */
export async function runUntilKilled(
  program: URL,
  args: readonly string[],
  lineCount: number,
): Promise<readonly string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program.href, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  let text = "";
  let killed = false;
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (killed || text.split("\n").length <= lineCount) continue;
    killed = true;
    child.kill("SIGKILL");
  }
  const { signal } = await child.status;
  assertEquals(signal, "SIGKILL");
  return text.split("\n").slice(0, -1);
}

/** Runs a program to its end and returns the lines it printed. */
export async function runToEnd(
  program: URL,
  args: readonly string[],
): Promise<readonly string[]> {
  const { code, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", program.href, ...args],
    stderr: "inherit",
  }).output();
  assertEquals(code, 0);
  return new TextDecoder().decode(stdout).split("\n").slice(0, -1);
}
