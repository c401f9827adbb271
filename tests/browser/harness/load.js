// The load generator beside the browsers: its light participants join the same call, and its own account of it comes back.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { network } from './network.js';
import { findProgram } from './server.js';

/**
 * What the stories read of its document.
 * @typedef {{ expected: number, received: number, lost: number, duplicates: number, reordered: number, recovered: number }} Counts
 * @typedef {object} Account
 * @property {number} seconds  the measured time
 * @property {{ all: Counts, audio: Counts, video: Counts, per_second: number, audio_per_second: number, video_per_second: number }} packets  the counts are of the whole run
 * @property {{ frames: number, freezes: number, per_second: number }} pictures
 */

/**
 * Puts participants of its making into a call, until they leave by themselves.
 * @param {import('./call.js').Call} call
 * @param {string[]} flags
 * @returns {Promise<Account>}
 */
export async function load(call, flags) {
  const url = `http://${network().serverAddress}:${call.server.port}`;
  const child = spawn(findProgram('ramai-load', 'RAMAI_LOAD_BIN'), ['--url', url, '--room', call.room, '--quiet', ...flags], { stdio: ['ignore', 'pipe', 'pipe'] });
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
