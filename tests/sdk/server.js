// A real server on ports that the system chooses, with its log, and orders to it that no SDK has a call for.
import { spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createInterface } from 'node:readline';

const ROOT = resolve(import.meta.dirname, '../..');
export const KEY = 'devkey';
export const SECRET = 'secret';

/** Without the tests' own variables: the server takes what begins with `RAMAI_` for its configuration. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('RAMAI_')));

/** The program that `RAMAI_BIN` names, or the newest build. */
function program() {
  if (process.env.RAMAI_BIN) return resolve(process.env.RAMAI_BIN);
  const target = process.env.CARGO_TARGET_DIR ?? resolve(ROOT, 'target');
  const age = (path) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const built = ['release', 'debug'].map((profile) => resolve(target, profile, 'ramai'));
  return built.sort((a, b) => age(b) - age(a))[0];
}

export class Server {
  /** All that it logged. */
  log = [];
  #process;

  static async start() {
    const server = new Server();
    const flags = ['--dev', '--port', '0', '--udp-base-port', '0', '--workers', '1'];
    server.#process = spawn(program(), flags, { stdio: ['ignore', 'ignore', 'pipe'], env: ENVIRONMENT });
    const lines = createInterface({ input: server.#process.stderr });
    server.origin = await new Promise((done, failed) => {
      server.#process.once('error', failed);
      lines.once('close', () => failed(new Error(`the server ended:\n${server.log.join('\n')}`)));
      lines.on('line', (line) => {
        server.log.push(line);
        const ready = /ready: (http:\S+)/.exec(line);
        if (ready) done(ready[1].replace('localhost', '127.0.0.1'));
      });
    });
    return server;
  }

  stop() {
    this.#process.kill();
  }

  /** An order of `ramai.Moderation`; its answer. */
  async moderate(method, token, order) {
    const answer = await fetch(`${this.origin}/twirp/ramai.Moderation/${method}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify(order),
    });
    const content = await answer.json();
    if (!answer.ok) throw Object.assign(new Error(content.msg), { status: answer.status, code: content.code });
    return content;
  }
}
