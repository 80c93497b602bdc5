/** The few words we draw with: SVG elements as text, and colours between two others. */
import type { Random } from "@tesseras/core";

/** Attributes of an element; camelCase names become SVG's hyphenated ones. */
export type Attributes = Readonly<Record<string, string | number>>;

/** One element. `inside` is its content, ready as SVG. */
export function element(
  name: string,
  attributes: Attributes,
  inside = "",
): string {
  const text = Object.entries(attributes).map(([key, value]) => {
    const shown = typeof value === "number" ? Number(value.toFixed(2)) : value;
    return ` ${hyphenated(key)}="${shown}"`;
  }).join("");
  return `<${name}${text}>${inside}</${name}>\n`;
}

// SVG spells these few in camel case itself.
const OWN_SPELLING = new Set([
  "viewBox",
  "stdDeviation",
  "baseFrequency",
  "numOctaves",
  "gradientUnits",
  "xChannelSelector",
  "yChannelSelector",
]);

function hyphenated(key: string): string {
  if (OWN_SPELLING.has(key)) return key;
  return key.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** A filled path. */
export function path(d: string, fill: string, more: Attributes = {}): string {
  return element("path", { d, fill, ...more });
}

/** A stroked path with round ends. */
export function stroke(
  d: string,
  colour: string,
  width: number,
  more: Attributes = {},
): string {
  return element("path", {
    d,
    fill: "none",
    stroke: colour,
    strokeWidth: width,
    strokeLinecap: "round",
    strokeLinejoin: "round",
    ...more,
  });
}

/** An ellipse at `[x, y]` with radii `[rx, ry]`. */
export function oval(
  [cx, cy]: readonly [number, number],
  [rx, ry]: readonly [number, number],
  more: Attributes,
): string {
  return element("ellipse", { cx, cy, rx, ry, ...more });
}

/** A rectangle at `[x, y]` of `[width, height]`. */
export function box(
  [x, y]: readonly [number, number],
  [width, height]: readonly [number, number],
  more: Attributes,
): string {
  return element("rect", { x, y, width, height, ...more });
}

/** A gradient from top to bottom, to be filled with as `url(#id)`. Stops are spread evenly. */
export function downwards(id: string, colours: readonly string[]): string {
  const stops = colours.map((stopColor, i) =>
    element("stop", { offset: i / (colours.length - 1), stopColor })
  ).join("");
  return element("linearGradient", { id, x1: 0, y1: 0, x2: 0, y2: 1 }, stops);
}

/** A glow that fades out from its middle, to be filled with as `url(#id)`. */
export function glow(id: string, colour: string, strength: number): string {
  const stops = [strength, strength * 0.35, 0].map((stopOpacity, i) =>
    element("stop", { offset: i / 2, stopColor: colour, stopOpacity })
  ).join("");
  return element("radialGradient", { id }, stops);
}

/** A soft-focus filter, to be used as `url(#id)`. */
export function blur(id: string, stdDeviation: number): string {
  const more = { id, x: "-50%", y: "-300%", width: "200%", height: "700%" };
  return element("filter", more, element("feGaussianBlur", { stdDeviation }));
}

/** A whole picture. */
export function picture(
  [width, height]: readonly [number, number],
  definitions: string,
  body: string,
): string {
  const viewBox = `0 0 ${width} ${height}`;
  const xmlns = "http://www.w3.org/2000/svg";
  return element(
    "svg",
    {
      xmlns,
      "xmlns:xlink": "http://www.w3.org/1999/xlink",
      width,
      height,
      viewBox,
    },
    element("defs", {}, definitions) + body,
  );
}

/** The colour a share (0 to 1) of the way between two `#rrggbb` colours. */
export function between(from: string, to: string, share: number): string {
  const part = (at: number): string => {
    const [a, b] = [from, to].map((c) =>
      Number.parseInt(c.slice(at, at + 2), 16)
    );
    const clamped = Math.min(1, Math.max(0, share));
    return Math.round(a! + (b! - a!) * clamped).toString(16).padStart(2, "0");
  };
  return `#${part(1)}${part(3)}${part(5)}`;
}

/** A number from `least` to `most`. */
export function within(random: Random, least: number, most: number): number {
  return least + (most - least) * random.below(1 << 20) / (1 << 20);
}

/** As many elements as asked for. */
export function many(count: number, draw: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => draw(index)).join("");
}
