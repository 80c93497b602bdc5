/** A person's name for a file, in a sentence for a person. */
import { escapeText } from "@tesseras/tessera";

/** The name in quotes, with what would break the line or turn its direction around made visible. */
export function quoted(name: string): string {
  return `"${escapeText(name)}"`;
}
