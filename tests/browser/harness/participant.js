// One person in a call: a page in a real browser, and what we can do and see there.
import assert from 'node:assert/strict';
import { createWriteStream } from 'node:fs';
import { bounded, poll } from './wait.js';

/** How long things in a call may take before a story calls them broken, milliseconds. */
const PATIENCE_MS = 15_000;
/** A click waits for the page to draw, which a busy machine may put off for long. */
const CLICK_MS = 30_000;
/** Decoded frames and heard samples that make a moving picture and a sound, not a first sign of it. */
const FRAMES = 10;
/** Far above rounding, far below the beeps and tones of the fake microphones (about 1e-3 in a second). */
const ENERGY = 1e-5;
/** How far a painted colour may come out off by encoding and conversion, per channel. */
const COLOUR_TOLERANCE = 40;

export class Participant {
  /** Its identity in the room, known once joined. */
  identity = '';

  /**
   * @param {string} name
   * @param {import('puppeteer-core').Page} page
   * @param {import('./browsers.js').Running} running
   * @param {{ origin: string, room: string, camera: import('./in-page.js').Camera, evidence: string }} call
   */
  constructor(name, page, running, call) {
    this.name = name;
    this.page = page;
    this.running = running;
    this.call = call;
    const log = createWriteStream(`${call.evidence}.console.log`, { flags: 'a' });
    page.on('console', (message) => log.write(`${new Date().toISOString()} ${message.type()} ${message.text()}\n`));
    page.on('pageerror', (error) => log.write(`uncaught: ${error instanceof Error ? error.stack : String(error)}\n`));
  }

  /** Opens the room's link with switches in it. @param {string} path  @param {Record<string, string>} [switches] */
  async open(path, switches = {}) {
    const query = new URLSearchParams(switches).toString();
    await this.page.goto(`${this.call.origin}${path}${query && `?${query}`}`, { waitUntil: 'domcontentloaded', timeout: PATIENCE_MS });
  }

  /** Waits until the page is in the call. */
  async joined(within = PATIENCE_MS) {
    this.identity = await this.until(`${this.name} is in the call`, within, () => {
      const room = window.__ramai?.room;
      if (document.querySelector('[data-testid=call]') && room?.state === 'connected') return String(room.localParticipant.identity);
      throw new Error(`room ${room?.state}, notices ${JSON.stringify(window.__story.notices())}`);
    });
    return this;
  }

  // What they do.

  /** @param {string} testId */
  async click(testId) {
    await this.until(`${this.name} has ${testId}`, PATIENCE_MS, (id) => Boolean(document.querySelector(`[data-testid="${id}"]`)), testId);
    await bounded(this.page.click(`[data-testid="${testId}"]`), CLICK_MS, `${this.name} could not click ${testId}`);
  }

  /** Replaces what a field holds. @param {string} testId  @param {string} text */
  async type(testId, text) {
    const field = `[data-testid="${testId}"]`;
    await this.until(`${this.name} has ${testId}`, PATIENCE_MS, (selector) => Boolean(document.querySelector(selector)), field);
    await this.page.$eval(field, (input) => /** @type {HTMLInputElement} */ (input).select());
    await this.page.type(field, text);
  }

  /** @param {string} text */
  async say(text) {
    if (!(await this.page.$('[data-testid=chat-panel]'))) await this.click('chat-button');
    await this.type('chat-input', text);
    await this.click('chat-send');
  }

  async leave() {
    await this.click('leave-button');
    await this.until(`${this.name} has left`, PATIENCE_MS, () => !document.querySelector('[data-testid=call]'));
    this.identity = '';
  }

  /** Leaves, and closes the page. */
  async goHome() {
    await this.leave();
    await this.close();
  }

  async close() {
    await bounded(this.page.close(), PATIENCE_MS, `${this.name}'s page did not close`).catch(() => undefined);
  }

  /** Sends bytes to the room. @param {number} bytes  @param {{ reliable: boolean, topic: string }} options */
  async sendData(bytes, options) {
    await this.evaluate(
      async (size, how) => {
        const data = Uint8Array.from({ length: size }, (_, i) => (i * 7 + size) % 256);
        await window.__ramai?.room.localParticipant.publishData(data, how);
      },
      bytes,
      options,
    );
  }

  // What they see and hear.

  /**
   * Someone's moving picture: the decoder makes frames, and the pixels on the page change.
   * @param {Participant} of
   * @param {{ source?: string, within?: number }} [options]
   * @returns {Promise<{ codec: string | undefined, width: number, height: number, corner: number[] }>}
   */
  async expectPicture(of, { source = 'camera', within = PATIENCE_MS } = {}) {
    const end = performance.now() + within;
    const left = () => Math.max(1, end - performance.now());
    const words = `${this.name} sees ${of.name}'s ${source}`;
    const look = async (/** @type {string} */ identity, /** @type {string} */ from) => {
      const pixels = window.__story.pixels(identity, from);
      const inbound = await window.__story.inbound(identity, from);
      const shown = window.__story.tileOf(identity, from)?.getAttribute('data-video') === 'true';
      return { shown, pixels, inbound };
    };
    const first = await poll(words, left(), async () => {
      const seen = await this.evaluate(look, of.identity, source);
      if (seen.shown && seen.pixels && seen.inbound?.framesDecoded) return seen;
      throw new Error(JSON.stringify(seen));
    });
    return poll(`${words} moving`, left(), async () => {
      const { pixels, inbound, shown } = await this.evaluate(look, of.identity, source);
      const moved = pixels && pixels.fingerprint !== first.pixels?.fingerprint;
      const decoded = (inbound?.framesDecoded ?? 0) - (first.inbound?.framesDecoded ?? 0);
      if (shown && pixels && moved && decoded >= FRAMES && looksLike(of, source, pixels.corner)) {
        return { codec: inbound?.codec, width: pixels.width, height: pixels.height, corner: pixels.corner };
      }
      throw new Error(JSON.stringify({ shown, moved, decoded, pixels, inbound }));
    });
  }

  /** Someone's tone: the sound that arrives has energy in it. @param {Participant} of */
  async expectSound(of, within = PATIENCE_MS) {
    const words = `${this.name} hears ${of.name}`;
    const listen = () => this.evaluate((identity) => window.__story.inbound(identity, 'microphone'), of.identity);
    const end = performance.now() + within;
    const first = await poll(words, within, listen);
    await poll(words, Math.max(1, end - performance.now()), async () => {
      const now = await listen();
      const more = (now?.totalAudioEnergy ?? 0) - (first?.totalAudioEnergy ?? 0);
      if (more > ENERGY && (now?.packetsReceived ?? 0) > (first?.packetsReceived ?? 0)) return true;
      throw new Error(JSON.stringify({ first, now }));
    });
  }

  /** Both, of everyone given. @param {Participant[]} others */
  async expectToSeeAndHear(...others) {
    for (const other of others) {
      await this.expectPicture(other);
      await this.expectSound(other);
    }
  }

  /**
   * Waits for a tile to say something of someone, such as `muted: 'true'`.
   * @param {Participant} of
   * @param {Record<string, string>} state  of its `data-` attributes
   * @param {{ source?: string, within?: number }} [options]
   */
  async expectTile(of, state, { source = 'camera', within = PATIENCE_MS } = {}) {
    const words = `${this.name} sees ${of.name}'s tile say ${JSON.stringify(state)}`;
    await poll(words, within, async () => {
      const tiles = await this.evaluate(() => window.__story.tiles());
      const tile = tiles.find((t) => t.identity === of.identity && t.source === source);
      if (tile && Object.entries(state).every(([key, value]) => tile[key] === value)) return true;
      throw new Error(JSON.stringify(tile ?? tiles));
    });
  }

  /** Waits until there is no tile of someone. @param {string} identity */
  async expectGone(identity, { source = 'camera', within = PATIENCE_MS } = {}) {
    const gone = (/** @type {string} */ id, /** @type {string} */ from) => !window.__story.tileOf(id, from);
    await this.until(`${this.name} no longer sees ${source} of ${identity}`, within, gone, identity, source);
  }

  /** Waits until exactly these people, and oneself, are in the grid. @param {Participant[]} others */
  async expectInRoom(others, within = PATIENCE_MS) {
    const wanted = [this, ...others].map((p) => p.identity).sort().join();
    await poll(`${this.name} is in the room with ${others.map((o) => o.name).join(', ') || 'nobody'}`, within, async () => {
      const seen = await this.evaluate(() => ({
        tiles: window.__story.tiles().filter((tile) => tile.source === 'camera').map((tile) => tile.identity ?? ''),
        count: document.querySelector('[data-testid=participant-count]')?.textContent,
      }));
      if (seen.tiles.sort().join() === wanted && seen.count === String(others.length + 1)) return true;
      throw new Error(`${JSON.stringify(seen)} instead of ${wanted}`);
    });
  }

  /** Waits for a notice. @param {string} kind  @returns {Promise<string>} its words */
  async expectNotice(kind, within = PATIENCE_MS) {
    return poll(`${this.name} is told of ${kind}`, within, async () => {
      const notices = await this.evaluate(() => window.__story.notices());
      const found = notices.find((notice) => notice.kind === kind);
      if (!found) throw new Error(JSON.stringify(notices));
      assert.ok(found.words.trim().length > 20, `words for people, not ${JSON.stringify(found.words)}`);
      return found.words;
    });
  }

  /** Waits for a chat message. @param {Participant} from  @param {string} text */
  async expectMessage(from, text) {
    const there = (/** @type {string} */ identity, /** @type {string} */ wanted) =>
      Array.from(document.querySelectorAll(`[data-testid=chat-message][data-from="${CSS.escape(identity)}"]`)).some((m) =>
        m.textContent?.includes(wanted),
      );
    if (!(await this.page.$('[data-testid=chat-panel]'))) await this.click('chat-button');
    await this.until(`${this.name} reads ${from.name}'s "${text}"`, PATIENCE_MS, there, from.identity, text);
  }

  // The ground under it.

  /**
   * @template {any[]} A
   * @template R
   * @param {(...args: A) => R | Promise<R>} inPage
   * @param {A} args
   * @returns {Promise<R>}
   */
  async evaluate(inPage, ...args) {
    const answer = this.page.evaluate(/** @type {any} */ (inPage), ...args);
    return /** @type {any} */ (await bounded(answer, PATIENCE_MS, `${this.name}'s page did not answer`));
  }

  /**
   * Waits until something in the page is truthy, over reloads too.
   * @template {any[]} A
   * @template R
   * @param {string} what
   * @param {number} within
   * @param {(...args: A) => R | Promise<R>} inPage
   * @param {A} args
   * @returns {Promise<R>}
   */
  until(what, within, inPage, ...args) {
    return poll(what, within, () => this.evaluate(inPage, ...args));
  }
}

/** Whether it is the person's own picture and nobody else's, as far as a painted camera can tell. @param {Participant} of  @param {string} source  @param {number[]} corner */
function looksLike(of, source, corner) {
  const { camera } = of.call;
  if (source !== 'camera' || camera.kind !== 'painted' || camera.portrait) return true;
  return camera.colour.every((value, channel) => Math.abs(value - (corner[channel] ?? -255)) < COLOUR_TOLERANCE);
}
