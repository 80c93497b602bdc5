/** A child's drawing in crayon: the house, the sun, everybody who was there, and the dog. */
import { type Random, SeededRandom } from "@tesseras/core";
import { box, element, many, picture, stroke, within } from "./svg.ts";

/** The picture as SVG, 900 x 675. */
export function drawing(): string {
  const random = new SeededRandom(6);
  const crayon = element(
    "filter",
    { id: "crayon", x: "-5%", y: "-5%", width: "110%", height: "110%" },
    element("feTurbulence", {
      type: "fractalNoise",
      baseFrequency: 0.055,
      numOctaves: 3,
      seed: 4,
      result: "grain",
    }) + element("feDisplacementMap", {
      in: "SourceGraphic",
      in2: "grain",
      scale: 9,
      xChannelSelector: "R",
      yChannelSelector: "G",
    }),
  );
  const body = [
    scribble(random, [20, 560, 860, 96], "#63b04f", 74),
    sun(random),
    rainbow(),
    cloud(592, 84),
    house(random),
    person(random, { x: 420, height: 190, colour: "#2f6fc0", dress: false }),
    person(random, { x: 520, height: 176, colour: "#d9457a", dress: true }),
    person(random, { x: 606, height: 118, colour: "#8a4fc0", dress: true }),
    person(random, { x: 682, height: 98, colour: "#e58a1f", dress: false }),
    element("g", { transform: "translate(24 0)" }, dog()),
    many(9, (i) => flower(random, 330 + i * 64)),
    heart(565, 300, 1),
    heart(640, 340, 0.6),
    name(),
  ].join("");
  return picture(
    [900, 675],
    crayon,
    box([0, 0], [900, 675], { fill: "#fdfaf1" }) +
      element("g", { filter: "url(#crayon)" }, body),
  );
}

/** Colouring in as children do: to and fro, over the edge a little. */
function scribble(
  random: Random,
  [x, y, width, height]: readonly [number, number, number, number],
  colour: string,
  turns: number,
): string {
  let d = `M${x} ${y + within(random, 0, height)}`;
  for (let i = 1; i <= turns; i++) {
    const edge = i % 2 === 0 ? y + height : y;
    d += ` L${x + width * i / turns} ${edge + within(random, -7, 7)}`;
  }
  return stroke(d, colour, 7, { strokeOpacity: 0.75 });
}

function sun(random: Random): string {
  return scribble(random, [66, 66, 84, 84], "#f6c928", 15) +
    stroke("M108 60 A48 48 0 1 1 107 60", "#f2b705", 8) +
    many(11, (i) => {
      const turn = i * 2 * Math.PI / 11, out = within(random, 88, 106);
      return stroke(
        `M${108 + Math.cos(turn) * 62} ${108 + Math.sin(turn) * 62} L${
          108 + Math.cos(turn) * out
        } ${108 + Math.sin(turn) * out}`,
        "#f2b705",
        8,
      );
    }) +
    stroke("M92 98 v6 M124 98 v6 M88 120 Q108 138 128 120", "#a5661a", 6);
}

function rainbow(): string {
  return ["#e2413a", "#f39a2b", "#f5d933", "#58b24c", "#3f83cf", "#8a56b8"]
    .map((colour, i) =>
      stroke(
        `M${640 + i * 11} 300 C${660 + i * 8} ${110 + i * 13} ${850 - i * 6} ${
          80 + i * 13
        } 905 ${190 + i * 13}`,
        colour,
        10,
        { strokeOpacity: 0.85 },
      )
    ).join("");
}

function cloud(x: number, y: number): string {
  return stroke(
    `M${x - 70} ${
      y + 20
    } q-28 -34 14 -42 q10 -44 54 -26 q44 -22 56 18 q44 6 22 46 q-70 16 -146 4`,
    "#7fb6e4",
    8,
  );
}

function house(random: Random): string {
  return scribble(random, [92, 366, 210, 206], "#f2dfae", 34) +
    stroke("M90 364 L92 574 L304 572 L300 362 L90 364", "#8a5a35", 9) +
    scribble(random, [112, 268, 170, 88], "#d8584a", 26) +
    stroke("M66 366 L196 236 L330 364 Z", "#b5372d", 10) +
    stroke("M258 288 L258 226 L288 226 L288 316", "#8a5a35", 8) +
    stroke("M274 212 q-16 -18 4 -28 t0 -34 t16 -30", "#9aa1a8", 7) +
    scribble(random, [182, 474, 52, 92], "#4f8a58", 11) +
    stroke("M180 572 L180 470 L236 470 L238 572", "#2f5f38", 8) +
    [118, 246].map((x) =>
      scribble(random, [x, 400, 44, 44], "#a9d4ef", 8) +
      stroke(
        `M${x} 398 h46 v48 h-48 v-48 M${x + 22} 398 v48 M${x} 422 h46`,
        "#3f6fa8",
        6,
      )
    ).join("");
}

function person(
  random: Random,
  { x, height, colour, dress }: {
    readonly x: number;
    readonly height: number;
    readonly colour: string;
    readonly dress: boolean;
  },
): string {
  const foot = 590, unit = height / 190;
  const head = foot - height + 30 * unit;
  const neck = head + 30 * unit, hip = foot - 66 * unit;
  const body = dress
    ? scribble(
      random,
      [x - 30 * unit, neck + 12, 60 * unit, hip - neck],
      colour,
      9,
    ) +
      stroke(
        `M${x} ${neck} L${x - 38 * unit} ${hip + 8} H${x + 38 * unit} Z`,
        colour,
        8,
      )
    : scribble(random, [x - 18 * unit, neck, 36 * unit, hip - neck], colour, 8);
  const limbs = stroke(
    `M${x - 12 * unit} ${hip} L${x - 20 * unit} ${foot} h${-12 * unit} M${
      x + 12 * unit
    } ${hip} L${x + 20 * unit} ${foot} h${12 * unit} M${x - 6 * unit} ${
      neck + 18 * unit
    } L${x - 52 * unit} ${neck + 52 * unit} M${x + 6 * unit} ${
      neck + 18 * unit
    } L${x + 52 * unit} ${neck + 48 * unit}`,
    "#a4663f",
    7,
  );
  const face = stroke(
    `M${x} ${head - 28 * unit} a${28 * unit} ${28 * unit} 0 1 1 -1 0`,
    "#a4663f",
    7,
  ) + stroke(
    `M${x - 10 * unit} ${head - 6 * unit} v3 M${x + 10 * unit} ${
      head - 6 * unit
    } v3 M${x - 13 * unit} ${head + 8 * unit} q${13 * unit} ${16 * unit} ${
      26 * unit
    } 0`,
    "#3a2a24",
    5,
  );
  return body + limbs + face + hairOf({ x, head, unit, dress });
}

function hairOf({ x, head, unit, dress }: {
  readonly x: number;
  readonly head: number;
  readonly unit: number;
  readonly dress: boolean;
}): string {
  return stroke(
    dress
      ? `M${x - 28 * unit} ${head + 26 * unit} C${x - 44 * unit} ${
        head - 50 * unit
      } ${x + 44 * unit} ${head - 50 * unit} ${x + 28 * unit} ${
        head + 26 * unit
      }`
      : `M${x - 26 * unit} ${
        head - 12 * unit
      } l8 -16 l8 12 l8 -18 l8 16 l10 -14 l6 18`,
    dress ? "#6a3c1f" : "#3a2a24",
    8,
  );
}

function dog(): string {
  return stroke(
    "M742 560 h70 v-26 h-70 v26 M748 560 v32 M766 560 v32 M792 560 v32 M808 560 v32 M742 540 q-24 -10 -22 -34",
    "#8a5a35",
    9,
  ) +
    stroke("M812 536 q-6 -38 26 -36 q34 2 26 28 q-22 18 -50 8", "#8a5a35", 9) +
    stroke("M824 502 l-8 26 M848 510 v3 M864 516 h3", "#3a2a24", 7);
}

function flower(random: Random, x: number): string {
  const y = within(random, 606, 628);
  const colour = ["#e2413a", "#f39a2b", "#d9457a", "#8a56b8"][random.below(4)]!;
  return stroke(`M${x} ${y} v30`, "#2f7a35", 6) +
    stroke(
      `M${x - 10} ${y} h20 M${x} ${y - 10} v20 M${x - 7} ${y - 7} l14 14`,
      colour,
      8,
    );
}

function heart(x: number, y: number, scale: number): string {
  const s = (value: number) => value * scale;
  return stroke(
    `M${x} ${y} c${s(-14)} ${s(-30)} ${s(-52)} ${s(-10)} 0 ${s(38)} c${s(52)} ${
      s(-48)
    } ${s(14)} ${s(-68)} 0 ${s(-38)}`,
    "#e2413a",
    8,
  );
}

/** Who drew it, and how old she is. */
function name(): string {
  return stroke(
    "M372 60 v62 h34 M428 60 v60 M452 122 l22 -62 l24 62 M460 100 h30 M570 122 q-34 4 -30 -26 q6 -30 36 -36 " +
      "M544 100 q32 -14 32 10 q-4 16 -22 12",
    "#3f6fa8",
    9,
    { transform: "translate(-110 -14)" },
  );
}
