/** What a person may have meant. */

/** Edits that still look like a slip of the hand. */
const EDITS_MAX = 2;
/** Characters of a word that we compare; no name of ours is longer. */
const CHARS_MAX = 32;

/** `; did you mean …?` for the name nearest to a word, or an empty text when none is near. */
export function didYouMean(word: string, names: readonly string[]): string {
  const near = nearest(word, names);
  return near === undefined ? "" : `; did you mean ${near}?`;
}

/** The name a word is nearest to: it begins with the word, or is a few edits away. */
export function nearest(
  word: string,
  names: readonly string[],
): string | undefined {
  if (word.length > CHARS_MAX) return undefined;
  const begins = names.filter((name) => name.startsWith(word));
  if (word.length > 2 && begins.length === 1) return begins[0];
  const most = Math.min(EDITS_MAX, Math.floor(word.length / 2));
  return names
    .map((name) => ({ name, edits: edits(word, name) }))
    .filter(({ edits }) => edits <= most)
    .toSorted((a, b) => a.edits - b.edits)[0]?.name;
}

/** Characters to insert, remove, replace or swap with their neighbour (optimal string alignment). */
function edits(a: string, b: string): number {
  let before: number[] = [];
  let previous = Array.from({ length: b.length + 1 }, (_, at) => at);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1;
      let least = Math.min(
        previous[j]! + 1,
        row[j - 1]! + 1,
        previous[j - 1]! + same,
      );
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        least = Math.min(least, before[j - 2]! + 1);
      }
      row.push(least);
    }
    before = previous;
    previous = row;
  }
  return previous[b.length]!;
}
