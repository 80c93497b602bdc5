/**
 * Assembles the WebAssembly kernels into TypeScript files that hold them as base64.
 *
 *     deno run -A ops/kernels/build.ts           writes the files
 *     deno run -A ops/kernels/build.ts --check   builds again and compares byte for byte
 *
 * @module
 */
import openWabt from "wabt";
import { blake3Wat } from "./blake3.ts";
import { reedSolomonWat } from "./reed_solomon.ts";

/** One generated file: its path from the root of the repository, and its modules by the name of their constant. */
type KernelFile = {
  readonly path: string;
  readonly source: string;
  readonly kernels: Readonly<Record<string, string>>;
};

const FILES: readonly KernelFile[] = [
  {
    path: "lib/crypto/blake3_kernel.ts",
    source: "ops/kernels/blake3.ts",
    kernels: { BLAKE3_KERNEL: blake3Wat() },
  },
  {
    path: "lib/erasure/reed_solomon_kernel.ts",
    source: "ops/kernels/reed_solomon.ts",
    kernels: {
      SIMD_KERNEL: reedSolomonWat("plain"),
      RELAXED_KERNEL: reedSolomonWat("relaxed"),
    },
  },
];

/** The files as they must be, by absolute path. */
export async function buildKernels(): Promise<
  readonly { readonly url: URL; readonly text: string }[]
> {
  const wabt = await openWabt();
  const assemble = (name: string, wat: string): string => {
    using parsed = disposable(
      wabt.parseWat(name, wat, { simd: true, relaxed_simd: true }),
    );
    parsed.module.validate();
    return parsed.module.toBinary({}).buffer.toBase64();
  };
  return FILES.map(({ path, source, kernels }) => ({
    url: new URL(`../../${path}`, import.meta.url),
    text: [
      `/** Made from ${source} by ops/kernels/build.ts; the checks build it again and compare. */`,
      ...Object.entries(kernels).flatMap(([name, wat]) => [
        `export const ${name} =`,
        `  "${assemble(name, wat)}";`,
      ]),
      "",
    ].join("\n"),
  }));
}

function disposable<T extends { destroy(): void }>(module: T) {
  return { module, [Symbol.dispose]: () => module.destroy() };
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  for (const { url, text } of await buildKernels()) {
    if (!check) Deno.writeTextFileSync(url, text);
    else if (Deno.readTextFileSync(url) !== text) {
      console.error(`${url.pathname} differs from what its source gives`);
      Deno.exitCode = 1;
    }
  }
}
