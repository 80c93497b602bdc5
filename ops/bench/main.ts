/**
 * `deno task bench`: every figure as one line of JSON beside its reference. Without arguments all of them; with words,
 * those whose file name contains one.
 */
import { ROOT } from "../cluster/cluster.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));

async function main(words: readonly string[]): Promise<number> {
  const files = (await benches(["lib", "services", "ops"]))
    .filter((file) =>
      words.length === 0 || words.some((word) => file.includes(word))
    );
  if (files.length === 0) {
    console.error(`bench: no benchmark has ${words.join(" or ")} in its name`);
    return 2;
  }
  let failed = 0;
  for (const file of files) {
    console.error(`# ${file}`);
    const { code } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", "--no-check", `${ROOT}/${file}`],
      cwd: ROOT,
      stdin: "null",
      stdout: "inherit",
      stderr: "inherit",
    }).output();
    if (code !== 0) {
      console.error(`bench: ${file} failed with exit code ${code}`);
      failed++;
    }
  }
  return failed === 0 ? 0 : 1;
}

async function benches(folders: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    for await (const entry of Deno.readDir(`${ROOT}/${folder}`)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) await walk(path);
      else if (entry.name.endsWith("_bench.ts")) found.push(path);
    }
  };
  for (const folder of folders) await walk(folder);
  return found.sort();
}
