// @ts-check
/** The frame on the screen: zoom, pan, masks over it, and what is being drawn. */
import { paint } from "./masks.js";
/** @import { Mask } from "./masks.js" */

/** @typedef {{x: number, y: number}} Point in pixels of the frame */
/** @typedef {(context: CanvasRenderingContext2D, scale: number) => void} Preview drawn in pixels of the frame */

const MOST_ZOOM = 64;

export class View {
  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.canvas = canvas;
    this.context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    this.layer = document.createElement("canvas");
    this.earlier = document.createElement("canvas");
    /** @type {ImageBitmap | null} */
    this.picture = null;
    /** @type {Mask | null} */
    this.mask = null;
    /** What was before, to be seen on the left. @type {Mask | null} */
    this.before = null;
    this.size = { width: 1, height: 1 };
    this.scale = 1;
    this.left = 0;
    this.top = 0;
    this.fits = true;
    /** @type {Map<number, string>} */
    this.colours = new Map();
    this.opacity = 0.45;
    /** @type {Preview | null} */
    this.preview = null;
    /** Where the keyboard points. @type {Point | null} */
    this.cross = null;
    /** @type {() => void} */
    this.onzoom = () => undefined;
    this.waits = false;
    new ResizeObserver(() => this.resize()).observe(canvas);
  }

  get ratio() {
    return window.devicePixelRatio || 1;
  }

  /** Width of one picture on the screen, in CSS pixels: half of it all when two are compared. */
  get room() {
    return { width: this.canvas.clientWidth / (this.before ? 2 : 1), height: this.canvas.clientHeight };
  }

  resize() {
    this.canvas.width = Math.round(this.canvas.clientWidth * this.ratio);
    this.canvas.height = Math.round(this.canvas.clientHeight * this.ratio);
    if (this.fits) this.fit();
    this.draw();
  }

  fit() {
    const { width, height } = this.room;
    this.scale = Math.min(width / this.size.width, height / this.size.height) || 1;
    this.left = (width - this.size.width * this.scale) / 2;
    this.top = (height - this.size.height * this.scale) / 2;
    this.fits = true;
    this.onzoom();
    this.draw();
  }

  /** @param {number} factor @param {number} x @param {number} y of the canvas, in CSS pixels */
  zoom(factor, x = this.room.width / 2, y = this.room.height / 2) {
    const scale = Math.min(MOST_ZOOM, Math.max(0.05, this.scale * factor));
    this.left = x - ((x - this.left) * scale) / this.scale;
    this.top = y - ((y - this.top) * scale) / this.scale;
    this.scale = scale;
    this.fits = false;
    this.onzoom();
    this.draw();
  }

  /** @param {number} dx @param {number} dy in CSS pixels */
  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.fits = false;
    this.draw();
  }

  /** Where on the frame a place of the canvas is. @param {number} x @param {number} y @returns {Point} */
  toFrame(x, y) {
    const half = this.room.width;
    const inside = this.before && x >= half ? x - half : x;
    return { x: (inside - this.left) / this.scale - 0.5, y: (y - this.top) / this.scale - 0.5 };
  }

  /** @param {ImageBitmap | null} picture @param {Mask | null} mask @param {Mask | null} before */
  show(picture, mask, before = null) {
    const compared = Boolean(before) !== Boolean(this.before);
    if (picture) this.picture = picture;
    if (mask !== this.mask || before !== this.before) {
      this.mask = mask;
      this.before = before;
      this.repaint();
    }
    if (compared && this.fits) this.fit();
    this.draw();
  }

  repaint() {
    if (this.mask) paint(this.mask, this.colours, this.opacity, this.layer);
    if (this.before) paint(this.before, this.colours, this.opacity, this.earlier);
    this.draw();
  }

  draw() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => {
      this.waits = false;
      this.drawNow();
    });
  }

  drawNow() {
    const { context } = this, half = this.room.width;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (this.before) {
      this.drawOne(0, half, this.before, this.earlier, false);
      this.drawOne(half, half, this.mask, this.layer, true);
      this.caption("before", 8);
      this.caption("now", half + 8);
    } else this.drawOne(0, half, this.mask, this.layer, true);
  }

  /** @param {number} start @param {number} width @param {Mask | null} mask @param {HTMLCanvasElement} layer @param {boolean} now */
  drawOne(start, width, mask, layer, now) {
    const { context, ratio, scale, size } = this;
    context.save();
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.beginPath();
    context.rect(start, 0, width, this.canvas.clientHeight);
    context.clip();
    context.translate(start + this.left, this.top);
    context.scale(scale, scale);
    context.imageSmoothingEnabled = scale < 3;
    if (this.picture) context.drawImage(this.picture, 0, 0, size.width, size.height);
    context.imageSmoothingEnabled = scale < 1;
    if (mask) context.drawImage(layer, 0, 0, size.width, size.height);
    context.translate(0.5, 0.5); // centres of pixels are at whole numbers
    if (now && mask) for (const click of mask.clicks) if (this.colours.has(click[3])) this.drawClick(click);
    if (now && this.preview) this.preview(context, scale);
    if (now && this.cross) this.drawCross(this.cross);
    context.restore();
  }

  /** @param {[number, number, boolean, number]} click */
  drawClick([x, y, isObject]) {
    const { context, scale } = this, r = 6 / scale;
    context.lineWidth = 2 / scale;
    context.beginPath();
    context.arc(x, y, r, 0, 7);
    context.fillStyle = isObject ? "#00a870" : "#d6304a";
    context.fill();
    context.strokeStyle = "#fff";
    context.stroke();
    context.beginPath();
    context.moveTo(x - r / 2, y);
    context.lineTo(x + r / 2, y);
    if (isObject) {
      context.moveTo(x, y - r / 2);
      context.lineTo(x, y + r / 2);
    }
    context.stroke();
  }

  /** @param {Point} point */
  drawCross({ x, y }) {
    const { context, scale } = this, r = 16 / scale;
    for (const [colour, width] of /** @type {[string, number][]} */ ([["#000", 4], ["#fff", 2]])) {
      context.strokeStyle = colour;
      context.lineWidth = width / scale;
      context.beginPath();
      context.moveTo(x - r, y);
      context.lineTo(x + r, y);
      context.moveTo(x, y - r);
      context.lineTo(x, y + r);
      context.stroke();
    }
  }

  /** @param {string} text @param {number} x */
  caption(text, x) {
    const { context } = this;
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.font = "13px system-ui, sans-serif";
    const y = this.canvas.clientHeight - 14;
    context.fillStyle = "#000b";
    context.fillRect(x - 4, y - 14, context.measureText(text).width + 8, 20);
    context.fillStyle = "#fff";
    context.fillText(text, x, y);
  }
}
