// Where tiles go: a grid that wastes the least of the box, or a big stage with the others beside it, and as many on one
// page as stay pleasant to look at. Pure geometry, in CSS pixels; tiles are placed absolutely, so a change of layout moves
// a <video> instead of rebuilding it.

export interface Rect {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Box {
  width: number;
  height: number;
}

export interface Arrangement {
  stage: Rect[];
  /** The seats of a full page; people beyond them are on further pages. */
  seats: Rect[];
  /** Whether there are further pages, and so a line for turning them at the bottom. */
  paged: boolean;
}

const GAP = 10;
/** The line for turning pages, below the tiles. */
export const PAGER_HEIGHT = 52;
const WIDEST = 16 / 9;
/** How upright a tile may be: on a phone held upright more than on a desk. */
const NARROWEST = { upright: 3 / 4, wide: 5 / 4 };
/** A page holds no more than this, and fewer where tiles would get smaller than a face is worth. */
const MOST = { upright: 8, wide: 25 };
const LEAST = { width: 150, height: 90, uprightHeight: 112 };

/** Lays out `staged` tiles first and big, and as many of `others` as go on one page. */
export function arrange(staged: number, others: number, box: Box): Arrangement {
  if (box.width <= 0 || box.height <= 0) return { stage: [], seats: [], paged: false };
  const whole = split(staged, others, box);
  if (!whole.rest || others <= capacity(whole.rest)) return fill(whole, staged, others, false);
  // Pages have to be turned: their line takes its place from the tiles.
  const above = split(staged, others, { width: box.width, height: box.height - PAGER_HEIGHT });
  const seats = above.rest ? Math.min(others, capacity(above.rest)) : 0;
  return fill(above, staged, seats, true);
}

/** How many tiles fit on a page of this size. */
export function capacity(box: Box): number {
  const upright = box.height > box.width;
  const least = {
    width: Math.min(LEAST.width, box.width),
    height: Math.min(upright ? LEAST.uprightHeight : LEAST.height, box.height),
  };
  for (let count = upright ? MOST.upright : MOST.wide; count > 1; count -= 1) {
    const [tile] = grid(count, box);
    if (tile && tile.width >= least.width && tile.height >= least.height) return count;
  }
  return 1;
}

interface Areas {
  stage?: Box;
  rest?: Box & { x: number; y: number };
}

function split(staged: number, others: number, box: Box): Areas {
  if (staged === 0) return { rest: { ...box, x: 0, y: 0 } };
  if (others === 0) return { stage: box };
  if (box.height > box.width) {
    // What is on a stage is mostly wide: where people need the height, a tall stage would only grow its bars.
    const wide = box.width * 0.75 * Math.min(staged, 2);
    const height = others <= 2 ? box.height * 0.58 : Math.min(box.height * 0.5, wide);
    const y = height + GAP;
    return {
      stage: { width: box.width, height },
      rest: { x: 0, y, width: box.width, height: box.height - y },
    };
  }
  const width = Math.min(280, Math.max(160, box.width * 0.22));
  const x = box.width - width;
  return { stage: { width: x - GAP, height: box.height }, rest: { x, y: 0, width, height: box.height } };
}

function fill({ stage, rest }: Areas, staged: number, seats: number, paged: boolean): Arrangement {
  return {
    stage: stage ? grid(staged, stage, true) : [],
    seats: rest ? grid(seats, rest).map((rect) => ({ ...rect, x: rect.x + rest.x, y: rect.y + rest.y })) : [],
    paged,
  };
}

/** With more than these a last row with gaps counts against an arrangement: full pages are to look full. */
const FEW = 9;

/** @param whole tiles fill their cells: for a stage, where a picture may be shown whole with bars beside it */
export function grid(count: number, box: Box, whole = false): Rect[] {
  const narrowest = box.height > box.width ? NARROWEST.upright : NARROWEST.wide;
  let best = { columns: 0, width: 0, height: 0, worth: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (box.width - GAP * (columns - 1)) / columns,
      height: (box.height - GAP * (rows - 1)) / rows,
    };
    if (cell.width <= 0 || cell.height <= 0) continue;
    const width = whole ? cell.width : Math.min(cell.width, cell.height * WIDEST);
    const height = whole ? cell.height : Math.min(cell.height, width / narrowest);
    const worth = width * height * (count > FEW ? count / (columns * rows) : 1);
    if (worth > best.worth) best = { columns, width, height, worth };
  }
  return best.columns > 0 ? place(count, best.columns, best, box) : [];
}

/** Rows of equal tiles, the last row centred, the whole centred in the box. */
function place(count: number, columns: number, tile: Box, box: Box): Rect[] {
  const rows = Math.ceil(count / columns);
  const total = rows * tile.height + (rows - 1) * GAP;
  const top = Math.max(0, (box.height - total) / 2);
  return Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (box.width - inRow * tile.width - (inRow - 1) * GAP) / 2;
    return {
      x: left + (index % columns) * (tile.width + GAP),
      y: top + row * (tile.height + GAP),
      ...{ width: tile.width, height: tile.height },
    };
  });
}
