/** What benches say: one JSON object a line, each figure beside a reference measured in the same run. */

/** A measured way to do something. */
export type Figure = { readonly name: string; readonly value: number };

/** Prints a figure, its reference and how many times the reference it is. */
export function report(figure: Figure, unit: string, reference: Figure): void {
  const ratio = rounded(figure.value / reference.value);
  const value = rounded(figure.value);
  const beside = { name: reference.name, value: rounded(reference.value) };
  console.log(
    JSON.stringify({
      name: figure.name,
      value,
      unit,
      reference: beside,
      ratio,
    }),
  );
}

/**
 * How many units a second `work` gets through at `unitsPerCall` each: the best of three rounds of a quarter second
 * after one to warm up, since noise only ever slows down.
 */
export function rateOf(work: () => unknown, unitsPerCall: number): number {
  let best = 0;
  for (let round = 0; round < 4; round++) {
    const startMs = performance.now();
    let calls = 0;
    let tookMs = 0;
    // Short work is called several times between two looks at the clock, long work once.
    for (let burst = 1; tookMs < 250; burst = tookMs < 1 ? 2 * burst : burst) {
      for (let i = 0; i < burst; i++) work();
      calls += burst;
      tookMs = performance.now() - startMs;
    }
    if (round > 0) best = Math.max(best, calls * unitsPerCall / tookMs * 1_000);
  }
  return best;
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}
