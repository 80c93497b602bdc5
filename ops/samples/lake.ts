/** A lake at evening with mountains and two people in a rowing boat. It moves, for the film. */
import { type Random, SeededRandom } from "@tesseras/core";
import {
  between,
  blur,
  box,
  downwards,
  element,
  glow,
  many,
  oval,
  path,
  picture,
  stroke,
  within,
} from "./svg.ts";

const HORIZON = 500;

/** The picture as SVG, 1280 x 854. @param seconds how far the evening has gone; 0 for the photo */
export function lake(seconds = 0): string {
  const random = new SeededRandom(1987);
  const definitions = [
    downwards("sky", ["#3d5a8c", "#8a86b8", "#eab18f", "#fbdc9c"]),
    downwards("water", ["#f1c08c", "#8f7fa6", "#33507c", "#1f3558"]),
    downwards("far", ["#8d86b2", "#c79fa5"]),
    downwards("middle", ["#5c6694", "#8f7f9c"]),
    downwards("shore", ["#2f4055", "#3c4a55"]),
    glow("sun", "#fff2c4", 1),
    blur("soft", 12),
    blur("ripple", 2.2),
    element("clipPath", { id: "lake" }, box([0, HORIZON], [1280, 354], {})),
  ].join("");
  const land = element("g", { id: "land" }, mountains(random));
  const mirrored = element("g", {
    transform: `translate(0 ${2 * HORIZON}) scale(1 -1)`,
    opacity: 0.42,
    filter: "url(#ripple)",
  }, element("use", { "xlink:href": "#land" }));
  const body = [
    box([0, 0], [1280, HORIZON], { fill: "url(#sky)" }),
    oval([820, 418], [300, 300], { fill: "url(#sun)" }),
    oval([820, 418], [34, 34], { fill: "#fff6d8" }),
    clouds(random, seconds),
    land,
    box([0, HORIZON], [1280, 354], { fill: "url(#water)" }),
    element("g", { clipPath: "url(#lake)" }, mirrored),
    glitter(random, seconds),
    birds(seconds),
    boat(seconds),
    reeds(random, seconds),
  ].join("");
  return picture([1280, 854], definitions, body);
}

function clouds(random: Random, seconds: number): string {
  return many(16, () => {
    const x = within(random, -50, 1330) + seconds * 5;
    const y = within(random, 90, 330);
    return oval([x, y], [within(random, 80, 210), within(random, 5, 15)], {
      fill: between("#f3b7a0", "#fff0cf", y / 330),
      fillOpacity: 0.45,
      filter: "url(#soft)",
    });
  });
}

function mountains(random: Random): string {
  const firs = many(150, () => {
    const x = within(random, -10, 1290);
    if (x > 500 && x < 1000) return "";
    const height = within(random, 22, 64);
    const foot = HORIZON - 1;
    const width = height * 0.19;
    return path(
      `M${x} ${foot - height} L${x + width} ${foot} H${x - width}Z`,
      between("#24384a", "#42566a", within(random, 0, 1)),
    );
  });
  return path(
    "M0 400 L130 300 L215 352 L350 228 L470 340 L560 296 L680 392 L800 410 L905 330 L1010 268 L1120 352 L1280 286 V500 H0Z",
    "url(#far)",
  ) + path(
    "M0 452 L150 372 L300 430 L420 396 L600 470 L760 474 L930 424 L1060 380 L1180 420 L1280 392 V500 H0Z",
    "url(#middle)",
  ) + path(
    "M0 474 C160 462 330 470 470 490 C640 500 900 498 1010 486 C1110 474 1200 470 1280 466 V500 H0Z",
    "url(#shore)",
  ) + firs;
}

/** The sun's way over the water: short strokes, wider the nearer, each with a rhythm of its own. */
function glitter(random: Random, seconds: number): string {
  return many(420, (i) => {
    const near = within(random, 0, 1) ** 1.4;
    const y = HORIZON + 4 + near * 340;
    const onPath = i % 3 !== 0;
    const spread = onPath ? 26 + near * 120 : 700;
    const x = (onPath ? 820 : 640) + within(random, -1, 1) * spread;
    const phase = within(random, 0, 2 * Math.PI);
    const pulse = 0.6 + 0.4 * Math.sin(phase + seconds * 2.6);
    const half = (6 + near * 26) * pulse;
    return stroke(
      `M${x - half} ${y} q${half} ${1 + near * 3} ${2 * half} 0`,
      onPath ? "#ffedc0" : "#c7bfdc",
      1.2 + near * 2.2,
      { strokeOpacity: (onPath ? 0.72 : 0.26) * pulse },
    );
  });
}

function birds(seconds: number): string {
  return [[330, 170], [372, 150], [420, 176]].map(([x, y], i) => {
    const at = x! + seconds * 16,
      flap = 7 + 5 * Math.sin(seconds * 7 + i * 1.7);
    return stroke(
      `M${at - 15} ${y! - flap} Q${at - 6} ${y! - flap} ${at} ${y} Q${at + 6} ${
        y! - flap
      } ${at + 15} ${y! - flap}`,
      "#2c3550",
      2.6,
    );
  }).join("");
}

function boat(seconds: number): string {
  const rock = 1.6 * Math.sin(seconds * 1.9);
  const pull = Math.sin(seconds * 2.4);
  const x = 470 + seconds * 9, y = 640 + 2.5 * Math.sin(seconds * 1.5);
  const person = (at: number, coat: string, scale: number): string =>
    path(
      `M${at - 17 * scale} 4 C${at - 19 * scale} ${-34 * scale} ${
        at - 10 * scale
      } ${-48 * scale} ${at} ${-48 * scale} S${at + 19 * scale} ${
        -34 * scale
      } ${at + 17 * scale} 4Z`,
      coat,
    ) +
    oval([at, -61 * scale], [11.5 * scale, 13 * scale], { fill: "#5a3f3c" });
  const oars = stroke(
    `M2 -22 L${-72 + pull * 22} 34 M2 -22 L${58 + pull * 22} 36`,
    "#4a3324",
    4.5,
  );
  const hull = path(
    "M-128 -6 C-100 34 96 34 132 -14 C60 2 -64 4 -128 -6Z",
    "#5a2f27",
  ) + stroke("M-128 -6 C-64 4 60 2 132 -14", "#c98b5e", 4.5);
  const shadow = oval([x, y + 34], [132, 15], {
    fill: "#14223c",
    fillOpacity: 0.55,
    filter: "url(#ripple)",
  });
  return shadow +
    element(
      "g",
      {
        transform: `translate(${x.toFixed(2)} ${y.toFixed(2)}) rotate(${
          rock.toFixed(2)
        })`,
      },
      person(-8, "#2e4a6b", 1) + person(62, "#9c4438", 0.78) + oars + hull,
    );
}

function reeds(random: Random, seconds: number): string {
  return many(110, (i) => {
    const x = i % 2 === 0
      ? within(random, -20, 300)
      : within(random, 1030, 1300);
    const height = within(random, 90, 290) * (i % 2 === 0 ? 1 : 0.7);
    const sway = within(random, -26, 26) +
      7 * Math.sin(seconds * 1.6 + x / 60);
    const tip = 860 - height;
    const colour = between("#101c26", "#2f4238", within(random, 0, 1));
    const stem = stroke(
      `M${x} 862 Q${x + sway * 0.2} ${tip + height / 2} ${x + sway} ${tip}`,
      colour,
      within(random, 2.5, 5),
    );
    const cattail = i % 4 === 0
      ? oval([x + sway, tip], [5.5, 20], { fill: "#4a2f22" })
      : "";
    return stem + cattail;
  });
}
