// The load generator beside the browsers: its light participants join the same call, and its own account of it comes back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { network } from './network.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');

/**
 * What the stories read of its document.
 * @typedef {{ expected: number, received: number, lost: number, duplicates: number, reordered: number, recovered: number }} Counts
 * @typedef {object} Account
 * @property {number} seconds  the measured time
 * @property {{ all: Counts, audio: Counts, video: Counts, per_second: number }} packets  the counts are of the whole run
 * @property {{ frames: number, freezes: number }} pictures
 */

/** @returns {string} `RAMAI_LOAD_BIN`, or the newest of the release and the development build */
function findLoad() {
  if (process.env.RAMAI_LOAD_BIN) return resolve(process.env.RAMAI_LOAD_BIN);
  const target = process.env.CARGO_TARGET_DIR ?? resolve(ROOT, 'target');
  const built = ['release', 'debug']
    .map((profile) => resolve(target, profile, 'ramai-load'))
    .map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .filter(({ at }) => at > 0)
    .sort((a, b) => b.at - a.at);
  if (!built[0]) throw new Error('no load generator: build it (cargo build -p ramai-load), or name it in RAMAI_LOAD_BIN');
  return built[0].path;
}

/**
 * Puts participants of its making into a call, until they leave by themselves.
 * @param {import('./call.js').Call} call
 * @param {string[]} flags
 * @returns {Promise<Account>}
 */
export async function load(call, flags) {
  const url = `http://${network().serverAddress}:${call.server.port}`;
  const child = spawn(findLoad(), ['--url', url, '--room', call.room, '--quiet', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = () => child.kill('SIGKILL');
  process.on('exit', kill);
  try {
    const [document, complaints, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'exit')]);
    if (code !== 0) throw new Error(`the load generator ended with ${code}: ${complaints}\n${document}`);
    return JSON.parse(document);
  } finally {
    process.off('exit', kill);
  }
}
