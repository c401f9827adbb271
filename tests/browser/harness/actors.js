// Films of people who aren't there: painted in a browser, encoded by it as VP8, and written as IVF files that the load generator's
// cameras show (`--film`), so that a room of hundreds has pictures to look at. Made once; the files stay in out/.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { paintActor } from './portrait.js';

const ACTORS = 24;
const FPS = 15;
/** A film is played over and over: it moves in whole periods. */
const FRAMES = 60;
/** Layers of a camera that the films have. */
const LAYERS = [
  { width: 320, height: 180, bitrate: 140_000 },
  { width: 640, height: 360, bitrate: 420_000 },
];

/**
 * Makes the films, unless they are there.
 * @param {import('puppeteer-core').Page} page  in a secure place: encoders are missing elsewhere
 * @param {string} folder
 */
export async function makeFilms(page, folder) {
  if (existsSync(folder)) return folder;
  const draft = `${folder}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { recursive: true });
  await page.evaluate(`window.__paintActor = ${paintActor}`);
  for (let actor = 0; actor < ACTORS; actor += 1) {
    for (const layer of LAYERS) {
      const frames = await page.evaluate(encodeActor, actor, layer, FPS, FRAMES);
      const name = `actor${String(actor).padStart(2, '0')}-${layer.height}.ivf`;
      writeFileSync(join(draft, name), ivf(layer, frames.map((frame) => Buffer.from(frame, 'base64'))));
    }
  }
  renameSync(draft, folder);
  return folder;
}

/**
 * Runs inside the page.
 * @param {number} actor
 * @param {{ width: number, height: number, bitrate: number }} layer
 * @param {number} fps
 * @param {number} count
 * @returns {Promise<string[]>} frames in base64, the first one a key frame
 */
async function encodeActor(actor, { width, height, bitrate }, fps, count) {
  const board = document.createElement('canvas');
  [board.width, board.height] = [width, height];
  const pen = board.getContext('2d');
  if (!pen) throw new Error('no canvas');
  /** @type {Uint8Array[]} */
  const frames = [];
  let failed = '';
  const encoder = new VideoEncoder({
    output: (chunk) => {
      const bytes = new Uint8Array(chunk.byteLength);
      chunk.copyTo(bytes);
      frames.push(bytes);
    },
    error: (error) => (failed = String(error)),
  });
  encoder.configure({ codec: 'vp8', width, height, bitrate, framerate: fps, latencyMode: 'quality' });
  for (let n = 0; n < count; n += 1) {
    /** @type {any} */ (window).__paintActor(pen, width, height, actor, n / count);
    const frame = new VideoFrame(board, { timestamp: (n * 1_000_000) / fps });
    encoder.encode(frame, { keyFrame: n === 0 });
    frame.close();
  }
  await encoder.flush();
  encoder.close();
  if (failed || frames.length !== count) throw new Error(`encoded ${frames.length} of ${count}: ${failed}`);
  return frames.map((bytes) => btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join('')));
}

/** An IVF file: a header, and size and time before each frame. @param {{ width: number, height: number }} layer  @param {Buffer[]} frames */
function ivf({ width, height }, frames) {
  const header = Buffer.alloc(32);
  header.write('DKIF', 0, 'latin1');
  header.writeUInt16LE(32, 6);
  header.write('VP80', 8, 'latin1');
  header.writeUInt16LE(width, 12);
  header.writeUInt16LE(height, 14);
  header.writeUInt32LE(FPS, 16);
  header.writeUInt32LE(1, 20);
  header.writeUInt32LE(frames.length, 24);
  const parts = frames.flatMap((frame, n) => {
    const before = Buffer.alloc(12);
    before.writeUInt32LE(frame.length, 0);
    before.writeUInt32LE(n, 4);
    return [before, frame];
  });
  return Buffer.concat([header, ...parts]);
}
