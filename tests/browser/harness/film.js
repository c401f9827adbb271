// A film for a browser's camera that is as hard to encode as a person who moves before a bookshelf: the fake device's own picture is so
// plain that 720p of it takes 300 kbit/s, and then a narrow line is wide enough.
import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';

const WIDTH = 1280;
const HEIGHT = 720;
const FPS = 15;
const FRAMES = 45;
/** Side of the squares that change, in pixels. */
const GRAIN = 16;

/** Writes it (raw YUV4MPEG2, 62 MB), unless it is there. @param {string} path */
export function makeFilm(path) {
  if (existsSync(path)) return path;
  const draft = `${path}.draft`;
  const file = openSync(draft, 'w');
  writeSync(file, `YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FPS}:1 Ip A1:1 C420jpeg\n`);
  const luma = Buffer.alloc(WIDTH * HEIGHT);
  const chroma = Buffer.alloc((WIDTH * HEIGHT) / 2, 128);
  let dice = 1;
  const random = () => (dice = (Math.imul(dice, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
  const across = WIDTH / GRAIN;
  const shelf = Array.from({ length: across * (HEIGHT / GRAIN) }, () => 60 + Math.floor(130 * random()));
  for (let frame = 0; frame < FRAMES; frame += 1) {
    // Some of the squares change, and all drift.
    for (let n = 0; n < shelf.length / 12; n += 1) shelf[Math.floor(random() * shelf.length)] = 60 + Math.floor(130 * random());
    for (let y = 0; y < HEIGHT; y += 1) {
      for (let x = 0; x < WIDTH; x += 1) {
        const column = Math.floor(((x + 4 * frame) % WIDTH) / GRAIN);
        luma[y * WIDTH + x] = /** @type {number} */ (shelf[Math.floor(y / GRAIN) * across + column]) + ((x * 7 + y * 13) & 7);
      }
    }
    writeSync(file, 'FRAME\n');
    writeSync(file, luma);
    writeSync(file, chroma);
  }
  closeSync(file);
  renameSync(draft, path);
  return path;
}
