// A story is a test with a call in it: the server runs, people join as the story goes, and at the end all is
// cleaned up. When it fails, the server's log is printed, and pictures of all pages are kept in out/.
import { after, test } from 'node:test';
import { basename } from 'node:path';
import { Call, closeSharedBrowser } from './call.js';
import { noFirefox } from './network.js';

after(closeSharedBrowser);

const TIMEOUT_MS = 120_000;

/**
 * @param {string} title
 * @param {(call: Call, t: import('node:test').TestContext) => Promise<void>} tell
 * @param {{ firefox?: boolean, server?: string[], timeout?: number }} [needs]  `server`: flags for it
 */
export function story(title, tell, { firefox = false, server = [], timeout = TIMEOUT_MS } = {}) {
  const file = basename(process.argv[1] ?? 'story', '.test.js');
  const slug = `${file}-${title.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`.slice(0, 80);
  test(title, { timeout, skip: (firefox && noFirefox()) || false }, async (t) => {
    const call = await Call.open(slug, server);
    let told = false;
    t.after(async () => {
      if (!told) {
        await call.keepEvidence();
        console.error(`server's log of "${title}":\n${call.server.log()}`);
      }
      await call.close();
    });
    await tell(call, t);
    told = true;
  });
}
