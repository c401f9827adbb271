// What the page and the probe put on `window`.
import type { Moment, Received } from './in-page.js';

interface Inbound {
  codec: string | undefined;
  framesDecoded: number | undefined;
  frameWidth: number | undefined;
  frameHeight: number | undefined;
  totalAudioEnergy: number | undefined;
  totalSamplesReceived: number | undefined;
  packetsReceived: number | undefined;
}

interface Pixels {
  width: number;
  height: number;
  corner: number[];
  fingerprint: number;
}

declare global {
  interface Window {
    /** The SDK's room, shown by the page. */
    __ramai?: { room: any };
    __story: {
      timeline: Moment[];
      received: Received[];
      connections: RTCPeerConnection[];
      tileOf(identity: string, source: string): Element | null;
      participantOf(identity: string): any;
      inbound(identity: string, source: string): Promise<Inbound | undefined>;
      encoding(source: string): number;
      pixels(identity: string, source: string): Pixels | undefined;
      tiles(): DOMStringMap[];
      notices(): { kind: string; words: string }[];
    };
  }
}
