// Where the server and the browsers live: two network namespaces joined by a veth pair, or the plain loopback.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';

const exec = promisify(execFile);

/**
 * @typedef {object} Network
 * @property {string} serverAddress  the address the server binds and announces
 * @property {number | undefined} [holder]  the process whose network namespace the server runs in, if it has its own
 */

/** @type {Network} */
export const LOOPBACK = { serverAddress: '127.0.0.1' };

/**
 * Builds the server's namespace beside the one we are in (which has to be our own, too).
 * The namespace lives as long as its holder, and the holder as long as we keep its standard input open.
 * @returns {Promise<{ network: Network, end: () => void }>}
 */
export async function buildNetwork() {
  await ip('link', 'set', 'lo', 'up');
  const holder = spawn('unshare', ['--net', 'sh', '-c', 'echo ready; exec cat >/dev/null'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [first] = await Promise.race([once(holder.stdout, 'data'), once(holder, 'exit')]);
  if (!Buffer.isBuffer(first)) throw new Error('could not make a network namespace for the server');
  const there = String(holder.pid);
  await ip('link', 'add', 'browsers', 'type', 'veth', 'peer', 'name', 'server', 'netns', there);
  await ip('addr', 'add', '10.77.0.2/24', 'dev', 'browsers');
  await ip('link', 'set', 'browsers', 'up');
  // Browsers find out their own address by asking for the way to a public one. Nothing leads on from there.
  await ip('route', 'add', 'default', 'via', '10.77.0.1');
  const ipThere = (/** @type {string[]} */ ...args) => exec('nsenter', ['-t', there, '-n', 'ip', ...args]);
  await ipThere('addr', 'add', '10.77.0.1/24', 'dev', 'server');
  await ipThere('link', 'set', 'server', 'up');
  await ipThere('link', 'set', 'lo', 'up');
  return { network: { serverAddress: '10.77.0.1', holder: holder.pid }, end: () => holder.kill('SIGKILL') };
}

/** @returns {Network} the network `run.js` has built, or loopback for a story started without it */
export function network() {
  const link = process.env.RAMAI_STORIES_LINK;
  return link ? JSON.parse(link) : LOOPBACK;
}

/** @returns {string | undefined} why Firefox can't take part, if it can't */
export function noFirefox() {
  if (network().holder !== undefined) return undefined;
  const why = process.env.RAMAI_STORIES_REFUSED ?? 'started without run.js';
  return `Firefox sends no media to loopback and there are no network namespaces: ${why}`;
}

/** @param {string[]} args */
const ip = (...args) => exec('ip', args);
