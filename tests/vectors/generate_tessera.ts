/** Writes the vectors of the tessera format anew: `deno run -A tests/vectors/generate_tessera.ts`. */
import {
  manifestVectors,
  planVectors,
  tarVectors,
  tombstoneVectors,
} from "./tessera_samples.ts";
import { pathOf } from "./vector_file.ts";

const files = {
  manifests: manifestVectors(),
  plans: planVectors(),
  tombstones: tombstoneVectors(),
  tars: await tarVectors(),
};
for (const [name, vectors] of Object.entries(files)) {
  await Deno.writeTextFile(
    pathOf(name),
    JSON.stringify(vectors, null, 2) + "\n",
  );
}
