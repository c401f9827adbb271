// The real server, started, killed and started again.
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createWriteStream, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Forwarder } from './forwarder.js';
import { network } from './network.js';
import { poll } from './wait.js';

const ROOT = resolve(dirname(fileURLToPath(import.meta.url)), '../../..');
/** More than the server has media workers, on any machine we know. */
const UDP_PORTS = 64;
const READY_MS = 15_000;

/**
 * A program of this project: the one that the environment names, or the newest of the release and the development build.
 * @param {string} name
 * @param {string} variable
 * @returns {string}
 */
export function findProgram(name, variable) {
  const named = process.env[variable];
  if (named) return resolve(named);
  const target = process.env.CARGO_TARGET_DIR ?? resolve(ROOT, 'target');
  const built = ['release', 'debug']
    .map((profile) => resolve(target, profile, name))
    .map((path) => ({ path, at: statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .filter(({ at }) => at > 0)
    .sort((a, b) => b.at - a.at);
  if (!built[0]) throw new Error(`no ${name} to run: build it (cargo build -p ${name}), or name it in ${variable}`);
  return built[0].path;
}

/** @returns {string} the server to test */
export function findServer() {
  return findProgram('ramai', 'RAMAI_BIN');
}

export class Server {
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process;

  /**
   * @param {number} port
   * @param {number} udpBasePort
   * @param {string} log
   */
  constructor(port, udpBasePort, log) {
    this.port = port;
    this.udpBasePort = udpBasePort;
    this.logFile = log;
    this.forwarder = network().holder === undefined ? undefined : new Forwarder(network().serverAddress, port);
    /** The origin of the page. Browsers give camera and microphone only to secure pages, and localhost counts as one. */
    this.origin = `http://localhost:${port}`;
  }

  /**
   * @param {string} log  file that gets what the server writes
   * @param {string[]} [flags]  besides those every story needs
   */
  static async start(log, flags = []) {
    // In a namespace of its own every port is free.
    const alone = network().holder !== undefined;
    const server = new Server(alone ? 7880 : await freePort(), alone ? 50_000 : await freeUdpPorts(), log);
    await server.forwarder?.listen();
    try {
      await server.start(flags);
    } catch (error) {
      await server.end();
      throw error;
    }
    return server;
  }

  /** Starts it, or starts it again on the same ports. @param {string[]} [flags] */
  async start(flags = this.flags ?? []) {
    this.flags = flags;
    const { serverAddress, holder } = network();
    const args = [
      ...['--dev', '--port', String(this.port), '--udp-base-port', String(this.udpBasePort)],
      ...['--bind', serverAddress, '--udp-bind', serverAddress, '--node-ip', serverAddress],
      ...flags,
    ];
    const command = holder === undefined ? [] : ['nsenter', '-t', String(holder), '-n'];
    const [program = '', ...rest] = [...command, findServer(), ...args];
    const log = createWriteStream(this.logFile, { flags: 'a' });
    const child = spawn(program, rest, { stdio: ['ignore', 'pipe', 'pipe'], env: environment() });
    this.#process = child;
    child.stdout?.pipe(log, { end: false });
    child.stderr?.pipe(log, { end: false });
    process.on('exit', () => child.kill('SIGKILL'));
    const failed = new Promise((_, fail) => {
      child.once('error', fail);
      child.once('exit', (code, signal) => fail(new Error(`the server ended with ${signal ?? code}\n${this.log()}`)));
    });
    const ready = poll('GET /health answers 200', READY_MS, async () => {
      const answer = await fetch(`http://${serverAddress}:${this.port}/health`, { signal: AbortSignal.timeout(2000) });
      return answer.ok;
    });
    // Later exits are the story's own doing.
    failed.catch(() => undefined);
    await Promise.race([ready, failed]);
  }

  /** @param {NodeJS.Signals} signal  @returns {Promise<number | null>} its exit code */
  async stop(signal) {
    const child = this.#process;
    this.#process = undefined;
    if (!child || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const gone = once(child, 'exit');
    child.kill(signal);
    const hard = setTimeout(() => child.kill('SIGKILL'), 10_000);
    const [code] = await gone;
    clearTimeout(hard);
    return code;
  }

  async end() {
    await this.stop('SIGKILL');
    await this.forwarder?.end();
  }

  /** The end of what it wrote. */
  log() {
    try {
      return readFileSync(this.logFile, 'utf8').split('\n').slice(-60).join('\n');
    } catch {
      return '';
    }
  }
}

/** The story's flags alone configure the server, not the surroundings. */
function environment() {
  const kept = Object.entries(process.env).filter(([key]) => !key.startsWith('RAMAI_') || key === 'RAMAI_LOG');
  return Object.fromEntries(kept);
}

/** @returns {Promise<number>} */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (!address || typeof address === 'string') throw new Error('no free TCP port');
  return address.port;
}

/** @returns {Promise<number>} the first of a run of UDP ports of which the first and the last are free now */
async function freeUdpPorts() {
  for (let attempt = 0; attempt < 20; attempt += 1) {
    const base = 20_000 + Math.floor(Math.random() * 10_000);
    if ((await isFree(base)) && (await isFree(base + UDP_PORTS - 1))) return base;
  }
  throw new Error('no free UDP ports');
}

/** @param {number} port  @returns {Promise<boolean>} */
async function isFree(port) {
  const socket = createSocket('udp4');
  try {
    socket.bind(port, '127.0.0.1');
    await once(socket, 'listening');
    return true;
  } catch {
    return false;
  } finally {
    socket.close();
  }
}
