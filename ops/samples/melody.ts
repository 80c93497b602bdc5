/** A lullaby on a music box, made here, as a WAV file: 8 seconds at 22,050 samples a second, one channel of 16 bits. */
import { concat, utf8 } from "@tesseras/core";

const SAMPLES_PER_SECOND = 22_050;
const BEAT_SECONDS = 0.5;

/** Beat, length in beats, and half tones above the A of 440 Hz. */
const TUNE: readonly (readonly [beat: number, beats: number, tone: number])[] =
  [
    [0, 1, 7],
    [1, 1, 3],
    [2, 1.5, 10],
    [3.5, 0.5, 8],
    [4, 1, 7],
    [5, 1, 5],
    [6, 2, 3],
    [8, 1, 5],
    [9, 1, 7],
    [10, 1.5, 8],
    [11.5, 0.5, 7],
    [12, 1, 5],
    [13, 1, 2],
    [14, 2, 3],
  ];
const BASS: readonly (readonly [beat: number, beats: number, tone: number])[] =
  [
    [0, 2, -9],
    [2, 2, -5],
    [4, 2, -4],
    [6, 2, -9],
    [8, 2, -7],
    [10, 2, -4],
    [12, 2, -2],
    [14, 2, -9],
  ];

/** The bytes of the WAV file. */
export function melody(): Uint8Array {
  const samples = new Float64Array(16 * BEAT_SECONDS * SAMPLES_PER_SECOND);
  for (const note of TUNE) pluck(samples, note, 0.32);
  for (const note of BASS) pluck(samples, note, 0.2);
  const faded = samples.length - SAMPLES_PER_SECOND / 2;
  const pcm = new DataView(new ArrayBuffer(samples.length * 2));
  samples.forEach((sample, i) => {
    const fade = Math.min(1, (samples.length - i) / (samples.length - faded));
    const level = Math.max(-1, Math.min(1, sample * fade));
    pcm.setInt16(2 * i, Math.round(level * 32_767), true);
  });
  return concat([header(pcm.byteLength), new Uint8Array(pcm.buffer)]);
}

/** A tooth of the comb: a struck bar's partials, the high ones sooner gone. */
function pluck(
  samples: Float64Array,
  [beat, beats, tone]: readonly [number, number, number],
  loudness: number,
): void {
  const frequency = 440 * 2 ** (tone / 12);
  const start = Math.round(beat * BEAT_SECONDS * SAMPLES_PER_SECOND);
  const length = (beats * BEAT_SECONDS + 1.2) * SAMPLES_PER_SECOND;
  const partials = [[1, 1, 2.6], [2, 0.35, 4], [3.01, 0.18, 7], [5.4, 0.1, 16]];
  for (let i = 0; i < length && start + i < samples.length; i++) {
    const seconds = i / SAMPLES_PER_SECOND;
    let sum = 0;
    for (const [multiple, weight, decay] of partials) {
      sum += weight! * Math.exp(-decay! * seconds) *
        Math.sin(2 * Math.PI * frequency * multiple! * seconds);
    }
    const attack = Math.min(1, seconds / 0.004);
    samples[start + i] = samples[start + i]! + sum * attack * loudness;
  }
}

/** The 44 bytes before the samples (RIFF WAVE, format 1: PCM). */
function header(dataBytes: number): Uint8Array {
  const bytes = new Uint8Array(44);
  const view = new DataView(bytes.buffer);
  bytes.set(utf8("RIFF"), 0);
  view.setUint32(4, 36 + dataBytes, true);
  bytes.set(utf8("WAVEfmt "), 8);
  view.setUint32(16, 16, true);
  view.setUint16(20, 1, true);
  view.setUint16(22, 1, true);
  view.setUint32(24, SAMPLES_PER_SECOND, true);
  view.setUint32(28, 2 * SAMPLES_PER_SECOND, true);
  view.setUint16(32, 2, true);
  view.setUint16(34, 16, true);
  bytes.set(utf8("data"), 36);
  view.setUint32(40, dataBytes, true);
  return bytes;
}
