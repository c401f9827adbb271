// What is on screen: view, page and pin in, tiles with their places out. Watchers hear of it only when a tile comes, goes
// or moves; who speaks or is muted is the single tile's own business.
import { RoomEvent, type Participant, type Room } from 'livekit-client';
import { Store } from '../session/store';
import { arrange, type Box, type Rect } from './arrange';
import { BRINGS_MS, reseat, swap } from './order';
import type { Crowd, People } from './people';
import type { Person } from './person';
import { HOLD_MS, nextOnStage, type Staged } from './speaker';

export type ViewKind = 'grid' | 'speaker';
export type TileSource = 'camera' | 'screen_share';

export interface TileKey {
  identity: string;
  source: TileSource;
}

export interface PlacedTile extends TileKey, Rect {
  staged: boolean;
}

export interface Scene {
  view: ViewKind;
  pinned: TileKey | undefined;
  tiles: readonly PlacedTile[];
  /** From 0. */
  page: number;
  pages: number;
}

/** More screens than these wait until one is taken back. */
const MOST_SCREENS = 2;

export const sameTile = (a: TileKey | undefined, b: TileKey | undefined) =>
  a?.identity === b?.identity && a?.source === b?.source;

export class SceneStore extends Store<Scene> {
  private box: Box = { width: 0, height: 0 };
  private seats: readonly string[] = [];
  /** Seats for others on the first page: what the last arrangement had. */
  private first = 1;
  private speaker: Staged | undefined;
  private loudest: readonly string[] = [];
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly unwatch: () => void;

  constructor(
    room: Room,
    private readonly people: People,
  ) {
    super({ view: 'grid', pinned: undefined, tiles: [], page: 0, pages: 1 });
    this.unwatch = people.watch(() => this.update());
    room.on(RoomEvent.ActiveSpeakersChanged, (speakers: Participant[]) => {
      this.loudest = speakers.map(({ identity }) => identity);
    });
  }

  close(): void {
    this.unwatch();
    clearTimeout(this.timer);
  }

  /** The room there is for tiles has changed. */
  fit({ width, height }: Box): void {
    if (width === this.box.width && height === this.box.height) return;
    this.box = { width, height };
    this.update();
  }

  show(view: ViewKind): void {
    this.update({ view, page: 0 });
  }

  /** Turns pages, as far as there are some. */
  turn(by: number): void {
    this.update({ page: this.get().page + by });
  }

  /** Pins a tile to the stage, or takes it off again. */
  pin(tile: TileKey | undefined): void {
    this.update({ pinned: sameTile(tile, this.get().pinned) ? undefined : tile });
  }

  private update(change: Partial<Scene> = {}): void {
    const before = { ...this.get(), ...change };
    const crowd = this.people.get();
    const now = performance.now();
    const everyone = [crowd.me, ...crowd.others];
    const pinned = everyone.some((person) => shows(person, before.pinned)) ? before.pinned : undefined;
    const stage = this.stage(everyone, pinned, before.view, now);

    // Who only listens has no tile: in a webinar they are many, and there is nothing to see.
    const sitters = crowd.others.filter(({ role, camera }) => role !== 'listener' || camera);
    const looking = new Set(this.get().tiles.map(({ identity }) => identity));
    this.seats = reseat(this.seats, sitters, { first: this.first, looking, now });
    const staged = stage.find(({ source }) => source === 'camera')?.identity;
    // Who leaves the stage gets the seat of who comes onto it, and all others stay where they are.
    if (staged !== undefined) this.seats = swap(this.seats, 0, this.seats.indexOf(staged));

    const others = this.seats.filter((identity) => identity !== staged);
    const mine = hasOwnTile(crowd) && crowd.me.identity !== staged;
    const {
      stage: places,
      seats: rects,
      paged,
    } = arrange(stage.length, others.length + Number(mine), this.box);
    const perPage = Math.max(1, rects.length);
    this.first = Math.max(1, perPage - Number(mine));
    const pages = Math.max(1, Math.ceil((others.length + Number(mine)) / perPage));
    const page = Math.min(Math.max(0, before.page), pages - 1);

    // Oneself sits at the end of the first page.
    const all = mine
      ? [...others.slice(0, this.first), crowd.me.identity, ...others.slice(this.first)]
      : others;
    const shown = paged ? all.slice(page * perPage, (page + 1) * perPage) : all;
    const tiles = [
      ...placed(stage, places, true),
      ...placed(
        shown.map((identity) => ({ identity, source: 'camera' as const })),
        rects,
        false,
      ),
    ];
    this.tell({ view: before.view, pinned, tiles, page, pages });
    this.lookAgain(sitters, now);
  }

  /** Who spoke too early to take the stage or a seat is looked at again. */
  private lookAgain(sitters: readonly Person[], now: number): void {
    clearTimeout(this.timer);
    const times = sitters.map(({ speaking, speaksSince }) => (speaking ? speaksSince + BRINGS_MS : 0));
    if (this.speaker) times.push(this.speaker.since + HOLD_MS);
    const next = Math.min(...times.filter((at) => at > now));
    if (next < Infinity) this.timer = setTimeout(() => this.update(), next - now);
  }

  private stage(
    everyone: readonly Person[],
    pinned: TileKey | undefined,
    view: ViewKind,
    now: number,
  ): TileKey[] {
    if (pinned) return [pinned];
    const screens = everyone.filter(({ screen }) => screen).slice(0, MOST_SCREENS);
    if (screens.length > 0) return screens.map(({ identity }) => ({ identity, source: 'screen_share' }));
    if (view === 'grid') return [];
    this.speaker = nextOnStage(this.speaker, everyone, this.loudest, now);
    clearTimeout(this.timer);
    // Who spoke too early to take the stage is looked at again.
    if (this.speaker && now - this.speaker.since < HOLD_MS)
      this.timer = setTimeout(() => this.update(), HOLD_MS);
    return this.speaker ? [{ identity: this.speaker.identity, source: 'camera' }] : [];
  }

  private tell(scene: Scene): void {
    const { tiles, ...rest } = this.get();
    const same =
      tiles.length === scene.tiles.length && tiles.every((tile, n) => samePlace(tile, scene.tiles[n]));
    const unchanged = rest.view === scene.view && rest.page === scene.page && rest.pages === scene.pages;
    if (same && unchanged && sameTile(rest.pinned, scene.pinned)) return;
    this.set(same ? { ...scene, tiles } : scene);
  }
}

/** Who only listens need not look at their own letters. */
const hasOwnTile = ({ me }: Crowd) => me.identity !== '' && me.role !== 'listener';

const shows = (person: Person, tile: TileKey | undefined) =>
  tile !== undefined && person.identity === tile.identity && (tile.source === 'camera' || person.screen);

function placed(keys: readonly TileKey[], rects: readonly Rect[], staged: boolean): PlacedTile[] {
  return keys.flatMap((key, n) => {
    const rect = rects[n];
    return rect ? [{ ...key, ...rect, staged }] : [];
  });
}

function samePlace(a: PlacedTile, b: PlacedTile | undefined): boolean {
  return (
    sameTile(a, b) &&
    a.staged === b?.staged &&
    a.x === b.x &&
    a.y === b.y &&
    a.width === b.width &&
    a.height === b.height
  );
}
