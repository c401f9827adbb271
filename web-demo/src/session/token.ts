// Fetches a pass for the call from the demo endpoint of the page's own server.
import { TokenError } from '../words';

export interface Pass {
  token: string;
  identity: string;
}

/** How long the server may take to answer, milliseconds. */
const TIMEOUT_MS = 10_000;

/**
 * @param invite of an invite link
 * @throws TokenError with the HTTP status, or 0 when no answer came
 */
export async function fetchToken(
  room: string,
  name: string,
  identity: string,
  invite: string | undefined,
  signal: AbortSignal,
): Promise<Pass> {
  let response: Response;
  let body: unknown;
  try {
    response = await fetch('/demo/token', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ room, name, identity, invite }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    body = await response.json().catch(() => undefined);
  } catch {
    throw new TokenError(0, 'no answer');
  }
  if (!response.ok) throw new TokenError(response.status, textField(body, 'error') ?? '');
  const token = textField(body, 'token');
  // A proxy's error page with status 200 is a server that isn't there yet.
  if (!token) throw new TokenError(502, 'no token in the answer');
  return { token, identity: textField(body, 'identity') ?? identity };
}

function textField(body: unknown, field: string): string | undefined {
  if (typeof body !== 'object' || body === null) return undefined;
  const value = (body as Record<string, unknown>)[field];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The page's own origin as a WebSocket address. */
export function serverUrl(): string {
  return window.location.origin.replace(/^http/, 'ws');
}
