// Starts real browsers with fake cameras and microphones. One driver for both: Chromium over the DevTools protocol,
// Firefox over WebDriver BiDi.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import puppeteer from 'puppeteer-core';

/** @typedef {'chromium' | 'firefox'} Kind */
/** @typedef {{ browser: import('puppeteer-core').Browser, kind: Kind, kill: () => void, freeze: () => void, end: () => Promise<void> }} Running */

const START_MS = 45_000;

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--use-fake-device-for-media-stream',
  '--autoplay-policy=no-user-gesture-required',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
];

const FIREFOX_PREFS = {
  'media.navigator.streams.fake': true,
  'media.navigator.permission.disabled': true,
  'media.autoplay.default': 0,
  // No word to anyone but the server under test.
  'app.update.enabled': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
};

/**
 * @param {Kind} kind
 * @param {{ asksPermission?: boolean, film?: string }} [options]  `asksPermission`: don't say yes to every question for a device; `film`: what the
 *   camera of a Chromium shows
 * @returns {Promise<Running>}
 */
export async function launch(kind, { asksPermission = false, film } = {}) {
  const home = mkdtempSync(join(tmpdir(), 'ramai-story-'));
  const common = { headless: true, timeout: START_MS, protocolTimeout: 60_000, env: { ...process.env, HOME: home } };
  const browser = await (kind === 'chromium'
    ? puppeteer.launch({
        ...common,
        executablePath: process.env.CHROMIUM_BIN ?? '/usr/bin/chromium',
        userDataDir: join(home, 'profile'),
        args: [
          ...CHROMIUM_FLAGS,
          ...(asksPermission ? [] : ['--use-fake-ui-for-media-stream']),
          ...(film ? [`--use-file-for-fake-video-capture=${film}`] : []),
        ],
      })
    : puppeteer.launch({
        ...common,
        browser: 'firefox',
        executablePath: process.env.FIREFOX_BIN ?? '/usr/bin/firefox-esr',
        extraPrefsFirefox: FIREFOX_PREFS,
      }));
  // The browser leads a process group of its own: all of it ends, or falls silent, without a goodbye.
  const signal = (/** @type {NodeJS.Signals} */ name) => {
    const pid = browser.process()?.pid;
    try {
      if (pid !== undefined) process.kill(-pid, name);
    } catch {
      // It is gone already.
    }
  };
  const kill = () => signal('SIGKILL');
  process.on('exit', kill);
  let ended = false;
  return {
    browser,
    kind,
    kill,
    freeze: () => signal('SIGSTOP'),
    async end() {
      if (ended) return;
      ended = true;
      process.off('exit', kill);
      const gone = browser.close().catch(kill);
      const timer = setTimeout(kill, 5_000);
      await gone;
      clearTimeout(timer);
      rmSync(home, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
    },
  };
}
