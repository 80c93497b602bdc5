/** Who may go at once, and what goes with them: for tests whose holders are processes, and for those whose holders are simulated. */

/** The fragments of a tessera that each holder keeps. */
export type KeptBy<T> = ReadonlyMap<T, readonly number[]>;

/** How many fragments nobody has any more when these are gone. */
export function lostWith<T>(kept: KeptBy<T>, dying: ReadonlySet<T>): number {
  const all = [...kept];
  const left = new Set(
    all.filter(([one]) => !dying.has(one)).flatMap(([, indices]) => indices),
  );
  return new Set(all.flatMap(([, indices]) => indices)).size - left.size;
}

/** Takes one after the other, each as long as no tessera loses more than it may. */
export function bearable<T>(
  candidates: Iterable<T>,
  tesseras: readonly { readonly kept: KeptBy<T>; readonly lossMax: number }[],
): ReadonlySet<T> {
  const dying = new Set<T>();
  for (const one of candidates) {
    const wider = new Set([...dying, one]);
    const isBearable = tesseras.every(({ kept, lossMax }) =>
      lostWith(kept, wider) <= lossMax
    );
    if (isBearable) dying.add(one);
  }
  return dying;
}
