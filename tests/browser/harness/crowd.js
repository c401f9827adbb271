// A crowd: many light participants of the load generator's making in a call, who publish and look at nobody, until it is sent home.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { network } from './network.js';
import { findProgram } from './server.js';

export class Crowd {
  #child;
  #complaints = '';
  /** @type {Promise<unknown>} */
  #gone;

  /**
   * @param {import('./call.js').Call} call
   * @param {number} count
   * @param {string[]} [flags]  of the load generator
   */
  constructor(call, count, flags = []) {
    const url = `http://${network().serverAddress}:${call.server.port}`;
    const people = ['--scenario', 'meeting', '--participants', String(count), '--visible', '0', '--audible', '0', '--join-rate', '40'];
    const args = ['--url', url, '--room', call.room, ...people, '--duration', '1h', '--json', '/dev/null', '--quiet', ...flags];
    this.count = count;
    this.#child = spawn(findProgram('ramai-load', 'RAMAI_LOAD_BIN'), args, { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#child.stderr.on('data', (chunk) => (this.#complaints += chunk));
    this.#gone = once(this.#child, 'exit');
    process.on('exit', this.#kill);
  }

  /** Waits until somebody's page counts all of them, and those who came by a browser. @param {import('./participant.js').Participant} viewer  @param {number} [others]  browsers besides the viewer's */
  async isIn(viewer, others = 0) {
    const ended = this.#gone.then(() => Promise.reject(new Error(`the crowd went away: ${this.#complaints}`)));
    const counted = viewer.until(
      `${viewer.name} counts a crowd of ${this.count}`,
      60_000,
      (wanted) => {
        const count = document.querySelector('[data-testid=participant-count]')?.textContent;
        if (count === String(wanted)) return true;
        throw new Error(`${count} instead of ${wanted}`);
      },
      this.count + others + 1,
    );
    await Promise.race([counted, ended]);
    ended.catch(() => undefined);
    return this;
  }

  #kill = () => this.#child.kill('SIGKILL');

  /** They vanish without a goodbye. */
  async end() {
    process.off('exit', this.#kill);
    this.#kill();
    await this.#gone;
  }
}

/**
 * Whose cameras are on screen, asked of the server, and coming in, by identity. Runs for a second.
 * @param {import('./participant.js').Participant} viewer
 * @returns {Promise<{ shown: string[], asked: string[], coming: string[] }>}
 */
export function looks(viewer) {
  return viewer.evaluate(async () => {
    const others = [...window.__ramai?.room.remoteParticipants.values()];
    const camera = (/** @type {any} */ who) => who.getTrackPublication('camera');
    const received = async () => {
      const counts = others.map(async (who) => (await window.__story.inbound(who.identity, 'camera'))?.packetsReceived ?? 0);
      return Promise.all(counts);
    };
    const before = await received();
    await new Promise((done) => setTimeout(done, 1_000));
    const after = await received();
    const tiles = window.__story.tiles().filter(({ local, source }) => local === 'false' && source === 'camera');
    return {
      shown: tiles.map(({ identity }) => identity ?? '').sort(),
      asked: others.filter((who) => camera(who)?.isDesired).map(({ identity }) => identity).sort(),
      coming: others.filter((_, n) => (after[n] ?? 0) > (before[n] ?? 0)).map(({ identity }) => identity).sort(),
    };
  });
}
