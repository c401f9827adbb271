// Where tiles go: a grid that wastes the least of the box, or a big stage with the others beside it. Pure geometry,
// in CSS pixels; tiles are placed absolutely, so a change of layout moves a <video> instead of rebuilding it.

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
  rects: Rect[];
  /** Height of everything; more than the box's when it has to scroll. */
  height: number;
}

const GAP = 10;
/** Tiles don't get narrower than this; then the grid scrolls. */
const MIN_WIDTH = 132;
const WIDEST = 16 / 9;
/** How upright a tile may be: on a phone held upright more than on a desk. */
const NARROWEST = { upright: 3 / 4, wide: 5 / 4 };

/** Lays out `shares` screen shares first and big, and `cameras` after them. */
export function arrange(shares: number, cameras: number, box: Box): Arrangement {
  if (box.width <= 0 || box.height <= 0) return { rects: [], height: 0 };
  if (shares === 0) return grid(cameras, box);
  if (cameras === 0) return grid(shares, box, true);
  const upright = box.height > box.width;
  if (upright) {
    // Screens are mostly wide: where people need the height, a tall stage would only grow its bars.
    const wide = box.width * 0.75 * Math.min(shares, 2);
    const stageHeight = cameras <= 2 ? box.height * 0.58 : Math.min(box.height * 0.5, wide);
    const stage = grid(shares, { width: box.width, height: stageHeight }, true);
    const rest = grid(cameras, { width: box.width, height: box.height - stageHeight - GAP });
    return beside(stage, rest, { x: 0, y: stageHeight + GAP });
  }
  const column = Math.min(280, Math.max(160, box.width * 0.22));
  const stage = grid(shares, { width: box.width - column - GAP, height: box.height }, true);
  const rest = grid(cameras, { width: column, height: box.height });
  return beside(stage, rest, { x: box.width - column, y: 0 });
}

function beside(stage: Arrangement, rest: Arrangement, at: { x: number; y: number }): Arrangement {
  const moved = rest.rects.map((rect) => ({ ...rect, x: rect.x + at.x, y: rect.y + at.y }));
  return { rects: [...stage.rects, ...moved], height: Math.max(stage.height, rest.height + at.y) };
}

/** @param whole tiles fill their cells: for screens, whose picture is shown whole with bars beside it */
export function grid(count: number, box: Box, whole = false): Arrangement {
  if (count === 0) return { rects: [], height: 0 };
  const narrowest = box.height > box.width ? NARROWEST.upright : NARROWEST.wide;
  let best = { columns: 1, width: 0, height: 0 };
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cell = {
      width: (box.width - GAP * (columns - 1)) / columns,
      height: (box.height - GAP * (rows - 1)) / rows,
    };
    if (cell.width <= 0 || cell.height <= 0) continue;
    const width = whole ? cell.width : Math.min(cell.width, cell.height * WIDEST);
    const height = whole ? cell.height : Math.min(cell.height, width / narrowest);
    if (width * height > best.width * best.height) best = { columns, width, height };
  }
  if (best.width < Math.min(MIN_WIDTH, box.width)) return scrollingGrid(count, box);
  return place(count, best.columns, best, box);
}

function scrollingGrid(count: number, box: Box): Arrangement {
  const columns = Math.max(1, Math.floor((box.width + GAP) / (MIN_WIDTH + GAP)));
  const width = (box.width - GAP * (columns - 1)) / columns;
  return place(count, columns, { width, height: (width * 3) / 4 }, box);
}

/** Rows of equal tiles, the last row centred, the whole centred in the box as far as it fits. */
function place(count: number, columns: number, tile: Box, box: Box): Arrangement {
  const rows = Math.ceil(count / columns);
  const total = rows * tile.height + (rows - 1) * GAP;
  const top = Math.max(0, (box.height - total) / 2);
  const rects = Array.from({ length: count }, (_, index) => {
    const row = Math.floor(index / columns);
    const inRow = row === rows - 1 ? count - row * columns : columns;
    const left = (box.width - inRow * tile.width - (inRow - 1) * GAP) / 2;
    return {
      x: left + (index % columns) * (tile.width + GAP),
      y: top + row * (tile.height + GAP),
      ...{ width: tile.width, height: tile.height },
    };
  });
  return { rects, height: Math.max(total, box.height) };
}
