// @ts-check
/** What the pointer does on the frame: each tool turns it into one message. */
/** @import * as M from "./messages" */
/** @import { View, Point } from "./view.js" */

/** @typedef {{name: "click" | "box" | "brush" | "eraser" | "polygon" | "fill" | "hand", label: string, key: string, hint: string}} Tool */
/** @typedef {{frame: number, object: number, colour: string}} Target */

/** @type {Tool[]} */
export const TOOLS = [
  { name: "click", label: "Click", key: "c", hint: "Click on the object. Right button, or Alt: this is not it." },
  { name: "box", label: "Box", key: "x", hint: "Drag a box around the object." },
  { name: "brush", label: "Brush", key: "b", hint: "Paint. Shift: a straight line from the last point. Alt: erase." },
  { name: "eraser", label: "Eraser", key: "e", hint: "Erase from this object. Shift: a straight line." },
  { name: "polygon", label: "Polygon", key: "p", hint: "A point with each click; the first one, Enter or a double click closes. Alt: cut out." },
  { name: "fill", label: "Fill", key: "f", hint: "Click into a hole to fill it. Alt, on a piece: remove it." },
  { name: "hand", label: "Move", key: "h", hint: "Drag to move the picture, wheel to zoom." },
];

export class Pointer {
  /**
   * @param {View} view
   * @param {{target: () => Target | null, send: (edit: M.Edit) => void, say: (text: string) => void}} page
   */
  constructor(view, page) {
    this.view = view;
    this.page = page;
    this.tool = TOOLS[0];
    this.radius = 12;
    /** @type {Point[]} */
    this.points = [];
    /** @type {Point | null} */
    this.hover = null;
    /** Where the last stroke ended. @type {Point | null} */
    this.last = null;
    /** What the button that is down does. @type {"" | "pan" | "draw"} */
    this.doing = "";
    this.erase = false;
    const { canvas } = view;
    canvas.addEventListener("pointerdown", (event) => this.down(event));
    canvas.addEventListener("pointermove", (event) => this.move(event));
    canvas.addEventListener("pointerup", (event) => this.up(event));
    canvas.addEventListener("pointercancel", () => this.cancel());
    canvas.addEventListener("pointerleave", () => { this.hover = null; this.view.draw(); });
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("dblclick", () => this.close());
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const { x, y } = this.place(event);
      view.zoom(Math.exp(-event.deltaY * (event.ctrlKey ? 0.01 : 0.002)), x, y);
    }, { passive: false });
    /** Fingers on the screen. @type {Map<number, {x: number, y: number}>} */
    this.fingers = new Map();
    view.preview = (context, scale) => this.draw(context, scale);
  }

  /** @param {string} name */
  choose(name) {
    this.cancel();
    this.tool = TOOLS.find((tool) => tool.name === name) ?? this.tool;
    this.view.canvas.style.cursor = this.tool.name === "hand" ? "grab" : ["brush", "eraser"].includes(this.tool.name) ? "none" : "crosshair";
    this.view.draw();
  }

  /** Of the canvas. @param {MouseEvent} event */
  place(event) {
    const box = this.view.canvas.getBoundingClientRect();
    const x = event.clientX - box.left;
    return { x: this.view.before && x >= this.view.room.width ? x - this.view.room.width : x, y: event.clientY - box.top };
  }

  /** @param {MouseEvent} event @returns {Point} */
  at(event) {
    const { x, y } = this.place(event);
    return this.view.toFrame(x, y);
  }

  /** @param {Point} point */
  isInside({ x, y }) {
    return x >= -0.5 && y >= -0.5 && x < this.view.size.width - 0.5 && y < this.view.size.height - 0.5;
  }

  /** @param {PointerEvent} event */
  down(event) {
    this.view.canvas.setPointerCapture(event.pointerId);
    this.view.canvas.focus({ preventScroll: true });
    this.view.cross = null;
    if (event.pointerType === "touch") {
      this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
      if (this.fingers.size > 1) {
        this.points = [];
        this.doing = "pan";
        return;
      }
    }
    if (event.button === 1 || this.tool.name === "hand") {
      this.doing = "pan";
      return;
    }
    const other = event.button === 2 || event.altKey || (event.buttons & 32) !== 0;
    const point = this.at(event);
    if (this.tool.name === "polygon") {
      this.erase = other;
      this.addCorner(point);
      return;
    }
    this.doing = "draw";
    this.erase = other || this.tool.name === "eraser";
    const strokes = ["brush", "eraser"].includes(this.tool.name);
    this.points = strokes && event.shiftKey && this.last ? [this.last, point] : [point];
    this.hover = point;
    this.view.draw();
  }

  /** @param {PointerEvent} event */
  move(event) {
    this.hover = this.at(event);
    if (this.doing === "pan") {
      if (this.fingers.size > 1) this.pinch(event);
      else this.view.pan(event.movementX, event.movementY);
    } else if (this.doing === "draw") {
      if (["brush", "eraser"].includes(this.tool.name)) {
        const coalesced = event.getCoalescedEvents?.() ?? [];
        for (const one of coalesced.length ? coalesced : [event]) this.points.push(this.at(one));
      } else this.points[1] = this.hover;
    }
    this.view.draw();
  }

  /** @param {PointerEvent} event */
  pinch(event) {
    const before = [...this.fingers.values()];
    this.fingers.set(event.pointerId, { x: event.clientX, y: event.clientY });
    const after = [...this.fingers.values()];
    const gap = (/** @type {{x: number, y: number}[]} */ f) => Math.hypot(f[0].x - f[1].x, f[0].y - f[1].y) || 1;
    const middle = (/** @type {{x: number, y: number}[]} */ f) => ({ x: (f[0].x + f[1].x) / 2, y: (f[0].y + f[1].y) / 2 });
    const [from, to] = [middle(before), middle(after)], box = this.view.canvas.getBoundingClientRect();
    this.view.pan(to.x - from.x, to.y - from.y);
    this.view.zoom(gap(after) / gap(before), to.x - box.left, to.y - box.top);
  }

  /** @param {PointerEvent} event */
  up(event) {
    this.fingers.delete(event.pointerId);
    const doing = this.doing;
    if (this.fingers.size === 0) this.doing = "";
    if (doing !== "draw") return;
    const points = this.points;
    this.points = [];
    this.finish(points);
    this.view.draw();
  }

  /** @param {Point[]} points */
  finish(points) {
    const end = points[points.length - 1];
    const name = this.tool.name;
    if (name === "click" || name === "fill") {
      if (!this.isInside(points[0])) return;
      this.point(points[0], this.erase);
    } else if (name === "box") {
      if (points.length < 2 || Math.hypot(end.x - points[0].x, end.y - points[0].y) < 3) {
        this.page.say("Drag a box around the object.");
        return;
      }
      this.send({ kind: "box", left: points[0].x + 0.5, top: points[0].y + 0.5, right: end.x + 0.5, bottom: end.y + 0.5 });
    } else {
      this.last = end;
      this.send({ kind: "brush", points: thinned(points), radius: this.radius, erase: this.erase });
    }
  }

  /** A click or a fill. @param {Point} point @param {boolean} erase */
  point(point, erase) {
    const at = { x: round(point.x), y: round(point.y) };
    if (this.tool.name === "fill") this.send({ kind: "fill", ...at, erase });
    else this.send({ kind: "click", ...at, is_object: !erase });
  }

  /** @param {Point} point */
  addCorner(point) {
    const first = this.points[0];
    if (first && this.points.length > 2 && Math.hypot(first.x - point.x, first.y - point.y) * this.view.scale < 10) this.close();
    else this.points.push(point);
    this.view.draw();
  }

  /** Close the polygon. @returns {boolean} whether there was one */
  close() {
    if (this.tool.name !== "polygon" || this.points.length < 3) return false;
    const points = this.points.map(({ x, y }) => /** @type {[number, number]} */ ([round(x), round(y)]));
    this.points = [];
    this.send({ kind: "polygon", points, erase: this.erase });
    this.view.draw();
    return true;
  }

  /** Forget what was begun. @returns {boolean} whether there was something */
  cancel() {
    const any = this.points.length > 0;
    this.points = [];
    this.doing = "";
    this.view.draw();
    return any;
  }

  /** @param {any} edit */
  send(edit) {
    const target = this.page.target();
    if (target) this.page.send({ ...edit, frame: target.frame, object: target.object });
  }

  /** @param {CanvasRenderingContext2D} context @param {number} scale */
  draw(context, scale) {
    const colour = this.page.target()?.colour ?? "#fff", name = this.tool.name;
    context.lineWidth = 1.5 / scale;
    context.strokeStyle = "#fff";
    context.fillStyle = colour;
    if (name === "brush" || name === "eraser") {
      if (this.points.length) strokePreview(context, this.points, this.radius, this.erase ? "#0009" : colour);
      if (this.hover) {
        context.beginPath();
        context.arc(this.hover.x, this.hover.y, this.radius, 0, 7);
        context.stroke();
        context.setLineDash([4 / scale, 4 / scale]);
        context.strokeStyle = "#000";
        context.stroke();
        context.setLineDash([]);
      }
    } else if (name === "box" && this.points.length > 1) {
      const [a, b] = this.points;
      context.strokeRect(a.x, a.y, b.x - a.x, b.y - a.y);
    } else if (name === "polygon" && this.points.length) {
      context.beginPath();
      for (const { x, y } of [...this.points, ...(this.hover ? [this.hover] : [])]) context.lineTo(x, y);
      context.globalAlpha = 0.3;
      context.fill();
      context.globalAlpha = 1;
      context.stroke();
      for (const { x, y } of this.points) context.fillRect(x - 3 / scale, y - 3 / scale, 6 / scale, 6 / scale);
    }
  }
}

/** @param {CanvasRenderingContext2D} context @param {Point[]} points @param {number} radius @param {string} colour */
function strokePreview(context, points, radius, colour) {
  context.save();
  context.globalAlpha = 0.6;
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = radius * 2;
  context.strokeStyle = colour;
  context.beginPath();
  context.moveTo(points[0].x, points[0].y);
  for (const { x, y } of points) context.lineTo(x, y);
  if (points.length === 1) context.lineTo(points[0].x + 0.01, points[0].y);
  context.stroke();
  context.restore();
}

/** @param {number} value */
function round(value) {
  return Math.round(value * 10) / 10;
}

/** Points that say something new. @param {Point[]} points @returns {[number, number][]} */
function thinned(points) {
  /** @type {[number, number][]} */
  const kept = [];
  for (const { x, y } of points) {
    const last = kept[kept.length - 1];
    if (!last || Math.hypot(last[0] - x, last[1] - y) >= 0.5) kept.push([round(x), round(y)]);
  }
  return kept.slice(0, 20000);
}
