// A large room hears through speaker slots: few tracks of the server's own, into which it puts whoever speaks. Here three
// people are many, and two slots serve them.
import assert from 'node:assert/strict';
import { poll } from '../harness/wait.js';
import { story } from '../harness/story.js';

const SLOTS = 'ramai.speakers';
const PATIENCE_MS = 20_000;

/**
 * What comes in of each slot, and who is in it as the server tells.
 * @param {import('../harness/participant.js').Participant} listener
 */
const ears = (listener) =>
  listener.evaluate(async (identity) => {
    const speakers = window.__story.participantOf(identity);
    if (!speakers) throw new Error('no slots');
    const slots = [];
    for (const publication of speakers.trackPublications.values()) {
      const report = await publication.track?.getRTCStatsReport?.();
      const stats = [...(report?.values() ?? [])].find((one) => one.type === 'inbound-rtp');
      const { packetsReceived = 0, packetsLost = 0, totalAudioEnergy = 0 } = stats ?? {};
      const who = speakers.attributes[`ramai.slot.${publication.trackName.split('-')[1]}`];
      slots.push({ who, packetsReceived, packetsLost, totalAudioEnergy });
    }
    const negotiations = window.__story.connections.map((pc) => pc.currentLocalDescription?.sdp.match(/^o=\S+ \S+ (\d+)/m)?.[1]);
    const audio = window.__story.connections.flatMap((pc) => pc.getTransceivers()).filter(
      (t) => t.receiver.track.kind === 'audio' && ['recvonly', 'sendrecv'].includes(t.currentDirection ?? ''),
    );
    return { slots, negotiations: negotiations.join(), audio: audio.length };
  }, SLOTS);

/** Waits until a listener hears someone, in whatever slot. @param {import('../harness/participant.js').Participant} listener  @param {import('../harness/participant.js').Participant} who */
async function expectToHear(listener, who) {
  const first = await poll(`${listener.name} is told that ${who.name} is in a slot`, PATIENCE_MS, async () => {
    const { slots } = await ears(listener);
    const slot = slots.findIndex((one) => one.who === who.identity);
    if (slot < 0) throw new Error(JSON.stringify(slots));
    return { slot, energy: slots[slot]?.totalAudioEnergy ?? 0 };
  });
  await poll(`${listener.name} hears ${who.name}`, PATIENCE_MS, async () => {
    const { slots } = await ears(listener);
    if ((slots[first.slot]?.totalAudioEnergy ?? 0) - first.energy > 1e-4) return true;
    throw new Error(JSON.stringify({ first, slots }));
  });
}

story(
  'whoever speaks is heard in a slot, and nobody negotiates when the speaker changes',
  async (call) => {
    const ana = await call.join('ana');
    const ben = await call.join('ben');
    await ben.expectSound(ana);
    // One more, and the room is large: those inside move over to the slots.
    const cai = await call.join('cai', { switches: { audio: '0' } });
    for (const listener of [ana, ben, cai]) {
      await poll(`${listener.name} hears through two slots and nothing else`, PATIENCE_MS, async () => {
        const { audio, slots } = await ears(listener);
        if (audio === 2 && slots.every((slot) => slot.packetsReceived > 0 || listener !== cai)) return true;
        throw new Error(JSON.stringify({ audio, slots }));
      });
    }
    await expectToHear(cai, ana);
    await expectToHear(cai, ben);
    await expectToHear(ana, ben);
    await expectToHear(ben, ana);

    // The speakers change: Ben falls silent, and is replaced by Dee, whose microphone is the third.
    const dee = await call.join('dee');
    await ben.click('mic-button');
    await cai.expectTile(ben, { muted: 'true' });
    await expectToHear(cai, dee);
    // Cameras are negotiated like ever, each when it comes: only once all of them are there is nothing left to be negotiated.
    for (const other of [ana, ben, dee]) await cai.expectPicture(other);
    const before = await ears(cai);
    await ben.click('mic-button');
    await ana.click('mic-button');
    await cai.expectTile(ana, { muted: 'true' });
    await expectToHear(cai, ben);
    const after = await ears(cai);
    assert.equal(after.negotiations, before.negotiations, 'nothing was negotiated');
    assert.equal(after.audio, 2);
    assert.deepEqual(after.slots.map((slot) => slot.packetsLost), [0, 0], 'and nothing seems lost');
  },
  { server: ['--audible', '2', '--speaker-slots-from', '3'] },
);
