// Paints one of many made-up people before a wall of their own, at one moment of a round that begins anew without a jump. It is sent to
// the browser as source, so it refers to nothing outside itself.

/**
 * @param {CanvasRenderingContext2D} pen
 * @param {number} w
 * @param {number} h
 * @param {number} actor  who: decides everything about the looks
 * @param {number} turn  from 0 to 1: when
 */
export function paintActor(pen, w, h, actor, turn) {
  const pick = (/** @type {any[]} */ from, /** @type {number} */ step) => from[Math.floor(actor * step + actor / from.length) % from.length];
  const skin = pick(['#f2cfb1', '#8a5a3b', '#e0ac80', '#c68d60', '#5f3d2a', '#f6dcc6', '#b0784e', '#d99f76'], 1);
  const hair = pick(['#2a1c14', '#151010', '#6d4526', '#b98a4a', '#8d8d93', '#3b2a20', '#a3522a'], 3);
  const shirt = pick(['#3f5f8f', '#a8483f', '#3d7a5f', '#7a5a94', '#c99a3c', '#46525e', '#d7d3cb', '#2f7f92'], 5);
  const wall = pick(
    [['#d9cdbb', '#b9ab97'], ['#8fa3ad', '#6b808c'], ['#c7b3a6', '#a08a7c'], ['#7f8f7a', '#62725e'], ['#b7bdc9', '#8f97a6'], ['#54606f', '#3a4450'], ['#cfa98c', '#a87f62']],
    2,
  );
  const style = actor % 5;
  const swing = (/** @type {number} */ times, /** @type {number} */ shift) => Math.sin(2 * Math.PI * (times * turn + shift));
  const shape = (/** @type {string | CanvasGradient} */ fill, /** @type {() => void} */ path) => {
    pen.beginPath();
    path();
    pen.fillStyle = fill;
    pen.fill();
  };
  const oval = (/** @type {string} */ fill, /** @type {number} */ x, /** @type {number} */ y, /** @type {number} */ rx, /** @type {number} */ ry) =>
    shape(fill, () => pen.ellipse(x, y, rx, ry, 0, 0, 7));

  // The wall, lit from one side, with something on it.
  const light = pen.createLinearGradient(actor % 2 ? 0 : w, 0, actor % 2 ? w : 0, h);
  light.addColorStop(0, wall[0]);
  light.addColorStop(1, wall[1]);
  pen.fillStyle = light;
  pen.fillRect(0, 0, w, h);
  const side = actor % 2 ? 0.06 : 0.72;
  if (actor % 4 === 0) {
    pen.fillStyle = 'rgb(60 42 30 / 55%)';
    pen.fillRect(w * side, h * 0.3, w * 0.22, h * 0.025);
    for (let book = 0; book < 7; book += 1) {
      pen.fillStyle = `hsl(${(actor * 47 + book * 61) % 360} 32% ${38 + ((book * 13) % 24)}%)`;
      const tall = h * (0.13 + ((book * 7) % 5) * 0.012);
      pen.fillRect(w * (side + 0.012 + book * 0.028), h * 0.3 - tall, w * 0.023, tall);
    }
  } else if (actor % 4 === 1) {
    pen.fillStyle = '#e9f1f5';
    pen.fillRect(w * side, h * 0.1, w * 0.2, h * 0.42);
    pen.fillStyle = wall[1];
    pen.fillRect(w * (side + 0.096), h * 0.1, w * 0.008, h * 0.42);
    pen.fillRect(w * side, h * 0.3, w * 0.2, h * 0.012);
  } else if (actor % 4 === 2) {
    for (let leaf = 0; leaf < 7; leaf += 1) {
      pen.save();
      pen.translate(w * (side + 0.1), h * 0.66);
      pen.rotate(-1.1 + leaf * 0.37 + swing(1, leaf / 7) * 0.015);
      oval(leaf % 2 ? '#4d7a4a' : '#3c6340', 0, -h * 0.17, w * 0.018, h * 0.17);
      pen.restore();
    }
    pen.fillStyle = '#a3593c';
    pen.fillRect(w * (side + 0.06), h * 0.66, w * 0.08, h * 0.16);
  } else {
    pen.fillStyle = '#f3efe8';
    pen.fillRect(w * side, h * 0.14, w * 0.19, h * 0.26);
    pen.fillStyle = `hsl(${(actor * 83) % 360} 34% 55%)`;
    pen.fillRect(w * (side + 0.014), h * 0.165, w * 0.162, h * 0.21);
  }

  const r = h * 0.2;
  const x = w / 2 + swing(1, actor / 9) * w * 0.014;
  const y = h * 0.43 + swing(2, actor / 7) * h * 0.007;
  if (style === 1 || style === 4) oval(hair, x, y + r * 0.35, r * 1.12, r * (style === 1 ? 1.55 : 1.2));
  // Shoulders, neck, collar.
  shape(shirt, () => pen.ellipse(x, h * 1.1, r * 2.15, h * 0.36, 0, 0, 7));
  pen.fillStyle = skin;
  pen.fillRect(x - r * 0.32, y + r * 0.6, r * 0.64, r * 0.75);
  oval(skin, x, y + r * 1.36, r * 0.42, r * 0.24);
  pen.fillStyle = 'rgb(60 25 10 / 16%)';
  pen.fillRect(x - r * 0.32, y + r * 0.86, r * 0.64, r * 0.22);
  // Head and ears.
  for (const ear of [-1, 1]) oval(skin, x + ear * r * 0.82, y + r * 0.08, r * 0.13, r * 0.2);
  oval(skin, x, y, r * 0.83, r * 1.03);
  if (actor % 6 === 2 && style !== 1 && style !== 4) shape(hair, () => pen.ellipse(x, y + r * 0.5, r * 0.74, r * 0.56, 0, 0, Math.PI));
  // Hair.
  if (style === 0) shape(hair, () => pen.ellipse(x, y - r * 0.42, r * 0.9, r * 0.72, 0, Math.PI, 0));
  if (style === 1) shape(hair, () => pen.ellipse(x - r * 0.1, y - r * 0.38, r * 0.95, r * 0.76, -0.12, Math.PI, 0));
  if (style === 2) for (let curl = 0; curl < 9; curl += 1) oval(hair, x + Math.cos(Math.PI + (curl * Math.PI) / 8) * r * 0.8, y - r * 0.4 + Math.sin(Math.PI + (curl * Math.PI) / 8) * r * 0.55, r * 0.3, r * 0.3);
  if (style === 3) shape(hair, () => pen.ellipse(x, y - r * 0.62, r * 0.72, r * 0.42, 0, Math.PI, 0));
  if (style === 4) shape(hair, () => pen.ellipse(x + r * 0.06, y - r * 0.36, r * 0.94, r * 0.78, 0.1, Math.PI, 0));
  // A face: brows, eyes that blink once in a round, a mouth that moves.
  const blink = Math.abs(turn - ((actor * 0.137) % 1)) < 0.02 ? 0.12 : 1;
  for (const eye of [-1, 1]) {
    oval('#fff', x + eye * r * 0.32, y + r * 0.02, r * 0.13, r * 0.085 * blink);
    oval('#2b1d18', x + eye * r * 0.32 + swing(1, 0.3) * r * 0.02, y + r * 0.02, r * 0.07, r * 0.08 * blink);
    pen.fillStyle = hair;
    pen.fillRect(x + eye * r * 0.32 - r * 0.16, y - r * 0.2, r * 0.32, r * 0.055);
  }
  pen.strokeStyle = 'rgb(90 40 20 / 40%)';
  pen.lineWidth = r * 0.05;
  pen.lineCap = 'round';
  pen.beginPath();
  pen.moveTo(x, y + r * 0.1);
  pen.lineTo(x - r * 0.06, y + r * 0.32);
  pen.lineTo(x + r * 0.05, y + r * 0.34);
  pen.stroke();
  oval('#8d4038', x, y + r * 0.6, r * 0.26, r * (0.06 + 0.04 * Math.max(0, swing(3, actor / 5))));
  if (actor % 3 === 1) {
    pen.strokeStyle = '#20242c';
    pen.lineWidth = r * 0.055;
    for (const eye of [-1, 1]) {
      pen.beginPath();
      pen.ellipse(x + eye * r * 0.33, y + r * 0.03, r * 0.24, r * 0.19, 0, 0, 7);
      pen.stroke();
    }
    pen.beginPath();
    pen.moveTo(x - r * 0.09, y);
    pen.lineTo(x + r * 0.09, y);
    pen.stroke();
  }
}
