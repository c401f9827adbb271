// A film for a browser's camera that is as hard to encode as a person who moves before a bookshelf: the fake device's own picture is so
// plain that 720p of it takes 300 kbit/s, and then a narrow line is wide enough. It is played over and over, so it goes forth and back: a cut
// where its end meets its beginning would be a picture of 50 KB, and takes 500 kbit/s the better part of a second; no camera cuts. It has 30
// pictures a second, of 7 KB each, like the simulator's. With 15 of 14 KB one alone takes 500 kbit/s a quarter of a second, and of 15 runs one
// stood still for over half a second; the simulator's row `slow` is of those.
import { closeSync, existsSync, openSync, renameSync, writeSync } from 'node:fs';

const WIDTH = 1280;
const HEIGHT = 720;
const FPS = 30;
/** Forth, the last included; back are two less. */
const FRAMES = 45;
/** Side of the squares that change, in pixels. */
const GRAIN = 16;
/**
 * One in so many squares changes from frame to frame, and all move by so many pixels: Chromium's encoder needs all it may take for it. With more
 * of both (a twelfth and four pixels, 15 times a second) it made a picture of 120 KB now and then, in which nothing else can be seen.
 */
const CHANGE = 120;
const DRIFT = 1;

/** Writes it (raw YUV4MPEG2, 121 MB), unless it is there. @param {string} path */
export function makeFilm(path) {
  if (existsSync(path)) return path;
  const draft = `${path}.draft`;
  const file = openSync(draft, 'w');
  writeSync(file, `YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FPS}:1 Ip A1:1 C420jpeg\n`);
  const chroma = Buffer.alloc((WIDTH * HEIGHT) / 2, 128);
  let dice = 1;
  const random = () => (dice = (Math.imul(dice, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32;
  const across = WIDTH / GRAIN;
  const shelf = Array.from({ length: across * (HEIGHT / GRAIN) }, () => 60 + Math.floor(130 * random()));
  const forth = Array.from({ length: FRAMES }, (_, frame) => {
    const luma = Buffer.alloc(WIDTH * HEIGHT);
    // Some of the squares change, and all drift.
    for (let n = 0; n < shelf.length / CHANGE; n += 1) shelf[Math.floor(random() * shelf.length)] = 60 + Math.floor(130 * random());
    for (let y = 0; y < HEIGHT; y += 1) {
      for (let x = 0; x < WIDTH; x += 1) {
        const column = Math.floor(((x + DRIFT * frame) % WIDTH) / GRAIN);
        luma[y * WIDTH + x] = /** @type {number} */ (shelf[Math.floor(y / GRAIN) * across + column]) + ((x * 7 + y * 13) & 7);
      }
    }
    return luma;
  });
  for (const luma of [...forth, ...forth.slice(1, -1).reverse()]) {
    writeSync(file, 'FRAME\n');
    writeSync(file, luma);
    writeSync(file, chroma);
  }
  closeSync(file);
  renameSync(draft, path);
  return path;
}
