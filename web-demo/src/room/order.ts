// Who sits where in a gallery of several pages. Seats are kept: nobody moves because somebody else came, spoke or left,
// except that one tile at a time changes hands. Pure: old seats and people in, new seats out.

/** What decides about a seat. */
export interface Sitter {
  identity: string;
  camera: boolean;
  speaking: boolean;
  /** Since when, on the clock of `now`; 0 if they don't. */
  speaksSince: number;
  /** On the clock of `now`; 0 if never. */
  spokeAt: number;
}

export interface View {
  /** Seats on the first page, where speakers are brought to. */
  first: number;
  /** Who is on screen now. */
  looking: ReadonlySet<string>;
  now: number;
}

/** Who has spoken within this time keeps the seat on the first page without a picture too, milliseconds. */
const KEEPS_SEAT_MS = 60_000;

/** Who speaks for so long is brought to the first page: not for a cough or a yes, milliseconds. */
export const BRINGS_MS = 1_500;

type Seats = (string | undefined)[];

/**
 * The seats of `people` (in the order they came), as near to `before` as can be:
 * - a gap is filled by one person from pages out of sight, and newcomers sit down at the end, pictures first;
 * - who speaks on and isn't on screen gets the seat of the first page whose owner has been silent for longest;
 * - pictures take seats of the first page from silent people without one;
 * - pages out of sight are in order of pictures first.
 */
export function reseat(before: readonly string[], people: readonly Sitter[], view: View): string[] {
  const known = new Map(people.map((person) => [person.identity, person]));
  const kept: Seats = before.map((identity) => (known.has(identity) ? identity : undefined));
  const seats =
    people.length <= view.first ? kept.filter((seat) => seat !== undefined) : fill(kept, known, view);
  const seated = new Set(seats);
  const newcomers = people.filter(({ identity }) => !seated.has(identity));
  for (const person of [...newcomers].sort(pictureFirst)) seats.push(person.identity);
  if (seats.length <= view.first) return seats;
  bringSpeakers(seats, known, view);
  bringPictures(seats, known, view);
  sortOutOfSight(seats, known, view);
  return seats;
}

/** Exchanges the owners of two seats: how somebody gets to the stage while all others stay. */
export function swap(seats: readonly string[], a: number, b: number): string[] {
  const swapped = [...seats];
  const [first, second] = [seats[a], seats[b]];
  if (first === undefined || second === undefined) return swapped;
  swapped[a] = second;
  swapped[b] = first;
  return swapped;
}

const pictureFirst = (a: Sitter, b: Sitter) => Number(b.camera) - Number(a.camera);

/** Fills gaps from the end: best with a picture that isn't on screen, else with what there is. */
function fill(seats: Seats, known: ReadonlyMap<string, Sitter>, { looking }: View): string[] {
  const filled = [...seats];
  const choices = [
    (identity: string) => !looking.has(identity) && known.get(identity)?.camera === true,
    (identity: string) => !looking.has(identity),
    () => true,
  ];
  for (let gap = filled.indexOf(undefined); gap >= 0; gap = filled.indexOf(undefined, gap)) {
    let from = -1;
    for (const fits of choices) {
      from = filled.findLastIndex((identity, at) => at > gap && identity !== undefined && fits(identity));
      if (from >= 0) break;
    }
    if (from < 0) break;
    filled[gap] = filled[from];
    filled[from] = undefined;
  }
  return filled.filter((seat) => seat !== undefined);
}

function bringSpeakers(
  seats: string[],
  known: ReadonlyMap<string, Sitter>,
  { first, looking, now }: View,
): void {
  for (let at = first; at < seats.length; at += 1) {
    const person = known.get(seats[at] ?? '');
    if (!person?.speaking || now - person.speaksSince < BRINGS_MS || looking.has(person.identity)) continue;
    const place = seatToGive(seats, known, first, (other) => !other.speaking);
    if (place < 0) return;
    [seats[place], seats[at]] = [person.identity, seats[place] ?? ''];
  }
}

function bringPictures(
  seats: string[],
  known: ReadonlyMap<string, Sitter>,
  { first, looking, now }: View,
): void {
  const silent = ({ speaking, spokeAt }: Sitter) =>
    !speaking && (spokeAt === 0 || now - spokeAt > KEEPS_SEAT_MS);
  for (let at = first; at < seats.length; at += 1) {
    const person = known.get(seats[at] ?? '');
    if (!person?.camera || looking.has(person.identity)) continue;
    const place = seatToGive(seats, known, first, (other) => !other.camera && silent(other));
    if (place < 0) return;
    [seats[place], seats[at]] = [person.identity, seats[place] ?? ''];
  }
}

/** The seat of the first page whose owner gives it up most easily: silent for longest, then without a picture, then the last. */
function seatToGive(
  seats: readonly string[],
  known: ReadonlyMap<string, Sitter>,
  first: number,
  may: (person: Sitter) => boolean,
): number {
  let best = -1;
  let least: Sitter | undefined;
  for (let at = 0; at < first; at += 1) {
    const person = known.get(seats[at] ?? '');
    if (!person || !may(person)) continue;
    const easier =
      !least ||
      person.spokeAt < least.spokeAt ||
      (person.spokeAt === least.spokeAt && Number(person.camera) <= Number(least.camera));
    if (easier) [best, least] = [at, person];
  }
  return best;
}

function sortOutOfSight(seats: string[], known: ReadonlyMap<string, Sitter>, { first, looking }: View): void {
  const places = [...seats.keys()].filter((at) => at >= first && !looking.has(seats[at] ?? ''));
  const has = (at: number) => known.get(seats[at] ?? '')?.camera === true;
  const sorted = [...places.filter(has), ...places.filter((at) => !has(at))].map((at) => seats[at] ?? '');
  places.forEach((at, n) => (seats[at] = sorted[n] ?? ''));
}
