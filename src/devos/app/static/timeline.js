// @ts-check
/** A row for each object: where it is, how sure the network is, where a person said something, and where the video cuts. */
/** @import * as M from "./messages" */

const NO_RESULT = 255, NOT_SEEN = 0;
const LABEL = 110, HEAD = 20, ROW = 17, MOST_ROWS = 8, THUMB = 34;
/** Below so many CSS pixels of the window there is no room for thumbnails. */
const LEAST_HEIGHT = 560;

/** @typedef {{frame: number, picture: ImageBitmap}} Thumb a frame near the middle of its cell */

export class Timeline {
  /** @param {HTMLCanvasElement} canvas @param {(frame: number) => void} seek @param {string} base of the project's addresses */
  constructor(canvas, seek, base) {
    this.canvas = canvas;
    this.seek = seek;
    this.base = base;
    /** Along the top, one beside the other. @type {(Thumb | null)[]} */
    this.thumbs = [];
    this.loading = false;
    this.isDragged = false;
    this.numFrames = 1;
    this.frame = 0;
    /** @type {Map<number, Uint8Array>} */
    this.rows = new Map();
    /** @type {M.State | null} */
    this.state = null;
    /** @type {number | null} */
    this.selected = null;
    /** Objects that have no result yet. @type {{id: number, name: string, colour: string}[]} */
    this.others = [];
    /** @type {[number | null, number | null]} */
    this.range = [null, null];
    this.waits = false;
    canvas.addEventListener("pointerdown", (event) => { canvas.setPointerCapture(event.pointerId); this.point(event); this.isDragged = true; });
    canvas.addEventListener("pointermove", (event) => { if (event.buttons) this.point(event); });
    for (const name of ["pointerup", "pointercancel"]) canvas.addEventListener(name, () => { this.isDragged = false; });
    new ResizeObserver(() => { this.loadThumbs(); this.draw(); }).observe(canvas);
  }

  /** Height of the thumbnails. */
  get above() {
    return window.innerHeight < LEAST_HEIGHT ? 0 : THUMB;
  }

  /** Fetch thumbnails, one after the other; those that are not near their place come again when there are more. */
  async loadThumbs() {
    if (this.loading || !this.state || !this.above || !this.state.proxied) return;
    this.loading = true;
    try {
      const { width, height } = this.state.video, room = this.canvas.clientWidth - LABEL;
      const count = Math.max(1, Math.min(this.numFrames, Math.ceil(room / ((this.above * width) / height))));
      if (this.thumbs.length !== count) this.thumbs = Array(count).fill(null);
      for (let place = 0; place < this.thumbs.length; place++) {
        const frame = Math.floor(((place + 0.5) * this.numFrames) / count), kept = this.thumbs[place];
        if (kept && Math.abs(kept.frame - frame) < (0.1 * this.numFrames) / count) continue;
        const response = await fetch(`${this.base}/thumb/${frame}`);
        if (response.status !== 200) continue;
        const at = Number(response.headers.get("Frame"));
        if (kept?.frame !== at) this.thumbs[place] = { frame: at, picture: await createImageBitmap(await response.blob()) };
        this.draw();
      }
    } catch { /* the server went away; what it says of that is told elsewhere */ } finally {
      this.loading = false;
    }
  }

  /** @param {M.Timeline} message */
  set(message) {
    this.numFrames = message.num_frames;
    this.rows = new Map(Object.entries(message.rows).map(([id, text]) => [Number(id), Uint8Array.from(atob(text), (c) => c.charCodeAt(0))]));
    this.draw();
  }

  /** @param {M.FrameDone} done */
  add(done) {
    if (done.frame >= this.numFrames) return;
    for (const [id, value] of Object.entries(done.scores)) {
      let row = this.rows.get(Number(id));
      if (!row) {
        row = new Uint8Array(this.numFrames).fill(NO_RESULT);
        this.rows.set(Number(id), row);
      }
      row[done.frame] = value;
    }
    this.draw();
  }

  /** @param {PointerEvent} event */
  point(event) {
    const box = this.canvas.getBoundingClientRect();
    const part = (event.clientX - box.left - LABEL) / Math.max(1, box.width - LABEL);
    this.seek(Math.min(this.numFrames - 1, Math.max(0, Math.floor(part * this.numFrames))));
  }

  /** @returns {{id: number, name: string, colour: string, marked: number[]}[]} */
  get objects() {
    const known = this.state?.objects ?? [];
    const ids = new Set(known.map((one) => one.id));
    return [...known, ...this.others.filter((one) => !ids.has(one.id)).map((one) => ({ ...one, marked: [] }))];
  }

  draw() {
    if (this.waits) return;
    this.waits = true;
    requestAnimationFrame(() => { this.waits = false; this.drawNow(); });
  }

  drawNow() {
    const { canvas } = this, ratio = window.devicePixelRatio || 1;
    const shown = this.visible();
    const top = this.above, height = top + HEAD + Math.max(1, shown.length) * ROW + 3;
    canvas.style.height = `${height}px`;
    const width = canvas.clientWidth;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    this.drawThumbs(context, width);
    context.setTransform(ratio, 0, 0, ratio, 0, top * ratio);
    const style = getComputedStyle(canvas), text = style.getPropertyValue("--text"), line = style.getPropertyValue("--line");
    const step = (width - LABEL) / this.numFrames;
    const x = (/** @type {number} */ frame) => LABEL + frame * step;
    context.font = "11.5px system-ui, sans-serif";
    context.textBaseline = "middle";
    this.drawHead(context, x, width, style);
    shown.forEach((object, place) => {
      const y = HEAD + place * ROW;
      context.fillStyle = object.colour;
      context.fillRect(4, y + 4, 9, 9);
      context.fillStyle = text;
      context.font = `${object.id === this.selected ? "700" : "400"} 11.5px system-ui, sans-serif`;
      context.fillText(`${object.id} ${object.name}`.slice(0, 15), 18, y + ROW / 2);
      context.fillStyle = line;
      context.fillRect(LABEL, y + ROW - 3, width - LABEL, 1);
      this.drawRow(context, object, x, y, step, width, text);
    });
    context.fillStyle = text;
    const at = x(this.frame + 0.5);
    context.fillRect(at - 1, -top, 2, height);
    context.beginPath();
    context.moveTo(at - 6, 0);
    context.lineTo(at + 6, 0);
    context.lineTo(at, 8);
    context.fill();
  }

  /** @param {CanvasRenderingContext2D} context @param {number} width */
  drawThumbs(context, width) {
    const count = this.thumbs.length, cell = (width - LABEL) / count;
    if (!this.above || !count) return;
    this.thumbs.forEach((thumb, place) => {
      if (!thumb) return;
      const { picture } = thumb, shown = Math.min(picture.width, (picture.height * cell) / this.above);
      context.drawImage(picture, (picture.width - shown) / 2, 0, shown, picture.height, LABEL + place * cell, 0, cell, this.above - 3);
    });
  }

  /** As many rows as have room, the selected one among them. */
  visible() {
    const all = this.objects;
    if (all.length <= MOST_ROWS) return all;
    const place = Math.max(0, all.findIndex((one) => one.id === this.selected));
    const start = Math.min(Math.max(0, place - MOST_ROWS + 1), all.length - MOST_ROWS);
    return all.slice(start, start + MOST_ROWS);
  }

  /** @param {CanvasRenderingContext2D} context @param {(frame: number) => number} x @param {number} width @param {CSSStyleDeclaration} style */
  drawHead(context, x, width, style) {
    const quiet = style.getPropertyValue("--quiet"), warn = style.getPropertyValue("--warn");
    const [first, last] = this.range;
    context.fillStyle = style.getPropertyValue("--ground");
    context.fillRect(LABEL, 0, width - LABEL, HEAD - 3);
    if (first !== null || last !== null) {
      context.fillStyle = style.getPropertyValue("--raised");
      context.fillRect(x(first ?? 0), 0, x((last ?? this.numFrames - 1) + 1) - x(first ?? 0), HEAD - 3);
    }
    context.fillStyle = quiet;
    const every = nice(this.numFrames / Math.max(1, (width - LABEL) / 90));
    for (let frame = 0; frame < this.numFrames; frame += every) {
      context.fillRect(x(frame), HEAD - 7, 1, 4);
      context.fillText(String(frame), x(frame) + 3, 8);
    }
    context.fillStyle = style.getPropertyValue("--cut");
    for (const frame of this.state?.cuts ?? []) {
      for (let y = -this.above; y < this.canvas.clientHeight; y += 5) context.fillRect(x(frame) - 0.5, y, 1.5, 3.5);
    }
    context.fillStyle = warn;
    for (const one of this.state?.look_at ?? []) triangle(context, x(one.frame + 0.5), HEAD - 4);
    context.fillStyle = style.getPropertyValue("--accent");
    for (const frame of this.state?.checked ?? []) context.fillRect(x(frame + 0.5) - 1.5, HEAD - 8, 3, 5);
  }

  /** @param {CanvasRenderingContext2D} context @param {{id: number, colour: string, marked: number[]}} object @param {(frame: number) => number} x @param {number} y @param {number} step @param {number} width @param {string} text */
  drawRow(context, object, x, y, step, width, text) {
    const row = this.rows.get(object.id);
    if (row) {
      const columns = Math.min(this.numFrames, Math.ceil(width - LABEL));
      const size = (width - LABEL) / columns;
      for (let column = 0; column < columns; column++) {
        const value = worst(row, Math.floor((column * this.numFrames) / columns), Math.floor(((column + 1) * this.numFrames) / columns));
        if (value === NO_RESULT) continue;
        context.fillStyle = object.colour;
        if (value === NOT_SEEN) {
          context.globalAlpha = 0.35;
          context.fillRect(LABEL + column * size, y + ROW - 4, size + 0.5, 2);
        } else {
          const sure = (value - 1) / 253, tall = 3 + 10 * Math.max(0, (sure - 0.5) * 2);
          context.globalAlpha = 0.3 + 0.7 * Math.max(0, (sure - 0.5) * 2);
          context.fillRect(LABEL + column * size, y + ROW - 3 - tall, size + 0.5, tall);
        }
      }
      context.globalAlpha = 1;
    }
    for (const frame of object.marked) diamond(context, x(frame) + step / 2, y + ROW / 2 - 1, text, object.colour);
  }
}

/** The least sure of some frames: what is to be seen, however many of them share a pixel. @param {Uint8Array} row @param {number} from @param {number} to */
function worst(row, from, to) {
  let least = NO_RESULT;
  for (let i = from; i < Math.max(to, from + 1); i++) if (row[i] !== NO_RESULT && (least === NO_RESULT || row[i] < least)) least = row[i];
  return least;
}

/** @param {number} least */
function nice(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  return [1, 2, 5, 10].map((one) => one * power).find((one) => one >= least) ?? 10 * power;
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y */
function triangle(context, x, y) {
  context.beginPath();
  context.moveTo(x - 4, y - 7);
  context.lineTo(x + 4, y - 7);
  context.lineTo(x, y);
  context.fill();
}

/** @param {CanvasRenderingContext2D} context @param {number} x @param {number} y @param {string} line @param {string} colour */
function diamond(context, x, y, line, colour) {
  context.beginPath();
  context.moveTo(x, y - 5);
  context.lineTo(x + 5, y);
  context.lineTo(x, y + 5);
  context.lineTo(x - 5, y);
  context.closePath();
  context.fillStyle = colour;
  context.fill();
  context.strokeStyle = line;
  context.lineWidth = 1.5;
  context.stroke();
}
