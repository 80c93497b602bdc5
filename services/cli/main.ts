/**
 * `tes`: makes tesseras of folders, verifies and exports them, and talks to the running node to publish and fetch. Help is
 * answered before anything else is loaded.
 */
import { quickAnswer } from "./help.ts";

const answer = quickAnswer(Deno.args);
if (answer === undefined) {
  // Deno reads every module that a literal import names before it starts; help would wait for the whole program.
  const rest = new URL("./run_command_line.ts", import.meta.url).href;
  const { runCommandLine }: typeof import("./run_command_line.ts") =
    await import(rest);
  // Exiting says it at once: an idle pipe on standard input must not keep a finished command alive.
  Deno.exit(await runCommandLine(Deno.args));
} else console.log(answer);
