// The ways into a call: by the Join button, or straight from the address (a reload in a call, `?autojoin=1`).
import { inviteRole } from '../room/invite';
import { pathOfRoom, roomOfPath } from '../routes';
import { CallSession, type JoinRequest } from './connect';
import { identity, lastName, ongoingCall, rememberName } from './identity';
import { readSwitches } from './switches';

declare global {
  interface Window {
    /** For tests and support: the SDK's room of the present call. */
    __ramai?: { room: CallSession['room'] };
  }
}

export type Entry = Omit<JoinRequest, 'identity' | 'switches'>;

export function enter(entry: Entry): CallSession {
  rememberName(entry.name);
  const path = pathOfRoom(entry.room);
  // The call's address is in the address bar, so that it can be shared, bookmarked and reloaded.
  if (window.location.pathname !== path) {
    window.history.pushState(null, '', path + window.location.search);
  }
  const switches = readSwitches(window.location.search);
  // Who comes to listen has nothing to send.
  const sends = inviteRole(switches.invite) !== 'listener';
  const [mic, camera] = [entry.mic && sends, entry.camera && sends];
  const session = new CallSession({ ...entry, mic, camera, identity: identity(), switches });
  window.__ramai = { room: session.room };
  return session;
}

export function enterFromAddress(): CallSession | undefined {
  const room = roomOfPath(window.location.pathname);
  if (!room) return undefined;
  const ongoing = ongoingCall(room);
  if (ongoing) return enter(ongoing);
  const { autojoin, name, mic, camera } = readSwitches(window.location.search);
  if (!autojoin) return undefined;
  // Said once: a reload comes back because the tab was in the call, and no longer does after leaving it.
  const url = new URL(window.location.href);
  url.searchParams.delete('autojoin');
  window.history.replaceState(null, '', url);
  return enter({ room, name: name ?? (lastName() || 'Guest'), mic, camera });
}
