// Every video codec we forward gives a picture.
import assert from 'node:assert/strict';
import { story } from '../harness/story.js';

for (const codec of ['vp8', 'vp9', 'av1', 'h264']) {
  story(`picture in ${codec}`, async (call, t) => {
    const ana = await call.arrive('ana');
    await ana.open('/');
    const has = await ana.evaluate(
      (wanted) => RTCRtpSender.getCapabilities('video')?.codecs.some((c) => c.mimeType.toLowerCase() === `video/${wanted}`),
      codec,
    );
    if (!has) return t.skip(`this browser does not encode ${codec}`);
    await ana.open(`/r/${call.room}`, { name: 'ana', autojoin: '1', codec });
    await ana.joined();
    const ben = await call.join('ben', { switches: { video: '0' } });
    const seen = await ben.expectPicture(ana);
    assert.equal(seen.codec?.toLowerCase(), `video/${codec}`);
  });
}
