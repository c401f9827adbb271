// `npm test`: runs the stories inside a network of their own and cleans up after them, whatever happens.
//
//   npm test                     all stories
//   npm test -- 01 simulcast     those whose file name contains one of the words
//   npm run screenshot -- x.png  a picture of a real call instead (x-phone.png beside it)
//   npm run screenshot -- hundreds [folder]  pictures of rooms of 5 to 300 (see hundreds.js)
//   npm run responsive -- 300    whether the page stays responsive in a room of so many (see responsive.js)
//   npm run pacing -- firefox    how a browser spaces its packets instead (see pacing.js)
//
// Firefox never sends media to loopback, so the server gets a network namespace of its own at one end of a veth
// pair, and the browsers sit at the other. All namespaces are anonymous and, where the system allows, the stories
// also run in a process namespace: everything ends with the process started here. Without the right to make
// namespaces (root, or unprivileged user namespaces) the stories run over loopback and those with Firefox are skipped.
import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNetwork, LOOPBACK } from './harness/network.js';
import { findServer } from './harness/server.js';

const HERE = dirname(fileURLToPath(import.meta.url));
const PROBE = 'ip link set lo up && ip link add ramai-probe type veth peer name ramai-probe2';
const PROCESSES = ['--pid', '--mount-proc', '--fork', '--kill-child=SIGKILL'];
const USER = ['--user', '--map-root-user'];
/** Best first. */
const ISOLATIONS = [
  ['--net', ...PROCESSES],
  ['--net'],
  [...USER, '--net', ...PROCESSES],
  [...USER, '--net'],
];

/** @returns {{ flags: string[] } | { refused: string }} */
function isolation() {
  if (process.env.RAMAI_STORIES_NETWORK === 'loopback') return { refused: 'RAMAI_STORIES_NETWORK=loopback' };
  let refused = 'no unshare here';
  for (const flags of ISOLATIONS) {
    const probe = spawnSync('unshare', [...flags, 'sh', '-c', PROBE], { encoding: 'utf8', timeout: 10_000 });
    if (probe.status === 0) return { flags };
    refused = probe.stderr?.trim().split('\n').at(-1) || probe.error?.message || refused;
  }
  return { refused };
}

/**
 * Runs a command to its end, passing on our own end to it.
 * @param {string} command
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} env
 * @returns {Promise<number>}
 */
function run(command, args, env) {
  const child = spawn(command, args, { stdio: 'inherit', cwd: HERE, env: { ...process.env, ...env } });
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.on(signal, () => child.kill(signal === 'SIGINT' ? 'SIGTERM' : signal));
  }
  return new Promise((done, fail) => {
    child.once('error', fail);
    child.once('exit', (code) => done(code ?? 1));
  });
}

/** @param {string[]} words */
function stories(words) {
  return readdirSync(join(HERE, 'stories'))
    .filter((file) => file.endsWith('.test.js') && (!words.length || words.some((word) => file.includes(word))))
    .sort()
    .map((file) => join('stories', file));
}

/** @param {string[]} args */
async function inside(args) {
  const refused = process.env.RAMAI_STORIES_REFUSED !== undefined;
  const { network, end } = refused ? { network: LOOPBACK, end: () => undefined } : await buildNetwork();
  process.env.RAMAI_STORIES_LINK = JSON.stringify(network);
  try {
    return await tell(args);
  } finally {
    end();
  }
}

/** @param {string[]} args */
async function tell(args) {
  if (args[0] === '--screenshot' && args[1] === 'hundreds') return run(process.execPath, ['hundreds.js', ...args.slice(2)], {});
  if (args[0] === '--responsive') return run(process.execPath, ['responsive.js', ...args.slice(1)], {});
  if (args[0] === '--screenshot') return run(process.execPath, ['screenshot.js', ...args.slice(1)], {});
  if (args[0] === '--pacing') return run(process.execPath, ['pacing.js', ...args.slice(1)], {});
  const files = stories(args);
  if (!files.length) throw new Error(`no story's file name contains ${args.join(' or ')}`);
  rmSync(join(HERE, 'out'), { recursive: true, force: true });
  mkdirSync(join(HERE, 'out'), { recursive: true });
  // One story at a time: browsers encode in software, and the stories measure time.
  const flags = ['--test', '--test-concurrency=1', '--test-reporter=spec', '--test-timeout=180000'];
  return run(process.execPath, [...flags, ...files], {});
}

const args = process.argv.slice(2);
if (process.env.RAMAI_STORIES_INSIDE) {
  process.exit(await inside(args));
} else {
  const server = findServer();
  console.log(`server: ${server}`);
  const found = isolation();
  const env = { RAMAI_BIN: server, RAMAI_STORIES_INSIDE: '1' };
  // Paths are the caller's.
  if (args[0] === '--screenshot') {
    const place = args[1] === 'hundreds' ? 2 : 1;
    args[place] = resolve(process.env.INIT_CWD ?? process.cwd(), args[place] ?? (place === 2 ? 'hundreds' : 'call.png'));
  }
  const self = join(HERE, basename(fileURLToPath(import.meta.url)));
  if ('flags' in found) {
    process.exitCode = await run('unshare', [...found.flags, process.execPath, self, ...args], env);
  } else {
    console.log(`no network namespaces (${found.refused}): over loopback, without Firefox`);
    process.exitCode = await run(process.execPath, [self, ...args], { ...env, RAMAI_STORIES_REFUSED: found.refused });
  }
}
