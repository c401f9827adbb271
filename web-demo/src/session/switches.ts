// Switches in the address bar (`?pc=dual&codec=vp9…`), for tests and support.
import { videoCodecs, type VideoCodec } from 'livekit-client';

export interface Switches {
  /** Two peer connections (the older protocol) instead of one. */
  dualPeerConnection: boolean;
  name: string | undefined;
  /** Join at once, without the preview. */
  autojoin: boolean;
  camera: boolean;
  mic: boolean;
  codec: VideoCodec | undefined;
  simulcast: boolean;
  /** Of an invite link: decides whether one speaks or listens. */
  invite: string | undefined;
}

export function readSwitches(query: string): Switches {
  const params = new URLSearchParams(query);
  const codec = params.get('codec')?.toLowerCase();
  return {
    dualPeerConnection: params.get('pc') === 'dual',
    name: params.get('name')?.trim() || undefined,
    autojoin: params.get('autojoin') === '1',
    camera: params.get('video') !== '0',
    mic: params.get('audio') !== '0',
    codec: videoCodecs.find((known) => known === codec),
    simulcast: params.get('simulcast') !== '0',
    invite: params.get('invite') || undefined,
  };
}
