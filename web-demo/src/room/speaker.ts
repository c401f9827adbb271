// Who is on the stage of the speaker view: whoever speaks, but not by turns of a second. Pure.

export interface Voice {
  identity: string;
  local: boolean;
  speaking: boolean;
  /** On the clock of `now`; 0 if never. */
  spokeAt: number;
}

export interface Staged {
  identity: string;
  /** When they came on the stage. */
  since: number;
}

/** Nobody leaves the stage before this, milliseconds. */
export const HOLD_MS = 2_000;

/**
 * The next on the stage; `undefined` if there is nobody. Oneself only if nobody else is there.
 * @param loudest identities of those who speak, the loudest first
 */
export function nextOnStage(
  staged: Staged | undefined,
  voices: readonly Voice[],
  loudest: readonly string[],
  now: number,
): Staged | undefined {
  const others = voices.filter(({ local }) => !local);
  const current = others.find(({ identity }) => identity === staged?.identity);
  if (staged && current && (current.speaking || now - staged.since < HOLD_MS)) return staged;
  const speaker = loudest.find((identity) =>
    others.some((voice) => voice.identity === identity && voice.speaking),
  );
  if (staged && current && speaker === undefined) return staged;
  const latest = () =>
    others.reduce<Voice | undefined>((a, b) => (a && a.spokeAt >= b.spokeAt ? a : b), undefined);
  const next = speaker ?? latest()?.identity ?? voices[0]?.identity;
  if (next === undefined) return undefined;
  return next === staged?.identity ? staged : { identity: next, since: now };
}
