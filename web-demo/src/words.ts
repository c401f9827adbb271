// Every failure a person can meet, in words for people, with what the page does about it. Pure: no DOM, no network.
import { ConnectionError, ConnectionErrorReason, DisconnectReason, MediaDeviceFailure } from 'livekit-client';

export type NoticeKind =
  'reconnecting' | 'camera' | 'mic' | 'room-full' | 'room-locked' | 'token' | 'server' | 'removed' | 'other';

/**
 * What follows a problem: `retry` after a pause, `new-token` (retry too, but a token that is refused again and
 * again ends the call), or `stop` until the person decides.
 */
export type Remedy = 'retry' | 'new-token' | 'stop';

export interface Problem {
  kind: NoticeKind;
  title: string;
  text: string;
  remedy: Remedy;
}

export type Device = 'camera' | 'mic' | 'screen';

/** Refusal or trouble of `/demo/token`: `status` is the HTTP status, or 0 when no answer came. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const ROOM_FULL: Problem = {
  kind: 'room-full',
  title: 'This room is full',
  text: 'Everyone who fits is already in. Try again when somebody has left.',
  remedy: 'stop',
};

const SERVER_GONE: Problem = {
  kind: 'server',
  title: "Can't reach the server",
  text: 'Trying again on its own. You can also leave.',
  remedy: 'retry',
};

const TOKEN_REFUSED: Problem = {
  kind: 'token',
  title: 'Your pass for this call is no longer valid',
  text: 'It has expired or the server does not accept it. Join again to get a new one.',
  remedy: 'new-token',
};

/** The banner while the SDK itself repairs the connection. */
export const RECONNECTING: Problem = {
  kind: 'reconnecting',
  title: 'Reconnecting…',
  text: 'The connection was lost. You will be back as soon as the server answers.',
  remedy: 'retry',
};

const other = (title: string, text: string, remedy: Remedy = 'stop'): Problem => ({
  kind: 'other',
  title,
  text,
  remedy,
});

const ROOM_LOCKED: Problem = {
  kind: 'room-locked',
  title: 'This room is locked',
  text: 'Whoever runs the call lets nobody else in for now. Ask them to open it, then try again.',
  remedy: 'stop',
};

const NOT_LET_IN: Problem = {
  kind: 'removed',
  title: 'You were not let in',
  text: 'Whoever runs this call said no for now. Ask them before you try again.',
  remedy: 'stop',
};

const speaksOfLockedRoom = (text: string) => /\blocked\b/i.test(text);

const speaksOfFullRoom = (text: string) =>
  /\bfull\b|max(imum)?[ _-]?participants|too many participants/i.test(text);

/**
 * The problem behind a disconnect that the person didn't ask for.
 * @param atTheDoor they were waiting to be let in
 */
export function problemOfDisconnect(reason: DisconnectReason | undefined, atTheDoor = false): Problem {
  switch (reason) {
    case DisconnectReason.DUPLICATE_IDENTITY:
      return other(
        'You are in this call somewhere else',
        'The same tab was opened twice, and the newer one has taken over. Rejoin to bring the call back here.',
      );
    case DisconnectReason.PARTICIPANT_REMOVED:
      if (atTheDoor) return NOT_LET_IN;
      return {
        kind: 'removed',
        title: 'You were removed from the call',
        text: 'Somebody who runs this room ended your part in it.',
        remedy: 'stop',
      };
    case DisconnectReason.ROOM_DELETED:
      return {
        kind: 'removed',
        title: 'The call was ended',
        text: 'The room was closed for everyone.',
        remedy: 'stop',
      };
    case DisconnectReason.ROOM_CLOSED:
      return {
        kind: 'removed',
        title: 'The call is over',
        text: 'The room closed because everyone had left.',
        remedy: 'stop',
      };
    case DisconnectReason.USER_UNAVAILABLE:
    case DisconnectReason.USER_REJECTED:
    case DisconnectReason.SIP_TRUNK_FAILURE:
      return other('The phone call was not answered', 'The person called by phone could not be reached.');
    case DisconnectReason.AGENT_ERROR:
      return other('The call ended', 'An automatic participant failed and ended the call.');
    case DisconnectReason.SERVER_SHUTDOWN:
      return {
        ...RECONNECTING,
        text: 'The server is restarting. You will be back in the call as soon as it answers.',
      };
    case DisconnectReason.MEDIA_FAILURE:
      return {
        ...RECONNECTING,
        text: 'Sound and picture could not get through. Trying again.',
      };
    case DisconnectReason.CONNECTION_TIMEOUT:
      return { ...RECONNECTING, text: 'Your connection was silent for too long. Trying again.' };
    case DisconnectReason.JOIN_FAILURE:
      return { ...RECONNECTING, text: 'The server could not let you in just now. Trying again.' };
    // `CLIENT_INITIATED` is not our Leave button, which never comes here: the browser froze or unloaded the page
    // and then brought it back.
    case DisconnectReason.CLIENT_INITIATED:
    case DisconnectReason.STATE_MISMATCH:
    case DisconnectReason.MIGRATION:
    case DisconnectReason.SIGNAL_CLOSE:
    case DisconnectReason.UNKNOWN_REASON:
    case undefined:
    default:
      return RECONNECTING;
  }
}

/** The problem behind a `Room.connect` that failed. */
function problemOfConnectionError(error: ConnectionError): Problem {
  switch (error.reason) {
    case ConnectionErrorReason.NotAllowed:
      if (speaksOfFullRoom(error.message)) return ROOM_FULL;
      if (speaksOfLockedRoom(error.message)) return ROOM_LOCKED;
      if (error.status === 404) {
        return other(
          'This room does not exist',
          'It may have been closed. Check the link, or start a new room.',
        );
      }
      if (error.status === 403) {
        return {
          kind: 'token',
          title: 'You may not join this room',
          text: 'The server accepts your pass, but not for this room.',
          remedy: 'stop',
        };
      }
      return TOKEN_REFUSED;
    case ConnectionErrorReason.LeaveRequest:
      if (speaksOfFullRoom(error.message)) return ROOM_FULL;
      return problemOfDisconnect(error.context as DisconnectReason | undefined);
    case ConnectionErrorReason.InternalError:
      if (speaksOfFullRoom(error.message)) return ROOM_FULL;
      return {
        kind: 'server',
        title: 'The server has a problem',
        text: 'It answered, but could not start the call. Trying again.',
        remedy: 'retry',
      };
    case ConnectionErrorReason.Timeout:
      return { ...SERVER_GONE, title: 'The server takes too long to answer' };
    case ConnectionErrorReason.ServiceNotFound:
      return {
        ...SERVER_GONE,
        title: 'No call server at this address',
        text: 'The address answers, but not as a call server. Trying again.',
      };
    case ConnectionErrorReason.Cancelled:
      return RECONNECTING;
    case ConnectionErrorReason.ServerUnreachable:
    case ConnectionErrorReason.WebSocket:
    default:
      return SERVER_GONE;
  }
}

/** The server's own words as a sentence. */
function sentence(words: string): string {
  const text = words.trim();
  if (!text) return '';
  return text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

function problemOfTokenError(error: TokenError): Problem {
  if (speaksOfFullRoom(error.message)) return ROOM_FULL;
  if (speaksOfLockedRoom(error.message)) return ROOM_LOCKED;
  if (error.status === 0) return SERVER_GONE;
  if (error.status === 404) {
    return {
      kind: 'token',
      title: 'This server gives no passes to this page',
      text: 'Its demo page is switched off. Start it with --dev, or switch the demo on in its settings.',
      remedy: 'stop',
    };
  }
  if (error.status === 429) {
    return { ...SERVER_GONE, title: 'The server is busy', text: sentence(error.message) || SERVER_GONE.text };
  }
  if (error.status >= 500) return { ...SERVER_GONE, title: 'The server has a problem' };
  return {
    kind: 'token',
    title: 'The server did not let you in',
    text: sentence(error.message) || 'It refused the name or the room.',
    remedy: 'stop',
  };
}

/** The problem behind whatever was thrown on the way into a call. */
export function problemOfJoin(error: unknown): Problem {
  if (error instanceof TokenError) return problemOfTokenError(error);
  if (error instanceof ConnectionError) return problemOfConnectionError(error as ConnectionError);
  const name = error instanceof Error ? error.name : '';
  const message = error instanceof Error ? error.message : '';
  if (name === 'UnsupportedServer') {
    return other('This server is too old for this page', 'Ask whoever runs it to update it.');
  }
  if (/doesn't seem to be supported on this browser/i.test(message)) {
    return other(
      'This browser cannot make calls',
      'Use a current Chrome, Edge, Firefox or Safari, and switch off extensions that block WebRTC.',
    );
  }
  return {
    ...SERVER_GONE,
    kind: 'other',
    title: 'Joining failed',
    text: 'Sound and picture could not be set up. Trying again.',
  };
}

const DEVICE_NAME: Record<Exclude<Device, 'screen'>, string> = { camera: 'camera', mic: 'microphone' };

/** What a host switched off of ours, while we sent it. */
export function muteByHost(device: Device): Problem {
  switch (device) {
    case 'mic':
      return {
        kind: 'mic',
        title: 'A host muted you',
        text: 'You can unmute yourself when you want to speak.',
        remedy: 'stop',
      };
    case 'camera':
      return {
        kind: 'camera',
        title: 'A host stopped your camera',
        text: 'You can switch it on again.',
        remedy: 'stop',
      };
    case 'screen':
    default:
      return other('A host stopped your screen', 'Stop sharing and share again when it is your turn.');
  }
}

/** The problem behind a camera, microphone or screen that could not be opened; `undefined` when the person just cancelled. */
export function problemOfDevice(device: Device, error: unknown): Problem | undefined {
  if (device === 'screen') return problemOfScreen(error);
  const kind = device;
  const name = DEVICE_NAME[device];
  const Name = name.charAt(0).toUpperCase() + name.slice(1);
  const problem = (title: string, text: string): Problem => ({ kind, title, text, remedy: 'stop' });
  if (isInsecurePage(error)) {
    return problem(
      `No ${name} on an insecure page`,
      'Browsers give it only to pages on https or localhost. You can still listen, watch and chat.',
    );
  }
  switch (MediaDeviceFailure.getFailure(error)) {
    case MediaDeviceFailure.PermissionDenied:
      return problem(
        `${Name} is not allowed`,
        `Allow it in the browser's site settings (next to the address), then switch the ${name} on again.`,
      );
    case MediaDeviceFailure.NotFound:
      return problem(`No ${name} found`, 'Plug one in and try again. You can join without it.');
    case MediaDeviceFailure.DeviceInUse:
      return problem(
        `${Name} is in use`,
        `Another app or tab is using your ${name}. Close it and try again.`,
      );
    case MediaDeviceFailure.Other:
    case undefined:
    default:
      return problem(`${Name} does not start`, 'Try again or choose another one. You can join without it.');
  }
}

function problemOfScreen(error: unknown): Problem | undefined {
  const name = error instanceof Error ? error.name : '';
  // Closing the browser's picker and refusing look the same; neither needs explaining to the person who did it.
  if (name === 'NotAllowedError' || name === 'AbortError') return undefined;
  return other('Your screen cannot be shared', 'This browser or system does not allow it right now.');
}

/** Browsers hide `navigator.mediaDevices` from pages that are neither https nor localhost. */
export class InsecurePageError extends Error {
  override readonly name = 'InsecurePageError';
}

const isInsecurePage = (error: unknown) => error instanceof InsecurePageError;
