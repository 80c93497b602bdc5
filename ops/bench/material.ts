/** Folders to measure with: incompressible bytes in files a tessera accepts. */
import { join } from "node:path";
import { SeededRandom } from "@tesseras/core";

const MIB = 1024 * 1024;

/** Writes WAV files of `fileBytes` each until the folder has `totalBytes`. Every file differs. */
export async function makeFolder(
  folder: string,
  totalBytes: number,
  fileBytes = 16 * MIB,
): Promise<void> {
  await Deno.mkdir(folder, { recursive: true });
  const noise = new SeededRandom(1).bytes(MIB);
  let left = totalBytes;
  for (let number = 0; left > 0; number++) {
    const bytes = Math.min(left, fileBytes);
    await writeWav(
      join(folder, `recording-${String(number).padStart(4, "0")}.wav`),
      bytes,
      { noise, number },
    );
    left -= bytes;
  }
}

/** RIFF header (Microsoft, "Multimedia Programming Interface and Data Specifications 1.0"), then noise that differs by file and block. */
async function writeWav(
  path: string,
  bytes: number,
  { noise, number }: { readonly noise: Uint8Array; readonly number: number },
): Promise<void> {
  using file = await Deno.open(path, {
    write: true,
    create: true,
    truncate: true,
  });
  const block = noise.slice();
  const view = new DataView(block.buffer);
  for (let at = 0; at < bytes; at += MIB) {
    view.setUint32(64, number);
    view.setUint32(68, at);
    if (at === 0) writeHeader(view, bytes);
    await writeAll(file, block.subarray(0, Math.min(MIB, bytes - at)));
  }
}

function writeHeader(view: DataView, bytes: number): void {
  const word = (at: number, text: string): void => {
    for (let i = 0; i < 4; i++) view.setUint8(at + i, text.charCodeAt(i));
  };
  word(0, "RIFF");
  view.setUint32(4, bytes - 8, true);
  word(8, "WAVE");
  word(12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, 44_100, true);
  view.setUint32(28, 88_200, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  word(36, "data");
  view.setUint32(40, bytes - 44, true);
}

async function writeAll(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await file.write(bytes.subarray(at));
  }
}
