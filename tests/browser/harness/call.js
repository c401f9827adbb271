// A call: a server, a room, and the people who join it.
import { mkdirSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from './browsers.js';
import { installProbe } from './in-page.js';
import { Participant } from './participant.js';
import { Server } from './server.js';
import { bounded } from './wait.js';

const OUT = resolve(dirname(fileURLToPath(import.meta.url)), '../out');
/** Encoded in software by every page of a machine with few cores: enough for two simulcast layers. */
const MODEST_CAMERA = /** @type {const} */ ({ kind: 'device', width: 480, height: 270, fps: 15 });

/**
 * @typedef {object} Joining
 * @property {import('./browsers.js').Kind} [browser]  Chromium unless told
 * @property {import('./in-page.js').Camera} [camera]
 * @property {boolean} [ownProcess]  not a page of the Chromium the others share: to be killed without them
 * @property {string} [film]  a file that the camera of a Chromium of their own shows
 * @property {boolean} [asksPermission]  the browser doesn't say yes to every question for a device
 * @property {{ width: number, height: number }} [viewport]
 * @property {Record<string, string>} [switches]  of the page's address
 */

/** The Chromium that people of all stories of one file share, each in a context of their own. @type {Promise<import('./browsers.js').Running> | undefined} */
let shared;

export async function closeSharedBrowser() {
  const running = await shared;
  shared = undefined;
  await running?.end();
}

export class Call {
  /** @type {Participant[]} */
  people = [];
  /** @type {import('./browsers.js').Running[]} */
  #browsers = [];
  /** @type {import('puppeteer-core').BrowserContext[]} */
  #contexts = [];
  #evidence;

  /** @param {Server} server  @param {string} slug */
  constructor(server, slug) {
    this.server = server;
    this.room = `story-${Math.random().toString(36).slice(2, 8)}`;
    this.#evidence = join(OUT, slug);
  }

  /** A folder for files that only stories need. */
  static get out() {
    mkdirSync(OUT, { recursive: true });
    return OUT;
  }

  /** @param {string} slug  names the files of evidence  @param {string[]} [flags]  of the server */
  static async open(slug, flags = []) {
    mkdirSync(OUT, { recursive: true });
    return new Call(await Server.start(join(OUT, `${slug}.log`), flags), slug);
  }

  /** Somebody joins, by the link, with camera and microphone, and is in the call when this resolves. @param {string} name  @param {Joining} [joining] */
  async join(name, joining = {}) {
    const person = await this.arrive(name, joining);
    await person.open(`/r/${this.room}`, { name, autojoin: '1', ...joining.switches });
    return person.joined();
  }

  /** Somebody opens a browser, and no page in it yet. @param {string} name  @param {Joining} [joining] */
  async arrive(name, joining = {}) {
    const { browser: kind = 'chromium', camera = MODEST_CAMERA, viewport = { width: 800, height: 600 } } = joining;
    const running = await this.#browserFor(kind, joining);
    // Firefox gets a process for each person: its pages share what is visible and what is throttled.
    const context = kind === 'chromium' ? await running.browser.createBrowserContext() : running.browser.defaultBrowserContext();
    if (kind === 'chromium') this.#contexts.push(context);
    const page = await context.newPage();
    await page.setViewport(viewport);
    await page.evaluateOnNewDocument(installProbe, camera);
    const evidence = `${this.#evidence}-${name}`;
    const person = new Participant(name, page, running, { origin: this.server.origin, room: this.room, camera, evidence });
    this.people.push(person);
    return person;
  }

  /** @param {import('./browsers.js').Kind} kind  @param {Joining} joining */
  async #browserFor(kind, { ownProcess, asksPermission, film }) {
    if (kind === 'chromium' && !ownProcess && !asksPermission && !film) {
      shared ??= launch('chromium');
      return shared;
    }
    const running = await launch(kind, { asksPermission, film });
    this.#browsers.push(running);
    return running;
  }

  /** Pictures of all pages that still are, for the one who looks into a failure. */
  async keepEvidence() {
    await Promise.all(
      this.people
        .filter(({ page }) => !page.isClosed())
        .map((person) =>
          bounded(person.page.screenshot({ path: `${this.#evidence}-${person.name}.png` }), 5_000, 'no picture').catch(() => undefined),
        ),
    );
  }

  async close() {
    await Promise.all([
      ...this.#contexts.map((context) => bounded(context.close(), 5_000, 'context stays').catch(() => undefined)),
      ...this.#browsers.map((running) => running.end()),
    ]);
    await this.server.end();
  }
}
