// What a tab and a browser remember: who I am (per tab), whether this tab is in a call, my last name.

const IDENTITY = 'ramai.identity';
const NAME = 'ramai.name';
const ONGOING = 'ramai.call';

/** The call this tab is in. It outlives a reload and is forgotten on leaving. */
export interface OngoingCall {
  room: string;
  name: string;
  mic: boolean;
  camera: boolean;
  micId?: string | undefined;
  cameraId?: string | undefined;
}

/** Storage can be switched off by the browser's privacy settings; the page then works without a memory. */
function read(storage: () => Storage, key: string): string | undefined {
  try {
    return storage().getItem(key) ?? undefined;
  } catch {
    return undefined;
  }
}

function write(storage: () => Storage, key: string, value: string | undefined): void {
  try {
    if (value === undefined) storage().removeItem(key);
    else storage().setItem(key, value);
  } catch {
    // See `read`.
  }
}

const tab = () => window.sessionStorage;
const browser = () => window.localStorage;

let fallbackIdentity: string | undefined;

/** This tab's identity: random, made once, kept over reloads. */
export function identity(): string {
  const known = read(tab, IDENTITY) ?? fallbackIdentity;
  if (known) return known;
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  const made = `web-${Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('')}`;
  fallbackIdentity = made;
  write(tab, IDENTITY, made);
  return made;
}

/** The name used last in this tab, else in this browser. */
export function lastName(): string {
  return read(tab, NAME) ?? read(browser, NAME) ?? '';
}

export function rememberName(name: string): void {
  write(tab, NAME, name);
  write(browser, NAME, name);
}

/** The call this tab was in when it was reloaded, if it is in `room`. */
export function ongoingCall(room: string): OngoingCall | undefined {
  try {
    const call = JSON.parse(read(tab, ONGOING) ?? 'null') as OngoingCall | null;
    return call?.room === room && typeof call.name === 'string' ? call : undefined;
  } catch {
    return undefined;
  }
}

export function rememberCall(call: OngoingCall | undefined): void {
  write(tab, ONGOING, call && JSON.stringify(call));
}
