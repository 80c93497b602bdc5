/**
 * Draws and plays the sample memories anew: `deno run -A ops/samples/make.ts [FOLDER]`.
 *
 * Pictures and film are drawn here as SVG, the melody as samples. Four Debian packages turn them into the formats that
 * people have: librsvg2-bin (rsvg-convert), imagemagick (convert), ffmpeg, libimage-exiftool-perl (exiftool). The
 * texts in the folder are written by hand and left alone. The results differ in bytes with the versions of these tools,
 * so they are kept in the repository and made anew only when a drawing changes.
 */
import { TesserasError } from "@tesseras/core";
import { drawing } from "./drawing.ts";
import { garden } from "./garden.ts";
import { lake } from "./lake.ts";
import { melody } from "./melody.ts";
import { teaTable } from "./tea_table.ts";

const FOLDER_DEFAULT = new URL(
  "../../tests/samples/family_sunday",
  import.meta.url,
).pathname;
const FILM_FRAMES = 60;
const FRAMES_PER_SECOND = 15;

/** A JPEG's camera facts, as exiftool's arguments. */
const GARDEN_FACTS = [
  "-DateTimeOriginal=2018:03:11 10:42:07",
  "-CreateDate=2018:03:11 10:42:07",
  "-OffsetTimeOriginal=-03:00",
  "-ImageDescription=The garden on Sunday morning",
  "-GPSLatitude=29.3747",
  "-GPSLatitudeRef=S",
  "-GPSLongitude=50.8764",
  "-GPSLongitudeRef=W",
  "-GPSAltitude=830",
  "-GPSAltitudeRef=Above Sea Level",
];
const TABLE_FACTS = [
  "-DateTimeOriginal=2018:03:11 15:30:51",
  "-CreateDate=2018:03:11 15:30:51",
  "-OffsetTimeOriginal=-03:00",
  "-ImageDescription=Coffee under the apple tree",
];

async function make(folder: string): Promise<void> {
  const work = await Deno.makeTempDir();
  try {
    await photo(
      garden(),
      `${work}/garden`,
      `${folder}/garden.jpg`,
      GARDEN_FACTS,
    );
    await photo(
      teaTable(),
      `${work}/table`,
      `${folder}/table.jpg`,
      TABLE_FACTS,
    );
    await photo(lake(), `${work}/lake`, `${folder}/lake.jpg`, []);
    await rasterize(drawing(), `${work}/drawing`);
    // A palette of 96 crayons: a third of the bytes, and no eye sees it.
    await run("convert", [
      ...[`${work}/drawing.png`, "-strip", "-dither", "None", "-colors", "96"],
      ...["-define", "png:compression-level=9"],
      `PNG8:${folder}/drawing_lia.png`,
    ]);
    await Deno.writeFile(`${folder}/music_box.wav`, melody());
    await film(work, `${folder}/music_box.wav`, `${folder}/boat.webm`);
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Turns a drawing into something like a photograph: a little soft, darker at the corners, with grain. */
async function photo(
  svg: string,
  at: string,
  target: string,
  facts: readonly string[],
): Promise<void> {
  await rasterize(svg, at);
  await run("convert", [
    ...[`${at}.png`, "-alpha", "off", "-blur", "0x0.5"],
    ...["-seed", "7", "-attenuate", "0.09", "+noise", "Gaussian"],
    ...["(", "+clone", "-fill", "white", "-colorize", "100"],
    ...["-background", "#909090", "-vignette", "0x260-60-60", ")"],
    ...["-compose", "multiply", "-composite", "-strip"],
    ...["-sampling-factor", "4:2:0", "-interlace", "JPEG", "-quality", "88"],
    target,
  ]);
  if (facts.length === 0) return;
  await run("exiftool", ["-q", "-overwrite_original", ...facts, target]);
}

/** Four seconds on the lake, with the music box. VP9 and Opus, the two that WebM players share. */
async function film(
  work: string,
  sound: string,
  target: string,
): Promise<void> {
  for (let frame = 0; frame < FILM_FRAMES; frame++) {
    const number = String(frame).padStart(3, "0");
    const svg = lake(frame / FRAMES_PER_SECOND);
    await rasterize(svg, `${work}/frame_${number}`, ["-w", "640"]);
  }
  await run("ffmpeg", [
    ...["-v", "error", "-y", "-framerate", String(FRAMES_PER_SECOND)],
    ...["-i", `${work}/frame_%03d.png`, "-i", sound, "-shortest"],
    ...["-vf", "crop=640:426,format=yuv420p"],
    ...["-c:v", "libvpx-vp9", "-crf", "36", "-b:v", "0", "-row-mt", "1"],
    ...["-c:a", "libopus", "-b:a", "40k", "-ac", "1"],
    ...["-metadata", "title=In the boat", "-fflags", "+bitexact"],
    target,
  ]);
}

async function rasterize(
  svg: string,
  at: string,
  options: readonly string[] = [],
): Promise<void> {
  await Deno.writeTextFile(`${at}.svg`, svg);
  await run("rsvg-convert", [...options, `${at}.svg`, "-o", `${at}.png`]);
}

async function run(tool: string, args: readonly string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command(tool, {
    args: [...args],
    stdout: "null",
    stderr: "piped",
  }).output();
  if (!success) {
    const said = new TextDecoder().decode(stderr).trim();
    throw new TesserasError(
      "unusable",
      `Cannot make samples: ${tool}: ${said}`,
    );
  }
}

if (import.meta.main) await make(Deno.args[0] ?? FOLDER_DEFAULT);
