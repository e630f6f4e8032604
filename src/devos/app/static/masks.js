// @ts-check
/** Masks from runs of labels to something that a canvas can draw. */
/** @import * as M from "./messages" */

/** @typedef {{frame: number, name: string, width: number, height: number, labels: Uint16Array, clicks: [number, number, boolean, number][], version: string, revision: number}} Mask */

/** @param {M.MaskMessage} message @returns {Mask} */
export function decoded(message) {
  const labels = new Uint16Array(message.width * message.height);
  let at = 0;
  for (let i = 0; i < message.runs.length; i += 2) {
    const end = at + message.runs[i + 1];
    if (message.runs[i]) labels.fill(message.runs[i], at, end);
    at = end;
  }
  return { ...message, labels, clicks: /** @type {any} */ (message.clicks) };
}

/** @param {string} hex @param {number} alpha a byte @returns {number} as little-endian RGBA */
function packed(hex, alpha) {
  const value = parseInt(hex.slice(1), 16);
  return ((alpha << 24) | ((value & 255) << 16) | (value & 0xff00) | (value >> 16)) >>> 0;
}

/**
 * Paint a mask: translucent inside, solid along its edge.
 * @param {Mask} mask @param {Map<number, string>} colours of the objects to be seen, by id
 * @param {number} opacity 0 to 1 @param {HTMLCanvasElement} canvas
 */
export function paint(mask, colours, opacity, canvas) {
  const { width, height, labels } = mask;
  canvas.width = width;
  canvas.height = height;
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const picture = context.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  const inside = new Map(), edge = new Map();
  for (const [id, colour] of colours) {
    inside.set(id, packed(colour, Math.round(opacity * 255)));
    edge.set(id, packed(colour, opacity > 0 ? 255 : 0));
  }
  const reach = Math.max(1, Math.round(Math.min(width, height) / 480));
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++, at++) {
      const id = labels[at];
      if (!id || !inside.has(id)) continue;
      const isEdge = x < reach || x >= width - reach || y < reach || y >= height - reach
        || labels[at - reach] !== id || labels[at + reach] !== id
        || labels[at - reach * width] !== id || labels[at + reach * width] !== id;
      pixels[at] = (isEdge ? edge : inside).get(id);
    }
  }
  context.putImageData(picture, 0, 0);
}
