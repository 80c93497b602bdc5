/** A house in a garden on a bright Sunday: apple tree, washing on the line, flowers in front. */
import { type Random, SeededRandom } from "@tesseras/core";
import {
  between,
  blur,
  box,
  downwards,
  glow,
  many,
  oval,
  path,
  picture,
  stroke,
  within,
} from "./svg.ts";

/** The picture as SVG, 1280 x 960. */
export function garden(): string {
  const random = new SeededRandom(1962);
  const definitions = [
    downwards("sky", ["#6fb4e6", "#a9d6f0", "#eef6ee"]),
    downwards("lawn", ["#a9c96a", "#7fb04c", "#4f8a35"]),
    downwards("wall", ["#fbf4e4", "#ecdcc0"]),
    downwards("roof", ["#c8694a", "#9c4a35"]),
    downwards("sheet", ["#ffffff", "#dfe8f2"]),
    glow("sun", "#fffbe0", 1),
    blur("soft", 9),
    blur("near", 3),
    blur("hazy", 2),
  ].join("");
  const body = [
    box([0, 0], [1280, 960], { fill: "url(#sky)" }),
    oval([1080, 110], [330, 330], { fill: "url(#sun)" }),
    clouds(random),
    hills(),
    hedge(random),
    box([0, 560], [1280, 400], { fill: "url(#lawn)" }),
    grass(random),
    house(),
    footpath(),
    washing(),
    appleTree(random),
    flowers(random),
  ].join("");
  return picture([1280, 960], definitions, body);
}

function clouds(random: Random): string {
  return [[250, 130], [620, 90], [900, 220]].map(([x, y]) =>
    many(11, (i) =>
      oval(
        [x! + (i - 5) * 24, y! + within(random, -16, 12)],
        [within(random, 34, 62), within(random, 18, 30)],
        { fill: "#ffffff", fillOpacity: 0.55, filter: "url(#soft)" },
      ))
  ).join("");
}

function hills(): string {
  return path(
    "M0 520 C180 430 330 450 520 500 S900 420 1280 480 V620 H0Z",
    "#a8c8b0",
    { filter: "url(#hazy)" },
  ) + path(
    "M0 560 C260 480 420 540 640 530 S1040 480 1280 540 V640 H0Z",
    "#8fb987",
    { filter: "url(#hazy)" },
  );
}

function hedge(random: Random): string {
  return many(260, () => {
    const x = within(random, -20, 1300);
    const y = within(random, 515, 580);
    const light = (580 - y) / 65 + within(random, -0.25, 0.25);
    return oval([x, y], [within(random, 12, 26), within(random, 9, 18)], {
      fill: between("#3f6f3a", "#86b35a", light),
    });
  });
}

function house(): string {
  const windowAt = (x: number, y: number): string =>
    box([x - 26, y], [22, 82], { fill: "#4b7fa3" }) +
    box([x + 60, y], [22, 82], { fill: "#4b7fa3" }) +
    box([x, y], [56, 82], {
      fill: "#5a6f80",
      stroke: "#ffffff",
      strokeWidth: 6,
    }) +
    path(`M${x + 6} ${y + 6} l20 0 l-20 40Z`, "#bcd6e4", { fillOpacity: 0.8 }) +
    stroke(`M${x + 28} ${y} v82 M${x} ${y + 40} h56`, "#ffffff", 4) +
    box([x - 6, y + 84], [68, 12], { fill: "#8a5a3c" }) +
    [0, 1, 2, 3, 4].map((i) =>
      oval([x + 2 + i * 13, y + 82], [8, 8], {
        fill: i % 2 === 0 ? "#d8425a" : "#f08aa0",
      })
    ).join("");
  return path("M640 660 L1120 660 L1130 675 L630 675Z", "#3f6a2d", {
    fillOpacity: 0.5,
    filter: "url(#near)",
  }) +
    box([660, 400], [440, 262], { fill: "url(#wall)" }) +
    box([970, 260], [46, 90], { fill: "#a0563f" }) +
    path("M620 412 L720 270 H1040 L1140 412Z", "url(#roof)") +
    many(
      9,
      (i) =>
        stroke(
          `M${634 + i * 9} ${396 - i * 14} H${1126 - i * 9}`,
          "#7f3c2b",
          2,
          {
            strokeOpacity: 0.35,
          },
        ),
    ) +
    path("M620 412 H1140 L1130 424 H630Z", "#7a3e2e") +
    windowAt(720, 470) + windowAt(990, 470) +
    box([846, 480], [84, 182], { fill: "#3f6b58" }) +
    box([858, 494], [60, 60], { fill: "#a8c4cc", fillOpacity: 0.8 }) +
    oval([918, 580], [5, 5], { fill: "#e6c15a" }) +
    box([828, 660], [120, 12], { fill: "#c9c0ae" });
}

function footpath(): string {
  return path(
    "M842 672 C830 740 640 770 600 960 H840 C850 800 930 740 936 672Z",
    "#d9c9a4",
    { filter: "url(#hazy)" },
  );
}

function grass(random: Random): string {
  return many(700, () => {
    const y = within(random, 600, 950);
    const x = within(random, 0, 1280);
    const height = 6 + (y - 560) / 24;
    return stroke(
      `M${x} ${y} q${within(random, -4, 4)} ${-height / 2} ${
        within(random, -6, 6)
      } ${-height}`,
      between("#3e7a2c", "#c2dc7e", within(random, 0, 1)),
      1.6,
      { strokeOpacity: 0.7 },
    );
  });
}

function washing(): string {
  const sheet = (x: number, width: number, fill: string): string =>
    path(
      `M${x} 566 q${width / 2} 10 ${width} 2 l6 92 q${-width / 3} 12 ${
        -width / 2
      } 2 t${-width / 2 - 4} 4Z`,
      fill,
    ) + stroke(`M${x + width / 3} 578 l4 78`, "#b9c6d6", 2, {
      strokeOpacity: 0.6,
    });
  return stroke("M1110 700 V540 M1262 730 V548", "#7b5b3f", 7) +
    stroke("M1110 556 Q1190 578 1262 560", "#e9e4d8", 2) +
    sheet(1122, 42, "url(#sheet)") + sheet(1172, 32, "#e7a7a0") +
    sheet(1212, 36, "#9fc3dd");
}

function appleTree(random: Random): string {
  const shade = oval([270, 770], [250, 46], {
    fill: "#2f5a24",
    fillOpacity: 0.55,
    filter: "url(#soft)",
  });
  const trunk = path(
    "M238 780 C256 690 240 640 214 560 L244 548 C256 590 266 610 274 616 C284 590 300 560 330 528 L352 546 " +
      "C316 590 300 640 302 690 C304 730 312 760 326 782Z",
    "#6d4c35",
  ) + stroke("M262 770 C272 700 262 650 250 600", "#8c6848", 6, {
    strokeOpacity: 0.7,
  });
  const leaves = many(1_500, (i) => {
    // Clumps first in the dark, then ever lighter ones above and towards the sun.
    const turn = within(random, 0, 2 * Math.PI);
    const reach = Math.sqrt(within(random, 0, 1));
    const x = 280 + Math.cos(turn) * reach * 225;
    const y = 400 + Math.sin(turn) * reach * 172 + Math.sin(x / 34) * 12;
    const lit = (x - 280) / 700 + (400 - y) / 420 + i / 3_000 +
      within(random, -0.16, 0.16);
    return oval([x, y], [within(random, 8, 19), within(random, 6, 13)], {
      fill: between("#2d5a2a", "#b4d566", 0.32 + lit),
      transform: `rotate(${within(random, -50, 50).toFixed(0)} ${
        x.toFixed(1)
      } ${y.toFixed(1)})`,
    });
  });
  const apples = many(34, () => {
    const turn = within(random, 0, 2 * Math.PI);
    const reach = Math.sqrt(within(random, 0.1, 0.85));
    const x = 280 + Math.cos(turn) * reach * 205;
    const y = 410 + Math.sin(turn) * reach * 155;
    return oval([x, y], [10, 10], { fill: "#c8322f" }) +
      oval([x + 3, y - 3.5], [3.4, 2.8], { fill: "#f3a08a" });
  });
  const fallen = many(7, () => {
    const x = within(random, 120, 430), y = within(random, 758, 800);
    return oval([x, y], [8, 7], { fill: "#b83a30" });
  });
  return shade + trunk + leaves + apples + fallen;
}

function flowers(random: Random): string {
  const colours = ["#e2483d", "#f4f1ea", "#8c6fc4", "#f3b93c", "#e98bb0"];
  const plants = Array.from({ length: 190 }, () => {
    const x = within(random, -10, 1290);
    return { x, foot: within(random, 860, 985) };
  }).filter(({ x, foot }) => !(x > 585 && x < 850 && foot < 975))
    .sort((a, b) => a.foot - b.foot);
  return plants.map(({ x, foot }) => {
    const height = within(random, 46, 100);
    const lean = within(random, -14, 14);
    const top = foot - height;
    const petal = within(random, 6, 10);
    const colour = colours[random.below(colours.length)]!;
    const stem = stroke(
      `M${x} ${foot} q${lean / 3} ${-height / 2} ${lean} ${-height}`,
      between("#2f6427", "#6fa044", within(random, 0, 1)),
      3,
    );
    const petals = many(6, (i) => {
      const turn = i * Math.PI / 3;
      return oval(
        [x + lean + Math.cos(turn) * petal, top + Math.sin(turn) * petal * 0.8],
        [petal * 0.72, petal * 0.62],
        {
          fill: colour,
          stroke: between(colour, "#402030", 0.25),
          strokeWidth: 0.6,
        },
      );
    });
    const heart = oval([x + lean, top], [petal * 0.5, petal * 0.42], {
      fill: colour === "#f3b93c" ? "#7a4a1e" : "#f0c24a",
    });
    return stem + petals + heart;
  }).join("");
}
