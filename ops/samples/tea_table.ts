/** The table under the tree: checked cloth, corn cake, teapot and cups, a jug of flowers. */
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

/** The picture as SVG, 1280 x 960. */
export function teaTable(): string {
  const random = new SeededRandom(1974);
  const definitions = [
    downwards("leaves", ["#4f7d45", "#8fb560", "#6f9a4a"]),
    downwards("cloth", ["#fffaf0", "#efe3d0"]),
    downwards("fold", ["#e6d8c2", "#bfae98"]),
    downwards("china", ["#ffffff", "#c9d6e2"]),
    downwards("blue", ["#7fa8cf", "#47719f"]),
    downwards("crumb", ["#f6d27a", "#e0aa45"]),
    glow("light", "#fff6cf", 0.9),
    blur("far", 11),
    blur("shade", 8),
    element("clipPath", { id: "top" }, path(TOP, "#000000")),
  ].join("");
  const body = [
    box([0, 0], [1280, 960], { fill: "url(#leaves)" }),
    background(random),
    table(),
    shadows(),
    cake(),
    teapot(),
    cup(330, 690, "#d9705e"),
    cup(930, 720, "#7fa65a"),
    jug(random),
    cherries(random),
    dapples(random),
  ].join("");
  return picture([1280, 960], definitions, body);
}

const TOP = "M150 560 H1130 L1290 850 H-10Z";

/** Leaves and light far out of focus, as behind anything photographed from near. */
function background(random: Random): string {
  return many(150, () => {
    const size = within(random, 18, 62);
    const y = within(random, -20, 600);
    return oval([within(random, 0, 1280), y], [size, size], {
      fill: between("#2f5a34", "#f0f2b0", within(random, 0, 1) ** 1.5),
      fillOpacity: within(random, 0.2, 0.6),
      filter: "url(#far)",
    });
  });
}

function table(): string {
  const stripes = many(15, (i) => {
    const [far, near] = [150 + i * 70, -10 + i * 93];
    return path(
      `M${far - 18} 560 h33 L${near + 19} 850 h-44Z`,
      "#c8473f",
      { fillOpacity: 0.42 },
    );
  }) + many(7, (i) => {
    // Rows come nearer as they come down the picture.
    const y = 566 + i * 22 + i * i * 4.2;
    return box([-10, y], [1300, 13 + i * 3.4], {
      fill: "#c8473f",
      fillOpacity: 0.42,
    });
  });
  const hanging = path(
    "M-10 850 H1290 V960 H-10Z",
    "url(#fold)",
  ) +
    many(
      15,
      (i) =>
        box([-35 + i * 93, 850], [44, 110], {
          fill: "#b8433d",
          fillOpacity: 0.42,
        }),
    ) +
    many(9, (i) =>
      path(
        `M${60 + i * 150} 850 q22 56 4 110 h46 q-34 -60 -50 -110Z`,
        "#6b5a4c",
        { fillOpacity: 0.13 },
      ));
  return path(TOP, "url(#cloth)") +
    element("g", { clipPath: "url(#top)" }, stripes) + hanging +
    stroke("M-10 851 H1290", "#fffaf0", 4, { strokeOpacity: 0.8 });
}

function shadows(): string {
  return [
    [640, 716, 190, 26],
    [420, 610, 130, 20],
    [338, 752, 96, 18],
    [
      938,
      782,
      96,
      18,
    ],
    [880, 628, 90, 16],
    [680, 812, 120, 16],
  ].map(([x, y, rx, ry]) =>
    oval([x! - 22, y!], [rx!, ry!], {
      fill: "#4a2f2a",
      fillOpacity: 0.32,
      filter: "url(#shade)",
    })
  ).join("");
}

function cake(): string {
  const stand = path("M616 640 h52 l16 66 q-42 14 -84 0Z", "url(#china)") +
    oval([642, 706], [70, 13], { fill: "url(#china)" }) +
    oval([642, 640], [186, 34], { fill: "#c2cedb" }) +
    oval([642, 633], [186, 34], { fill: "url(#china)" });
  const side = path(
    "M496 540 V616 C496 648 788 648 788 616 V540Z",
    "url(#crumb)",
  );
  const top = oval([642, 540], [146, 32], { fill: "#b9722f" }) +
    oval([642, 536], [136, 27], { fill: "#cf8a3f" });
  // The slice that somebody could not wait for: two cut faces, and the plate between them.
  const slice =
    path("M642 540 L704 570 V646 Q764 640 800 612 V540Z", "#e6edf3") +
    path("M642 540 L790 544 V610 L642 602Z", "#f8df94") +
    path("M642 540 L704 565 V642 L642 602Z", "#e2b352");
  const sugar = many(60, (i) =>
    oval(
      [
        642 + Math.cos(i * 2.4) * (20 + i * 1.8),
        535 + Math.sin(i * 2.4) * (4 + i * 0.36),
      ],
      [2.6, 1.6],
      { fill: "#fff8e6", fillOpacity: 0.9 },
    ));
  const holes = many(
    26,
    (i) =>
      oval([508 + (i * 53) % 130, 566 + (i * 29) % 58], [3.2, 2.2], {
        fill: "#b97f2c",
        fillOpacity: 0.6,
      }),
  );
  return stand + side + holes + top + sugar + slice;
}

function teapot(): string {
  return stroke("M306 520 C244 508 238 590 312 590", "#47719f", 15) +
    path(
      "M500 528 C540 520 548 470 580 462 L588 474 C566 500 560 560 508 574Z",
      "url(#blue)",
    ) +
    path(
      "M312 506 C286 560 312 616 412 618 C512 616 538 560 506 506 C470 476 348 476 312 506Z",
      "url(#blue)",
    ) +
    oval([409, 502], [92, 20], { fill: "#5d88b6" }) +
    path("M326 500 C340 462 478 462 492 500 Q410 522 326 500Z", "#8fb4d8") +
    oval([409, 463], [14, 13], { fill: "#f3ead6" }) +
    path(
      "M336 520 C322 552 332 584 352 598 C344 570 344 548 352 524Z",
      "#cfe2f2",
      {
        fillOpacity: 0.75,
      },
    ) +
    many(7, (i) =>
      oval([350 + i * 20, 566 + (i % 2) * 8], [6, 6], {
        fill: i % 2 === 0 ? "#fdf6e4" : "#f2c65c",
      }));
}

function cup(x: number, y: number, band: string): string {
  return oval([x, y + 52], [92, 22], { fill: "#b8c5d2" }) +
    oval([x, y + 47], [92, 22], { fill: "url(#china)" }) +
    oval([x, y + 47], [60, 13], { fill: "#cfdae5" }) +
    stroke(`M${x + 54} ${y - 8} c42 -6 40 44 -8 40`, "#dbe4ec", 9) +
    path(
      `M${x - 60} ${y - 22} C${x - 58} ${y + 30} ${x - 36} ${y + 50} ${x} ${
        y + 50
      } S${x + 58} ${y + 30} ${x + 60} ${y - 22}Z`,
      "url(#china)",
    ) +
    stroke(`M${x - 57} ${y + 2} Q${x} ${y + 24} ${x + 57} ${y + 2}`, band, 7) +
    oval([x, y - 22], [60, 15], { fill: "#f7fafc" }) +
    oval([x, y - 20], [52, 11], { fill: "#9a5a2a" }) +
    oval([x - 14, y - 22], [18, 3], { fill: "#d9a066", fillOpacity: 0.8 }) +
    many(3, (i) =>
      stroke(
        `M${x - 18 + i * 18} ${y - 40} q-10 -18 0 -34 t0 -34`,
        "#ffffff",
        4,
        { strokeOpacity: 0.28, filter: "url(#shade)" },
      ));
}

function jug(random: Random): string {
  const colours = ["#e9604f", "#f6f1e6", "#f2b84b", "#b58bd0", "#ef9ab5"];
  const bunch = many(34, () => {
    const turn = within(random, -Math.PI, 0);
    const reach = within(random, 30, 150);
    const x = 886 + Math.cos(turn) * reach * 0.9;
    const y = 430 + Math.sin(turn) * reach;
    const petal = within(random, 9, 15);
    const colour = colours[random.below(colours.length)]!;
    return stroke(
      `M886 497 Q${886 + (x - 886) * 0.3} 450 ${x} ${y}`,
      "#4d7a3a",
      3,
    ) +
      many(7, (i) => {
        const angle = i * 2 * Math.PI / 7;
        return oval(
          [x + Math.cos(angle) * petal, y + Math.sin(angle) * petal * 0.85],
          [petal * 0.66, petal * 0.56],
          { fill: between(colour, "#5a2030", i / 40) },
        );
      }) + oval([x, y], [petal * 0.5, petal * 0.45], { fill: "#c98a2b" });
  });
  const leaves = many(16, () => {
    const x = within(random, 800, 972), y = within(random, 420, 500);
    return oval([x, y], [30, 9], {
      fill: between("#33602f", "#7da552", within(random, 0, 1)),
      transform: `rotate(${within(random, -80, 80).toFixed(0)} ${
        x.toFixed(1)
      } ${y.toFixed(1)})`,
    });
  });
  const glass = path(
    "M828 494 C836 540 818 560 820 600 C822 634 950 634 952 600 C954 560 936 540 944 494Z",
    "#e8ddc4",
  ) +
    path(
      "M840 500 C846 546 832 562 834 602 C836 612 846 618 856 620 C846 570 858 540 856 500Z",
      "#fffaf0",
    ) +
    oval([886, 494], [58, 12], { fill: "#8f8163" });
  return leaves + glass + bunch;
}

function cherries(random: Random): string {
  const bowl =
    path("M566 776 C572 826 626 834 672 834 S772 826 778 776Z", "url(#china)") +
    stroke("M572 790 Q672 816 772 790", "#5f8fbf", 5);
  const fruit = many(26, (i) => {
    const row = Math.floor(i / 9);
    const x = 592 + (i % 9) * 20 + row * 9 + within(random, -4, 4);
    const y = 774 - row * 15 + within(random, -3, 3);
    return stroke(
      `M${x} ${y - 8} q6 -20 ${within(random, 6, 22)} -30`,
      "#5f7a35",
      2.2,
    ) +
      oval([x, y], [14, 13.5], {
        fill: between("#7a1220", "#c9303c", within(random, 0, 1)),
      }) +
      oval([x - 4, y - 5], [4, 3], { fill: "#f4b6b4", fillOpacity: 0.85 });
  });
  return oval([672, 776], [106, 18], { fill: "#dfe7ee" }) + fruit + bowl;
}

/** Sun through the leaves. */
function dapples(random: Random): string {
  return many(34, () =>
    oval(
      [within(random, 0, 1280), within(random, 560, 940)],
      [within(random, 26, 92), within(random, 10, 30)],
      { fill: "url(#light)", fillOpacity: 0.5 },
    )) + oval([980, 60], [620, 420], { fill: "url(#light)", fillOpacity: 0.6 });
}
