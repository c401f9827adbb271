// How a browser spaces the packets of its camera: the measurement behind the load generator's pacing.
//   npm run pacing -- [chromium|firefox] [vp8|vp9|av1|h264] [simulcast|single] [file]
// The camera is a noisy 720p picture at 30 frames a second, so that frames have many packets; `file` keeps the headers of all packets.
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Call, closeSharedBrowser } from './harness/call.js';
import { network } from './harness/network.js';

/** @typedef {{ at: number, ssrc: number, pt: number, marker: number, seq: number, ts: number, bytes: number, payload: number, extensions: Record<string, string> }} Packet */

const HERE = dirname(fileURLToPath(import.meta.url));
/** Until the bitrate has come up to what the encoder wants. */
const WARM_UP_MS = 15_000;
const SECONDS = 15;
/** Opus in the offers of both browsers; every other payload type is video or its retransmission. */
const AUDIO_BYTES = 300;

const [kind = 'chromium', codec = 'vp8', layers = 'simulcast', file = join(HERE, 'out', 'pacing.jsonl')] = process.argv.slice(2);
if (kind !== 'chromium' && kind !== 'firefox') throw new Error(`no such browser: ${kind}`);
if (network().holder === undefined) throw new Error('this needs network namespaces: see run.js');

/** A camera full of detail, and layers that are sent whether anybody looks or not. Runs inside the page. */
function noisyCamera() {
  const [width, height, fps] = [1280, 720, 30];
  navigator.mediaDevices.getUserMedia = async () => {
    const [board, grain] = [document.createElement('canvas'), document.createElement('canvas')];
    [board.width, board.height, grain.width, grain.height] = [width, height, width, height];
    const [pen, dust] = [board.getContext('2d'), grain.getContext('2d')];
    if (!pen || !dust) throw new Error('no canvas');
    const noise = dust.createImageData(width, height);
    for (let i = 0; i < noise.data.length; i += 4) {
      noise.data.fill(96 + Math.random() * 64, i, i + 3);
      noise.data[i + 3] = 255;
    }
    dust.putImageData(noise, 0, 0);
    let frame = 0;
    const draw = () => {
      frame += 1;
      pen.drawImage(grain, 0, 0);
      // Somebody who moves before a wall that stands still.
      pen.drawImage(grain, 0, 0, 480, 480, 400 + 60 * Math.sin(frame / 9), 160 + 30 * Math.cos(frame / 5), 480, 480);
    };
    draw();
    setInterval(draw, 1_000 / fps);
    return board.captureStream(fps);
  };
  const timer = setInterval(() => {
    const options = /** @type {any} */ (window).__ramai?.room?.options;
    if (options) {
      options.dynacast = false;
      clearInterval(timer);
    }
  }, 1);
}

/** @param {number[]} values  @param {number} share */
function rank(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? NaN;
}

/** @param {number[]} values */
const spread = (values) =>
  `n ${values.length} p50 ${rank(values, 0.5).toFixed(2)} p90 ${rank(values, 0.9).toFixed(2)} p99 ${rank(values, 0.99).toFixed(2)} max ${rank(values, 1).toFixed(2)}`;

/** @param {Packet[]} packets  @param {(packet: Packet) => number} key */
function groupBy(packets, key) {
  /** @type {Map<number, Packet[]>} */
  const groups = new Map();
  for (const packet of packets) {
    const group = groups.get(key(packet));
    if (group) group.push(packet);
    else groups.set(key(packet), [packet]);
  }
  return groups;
}

/** @param {Packet[]} packets */
function tell(packets) {
  const seconds = (Math.max(...packets.map((p) => p.at)) - Math.min(...packets.map((p) => p.at))) / 1e6;
  const streams = groupBy(packets, (packet) => packet.ssrc);
  for (const [ssrc, of] of [...streams].sort(([, a], [, b]) => a.length - b.length)) {
    const mbps = (of.reduce((sum, p) => sum + p.bytes, 0) * 8) / 1e6 / seconds;
    console.log(`\nSSRC ${ssrc}, payload type ${of[0]?.pt}, ${mbps.toFixed(2)} Mbit/s, extensions ${Object.keys(of[of.length >> 1]?.extensions ?? {})}`);
    const frames = [...groupBy(of, (packet) => packet.ts).values()];
    const lengths = frames.map((frame) => frame.length);
    console.log(`  frames/s ${(frames.length / seconds).toFixed(1)}; packets in a frame: ${spread(lengths)}`);
    const several = frames.filter((frame) => frame.length > 1);
    const gaps = several.flatMap((frame) => frame.slice(1).map((packet, n) => (packet.at - (frame[n]?.at ?? 0)) / 1e3));
    if (gaps.length) console.log(`  ms between packets within a frame: ${spread(gaps)}`);
    console.log(`  ... share below 0.3 ms: ${((100 * gaps.filter((gap) => gap < 0.3).length) / Math.max(1, gaps.length)).toFixed(1)}%`);
    const whole = several.map((frame) => ((frame.at(-1)?.at ?? 0) - (frame[0]?.at ?? 0)) / 1e3);
    if (whole.length) console.log(`  ms from first to last packet of a frame: ${spread(whole)}`);
    const between = frames.slice(1).map((frame, n) => ((frame[0]?.at ?? 0) - (frames[n]?.at(-1)?.at ?? 0)) / 1e3);
    if (between.length) console.log(`  ms from the last packet of a frame to the first of the next: ${spread(between)}`);
  }
  const video = packets.filter((packet) => packet.bytes > AUDIO_BYTES);
  /** @type {number[]} */
  const trains = [];
  let [before, train] = [-Infinity, 0];
  for (const { at } of video) {
    if (at - before > 1_000 && train) trains.push(train), (train = 0);
    [before, train] = [at, train + 1];
  }
  console.log(`\nall video: packets that leave within 1 ms of one another: ${spread(trains)}`);
}

const call = await Call.open('pacing');
try {
  const person = await call.arrive('ana', { browser: kind });
  await person.page.evaluateOnNewDocument(noisyCamera);
  await person.open(`/r/${call.room}`, { name: 'ana', autojoin: '1', audio: '0', codec, simulcast: layers === 'single' ? '0' : '1' });
  await person.joined();
  await call.join('ben', { switches: { video: '0', audio: '0' } });
  await new Promise((done) => setTimeout(done, WARM_UP_MS));
  await promisify(execFile)('python3', [join(HERE, 'harness/sniff.py'), 'browsers', String(SECONDS), resolve(file)]);
  const sdp = await person.evaluate(() =>
    window.__story.connections.map((connection) => connection.remoteDescription?.sdp.split('\r\n').filter((line) => line.startsWith('a=extmap')) ?? []),
  );
  console.log([...new Set(sdp.flat())].join('\n'));
  tell(readFileSync(file, 'utf8').trim().split('\n').map((line) => JSON.parse(line)));
} catch (error) {
  console.error(call.server.log());
  throw error;
} finally {
  await call.close();
  await closeSharedBrowser();
}
