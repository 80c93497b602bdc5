/** Signatures a second on one core: `deno run -A lib/crypto/sign_bench.ts`. */
import { ed25519 } from "@noble/curves/ed25519.js";
import { rateOf, report } from "@tesseras/bench";
import { ed25519KeyFromSeed, verifyEd25519 } from "./ed25519.ts";
import { mlDsaKeyFromSeed, nobleMlDsa } from "./ml_dsa.ts";
import { nativeMlDsa } from "./native.ts";

const SEED = new Uint8Array(32).fill(1);
const MESSAGE = new Uint8Array(300).fill(2);
const MEASURED_MS = 500;

const key = ed25519KeyFromSeed(SEED);
const signature = key.sign(MESSAGE);
const mlDsa = mlDsaKeyFromSeed(SEED);
const mlDsaSignature = mlDsa.sign(MESSAGE);
const native = await nativeMlDsa();

report(
  { name: "Ed25519 sign", value: rateOf(() => key.sign(MESSAGE), 1) },
  "1/s",
  { name: "noble", value: rateOf(() => ed25519.sign(MESSAGE, SEED), 1) },
);
report(
  {
    name: "Ed25519 verify",
    value: rateOf(() => verifyEd25519(key.publicKey, MESSAGE, signature), 1),
  },
  "1/s",
  {
    name: "noble",
    value: rateOf(() => ed25519.verify(signature, MESSAGE, key.publicKey), 1),
  },
);
report(
  {
    name: "ML-DSA-65 verify, native",
    value: await waitingRateOf(() =>
      native.verify(mlDsa.publicKey, MESSAGE, mlDsaSignature)
    ),
  },
  "1/s",
  {
    name: "noble",
    value: await waitingRateOf(() =>
      nobleMlDsa.verify(mlDsa.publicKey, MESSAGE, mlDsaSignature)
    ),
  },
);
report(
  {
    name: "ML-DSA-65 sign, deterministic",
    value: rateOf(() => mlDsa.sign(MESSAGE), 1),
  },
  "1/s",
  { name: "WebCrypto, hedged", value: await platformSignRate() },
);

async function platformSignRate(): Promise<number> {
  const algorithm = { name: "ML-DSA-65" };
  const secret = await crypto.subtle.importKey(
    "raw-seed" as "raw",
    SEED,
    algorithm,
    false,
    ["sign"],
  );
  return await waitingRateOf(() =>
    crypto.subtle.sign(algorithm, secret, MESSAGE)
  );
}

/** Calls a second of work that is waited for, one after the other. */
async function waitingRateOf(work: () => Promise<unknown>): Promise<number> {
  await work();
  const startMs = performance.now();
  let calls = 0;
  while (performance.now() - startMs < MEASURED_MS) {
    await work();
    calls++;
  }
  return 1_000 * calls / (performance.now() - startMs);
}
