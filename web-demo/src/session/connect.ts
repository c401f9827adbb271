// One person's call in one room, from Join to Leave: gets passes, connects, publishes, and comes back by itself
// after whatever the SDK's own reconnecting gave up on.
import {
  ConnectionState,
  DefaultReconnectPolicy,
  DisconnectReason,
  LocalAudioTrack,
  LocalVideoTrack,
  Room,
  RoomEvent,
  Track,
} from 'livekit-client';
import { listenToEngine } from '../room/engine-news';
import { raiseHand } from '../room/hand';
import { RoomModel } from '../room/model';
import { isWaiting } from '../room/person';
import {
  muteByHost,
  problemOfDevice,
  problemOfDisconnect,
  problemOfJoin,
  RECONNECTING,
  type Problem,
} from '../words';
import { backoff } from './backoff';
import { askWhen, isBusy } from './busy';
import { ChatLog } from './chat-log';
import { cameraOptions, micOptions, openDevices, type OpenedDevices } from './devices';
import { rememberCall, type OngoingCall } from './identity';
import { mayPublish } from './permission';
import { Store } from './store';
import type { Switches } from './switches';
import { fetchToken, serverUrl } from './token';

/** Refusals in a row after which a new token is no longer worth asking for. */
const MAX_TOKEN_REFUSALS = 3;
/**
 * Pauses between the SDK's own attempts, milliseconds, which it varies by half. Shorter than its defaults: whoever waits
 * for a server to come back is back within seconds of it. After the last one the loop below takes over.
 */
const SDK_RETRIES_MS = [0, 300, 1_000, 2_000, 3_000, 3_000, 3_000, 3_000];
/** A connection that lasted this long was a good one: the next trouble starts with short pauses again. */
const SETTLED_MS = 10_000;

export interface SessionState {
  phase: 'joining' | 'connected' | 'reconnecting' | 'ended';
  /** Whether this call has been connected before: the grid is then worth showing. */
  joinedBefore: boolean;
  /** Why we are not connected, while we try to be. */
  banner: Problem | undefined;
  /** Trouble beside the connection (a refused camera…), newest last; at most one per kind. */
  notices: readonly Problem[];
  /** Set in phase `ended`, but not after the person's own Leave. */
  endedBy: Problem | undefined;
  /** What the person wants to send; it is published as soon as there is a connection. */
  wantsMic: boolean;
  wantsCamera: boolean;
}

export interface JoinRequest extends OngoingCall {
  identity: string;
  switches: Switches;
  /** Tracks the preview has open already. */
  opened?: OpenedDevices | undefined;
}

let calls = 0;

export class CallSession extends Store<SessionState> {
  /** Tells the calls of one page apart. */
  readonly id = ++calls;
  readonly room: Room;
  readonly chat: ChatLog;
  /** Who is there and what is on screen. */
  readonly model: RoomModel;
  /** What the person wants to send, kept over reconnects and reloads. */
  private readonly wish: OngoingCall;
  private readonly closing = new AbortController();
  /** Opened for the first connection, while it is being made. */
  private devices: Promise<OpenedDevices> = Promise.resolve({});
  private joinedAt: number | undefined;
  /** Wakes the pause between two attempts. */
  private wake: (() => void) | undefined;
  /** How long the server told us to wait before the next attempt. */
  private waitMs: number | undefined;
  private whenGone: ((reason: DisconnectReason | undefined) => void) | undefined;

  constructor(private readonly request: JoinRequest) {
    super({
      phase: 'joining',
      joinedBefore: false,
      banner: undefined,
      notices: [],
      endedBy: undefined,
      wantsMic: request.mic,
      wantsCamera: request.camera,
    });
    const { room, name, mic, camera, micId, cameraId, switches } = request;
    this.wish = { room, name, mic, camera, micId, cameraId };
    this.room = new Room({
      adaptiveStream: true,
      dynacast: true,
      singlePeerConnection: !switches.dualPeerConnection,
      disconnectOnPageLeave: true,
      reconnectPolicy: new DefaultReconnectPolicy(SDK_RETRIES_MS),
      audioCaptureDefaults: micOptions(micId),
      videoCaptureDefaults: cameraOptions(cameraId),
      publishDefaults: {
        simulcast: switches.simulcast,
        ...(switches.codec && { videoCodec: switches.codec }),
      },
    });
    this.chat = new ChatLog(this.room);
    this.model = new RoomModel(this.room, (title, text) =>
      this.notify({ kind: 'other', title, text, remedy: 'stop' }),
    );
    this.room
      .on(RoomEvent.SignalReconnecting, () => this.patch({ phase: 'reconnecting', banner: RECONNECTING }))
      .on(RoomEvent.Reconnecting, () => this.patch({ phase: 'reconnecting', banner: RECONNECTING }))
      .on(RoomEvent.Reconnected, () => this.patch({ phase: 'connected', banner: undefined }))
      .on(RoomEvent.Disconnected, (reason) => this.whenGone?.(reason));
    listenToEngine(this.room, {
      muted: (sid, muted) => muted && this.mutedByHost(sid),
      token: (token) => (this.model.desk.moderation.token = token),
    });
    window.addEventListener('online', this.retryNow);
    rememberCall(this.wish);
    void this.run();
  }

  /** What the person asked for, as they have it now: to join the same way again. */
  asked(): OngoingCall {
    return { ...this.wish };
  }

  readonly leave = (): void => {
    if (this.closing.signal.aborted) return;
    this.end(undefined);
  };

  /** Cuts the pause before the next attempt short. */
  readonly retryNow = (): void => this.wake?.();

  readonly dismiss = (kind: Problem['kind']): void => {
    this.patch({ notices: this.get().notices.filter((notice) => notice.kind !== kind) });
  };

  setMic(on: boolean): Promise<void> {
    return this.switchDevice('mic', on, () => this.room.localParticipant.setMicrophoneEnabled(on));
  }

  setCamera(on: boolean): Promise<void> {
    return this.switchDevice('camera', on, () => this.room.localParticipant.setCameraEnabled(on));
  }

  async setScreen(on: boolean): Promise<void> {
    try {
      await this.room.localParticipant.setScreenShareEnabled(on, {
        audio: true,
        systemAudio: 'include',
        surfaceSwitching: 'include',
        selfBrowserSurface: 'exclude',
      });
    } catch (error) {
      this.notify(problemOfDevice('screen', error));
    }
  }

  async say(text: string): Promise<boolean> {
    try {
      await this.chat.send(text);
      return true;
    } catch {
      this.notify({
        kind: 'other',
        title: 'Message not sent',
        text: 'The connection is not ready. Try again in a moment.',
        remedy: 'stop',
      });
      return false;
    }
  }

  async raiseHand(up: boolean): Promise<void> {
    try {
      await raiseHand(this.room, up);
    } catch {
      this.notify({
        kind: 'other',
        title: up ? 'Your hand could not be raised' : 'Your hand could not be lowered',
        text: 'The server did not take it. Try again in a moment.',
        remedy: 'stop',
      });
    }
  }

  private async switchDevice(
    device: 'mic' | 'camera',
    on: boolean,
    act: () => Promise<unknown>,
  ): Promise<void> {
    this.want(device, on);
    this.dismiss(device);
    if (!this.reachable()) return;
    try {
      await act();
    } catch (error) {
      this.deviceFailed(device, error);
    }
  }

  private want(device: 'mic' | 'camera', on: boolean): void {
    if (this.closing.signal.aborted) return;
    this.wish[device] = on;
    rememberCall(this.wish);
    this.patch({ wantsMic: this.wish.mic, wantsCamera: this.wish.camera });
  }

  /** Tells the person, and doesn't ask for the device again behind their back. */
  private deviceFailed(device: 'mic' | 'camera', error: unknown): void {
    this.want(device, false);
    this.notify(problemOfDevice(device, error));
  }

  /** Connects, and connects again, until the person leaves or the server says a final no. */
  private async run(): Promise<void> {
    const { signal } = this.closing;
    this.devices = Promise.resolve(this.request.opened ?? openDevices(this.wish));
    let attempt = 0;
    let refusals = 0;
    while (!signal.aborted) {
      this.joinedAt = undefined;
      const problem = await this.attempt();
      if (signal.aborted) break;
      if (this.joinedAt !== undefined) refusals = 0;
      if (this.joinedAt !== undefined && performance.now() - this.joinedAt > SETTLED_MS) attempt = 0;
      if (problem.remedy === 'new-token') refusals += 1;
      if (problem.remedy === 'stop' || refusals >= MAX_TOKEN_REFUSALS) {
        this.end(problem);
        break;
      }
      attempt += 1;
      const { joinedBefore } = this.get();
      this.patch({
        phase: joinedBefore ? 'reconnecting' : 'joining',
        // Once in a call, what matters is that we are on the way back, whatever the last attempt died of.
        banner: joinedBefore ? { ...RECONNECTING, text: problem.text } : problem,
      });
      await this.pause(this.waitMs ?? backoff(attempt));
    }
    const { mic, camera } = await this.devices;
    mic?.stop();
    camera?.stop();
  }

  /** One connection from start to end. Resolves with what ended it. */
  private async attempt(): Promise<Problem> {
    const { room, name, identity, switches } = this.request;
    let token = '';
    this.waitMs = undefined;
    try {
      const pass = await fetchToken(room, name, identity, switches.invite, this.closing.signal);
      if (this.closing.signal.aborted) return RECONNECTING;
      token = pass.token;
      this.model.desk.moderation.token = token;
      await this.room.connect(serverUrl(), token, { maxRetries: 0, autoSubscribe: false });
    } catch (error) {
      if (!isBusy(error)) return problemOfJoin(error);
      const busy = await askWhen(serverUrl(), token, this.closing.signal);
      this.waitMs = busy?.waitMs;
      return busy?.problem ?? problemOfJoin(error);
    }
    const gone = new Promise<DisconnectReason | undefined>((resolve) => {
      this.whenGone = resolve;
      if (this.room.state === ConnectionState.Disconnected) resolve(undefined);
    });
    this.joinedAt = performance.now();
    this.patch({ phase: 'connected', joinedBefore: true, banner: undefined });
    void this.publish();
    const reason = await gone;
    this.whenGone = undefined;
    return problemOfDisconnect(reason, isWaiting(this.room.localParticipant));
  }

  /** Publishes what the person wants to send: with the tracks that are open already, else by opening the devices. */
  private async publish(): Promise<void> {
    if (!(await mayPublish(this.room))) return;
    const devices = await this.devices;
    // Used up: a later connection opens the devices anew.
    this.devices = Promise.resolve({});
    if (devices.micError !== undefined) this.deviceFailed('mic', devices.micError);
    if (devices.cameraError !== undefined) this.deviceFailed('camera', devices.cameraError);
    await Promise.all([this.publishOne('mic', devices.mic), this.publishOne('camera', devices.camera)]);
  }

  private async publishOne(
    device: 'mic' | 'camera',
    track: LocalAudioTrack | LocalVideoTrack | undefined,
  ): Promise<void> {
    const me = this.room.localParticipant;
    if (!this.wish[device] || this.closing.signal.aborted) {
      track?.stop();
      return;
    }
    try {
      if (track?.mediaStreamTrack.readyState === 'live') await me.publishTrack(track);
      else if (device === 'mic') await me.setMicrophoneEnabled(true);
      else await me.setCameraEnabled(true);
    } catch (error) {
      // A connection that ended meanwhile is told by the banner.
      if (this.room.state === ConnectionState.Connected) this.deviceFailed(device, error);
      track?.stop();
    }
  }

  /** Whether the SDK has a connection, or is repairing one, and so takes new tracks. */
  private reachable(): boolean {
    return this.room.state !== ConnectionState.Disconnected && this.room.state !== ConnectionState.Connecting;
  }

  /** A host switched off what we send: it stays off until the person switches it on again. */
  private mutedByHost(trackSid: string): void {
    const source = this.room.localParticipant.trackPublications.get(trackSid)?.source;
    const device =
      source === Track.Source.Microphone ? 'mic' : source === Track.Source.Camera ? 'camera' : 'screen';
    if (device !== 'screen') this.want(device, false);
    this.notify(muteByHost(device));
  }

  private notify(problem: Problem | undefined): void {
    if (!problem) return;
    const others = this.get().notices.filter((notice) => notice.kind !== problem.kind);
    this.patch({ notices: [...others, problem] });
  }

  private end(problem: Problem | undefined): void {
    this.closing.abort();
    window.removeEventListener('online', this.retryNow);
    rememberCall(undefined);
    this.patch({ phase: 'ended', banner: undefined, notices: [], endedBy: problem });
    this.wake?.();
    this.whenGone?.(DisconnectReason.CLIENT_INITIATED);
    void this.room.disconnect();
    this.model.close();
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  private patch(change: Partial<SessionState>): void {
    if (this.get().phase === 'ended') return;
    this.set({ ...this.get(), ...change });
  }
}
