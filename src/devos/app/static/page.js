// @ts-check
/** The page of one project: what the server tells, what a person does, and what is seen of it. */
import { Desk, upload } from "./api.js";
import { bind } from "./binding.js";
import { FrameCache } from "./cache.js";
import { Exporting } from "./exporting.js";
import { decoded } from "./masks.js";
import { complain, drawDoubts, drawObjects, drawSteps, element, input, say } from "./panels.js";
import { Player } from "./player.js";
import { Screen } from "./screen.js";
import { Timeline } from "./timeline.js";
import { Pointer } from "./tools.js";
import { View } from "./view.js";
/** @import * as M from "./messages" */
/** @import { Shown } from "./panels.js" */

const COLOURS = ["#ff7a18", "#42baff", "#ffde38", "#f06ebe", "#00cd96", "#9678ff", "#f03e3e", "#cdebeb"];

/** The page of one project. */
export class Page {
  /**
   * @param {string} key @param {M.State} state @param {M.FormatInfo[]} formats of other tools, to be exported to
   * @param {() => void} theme makes dark what is light, and the other way round
   */
  constructor(key, state, formats, theme) {
    this.theme = theme;
    this.desk = new Desk(key);
    this.state = state;
    this.frame = Number(sessionStorage.getItem(`${key} frame`) ?? 0);
    /** @type {number | null} */
    this.selected = Number(sessionStorage.getItem(`${key} object`)) || null;
    /** @type {Set<number>} */
    this.hidden = new Set();
    /** @type {number | null} */
    this.solo = null;
    /** Objects that were added here and not marked yet. @type {Map<number, string>} */
    this.added = new Map();
    this.compares = false;
    /** Whether the frame that was followed last is shown. */
    this.watches = false;
    /** @type {M.Busy | null} */
    this.busy = state.busy;
    this.pending = 0;
    this.view = new View(/** @type {HTMLCanvasElement} */ (element("view")));
    this.view.size = { width: state.video.width, height: state.video.height };
    this.cache = new FrameCache(this.desk, () => this.view.size);
    this.timeline = new Timeline(/** @type {HTMLCanvasElement} */ (element("timeline")), (frame) => this.seek(frame), this.desk.base);
    this.pointer = new Pointer(this.view, { target: () => this.target(), send: (edit) => this.edit(edit), say });
    this.player = new Player(this.cache, {
      frame: () => this.frame, last: () => this.last, rate: () => this.state.video.fps,
      picture: (frame) => this.screen.quick(frame), go: (frame) => this.go(frame), changed: () => this.drawPlayer(),
    });
    this.screen = new Screen(this);
    this.exporting = new Exporting(this, formats);
    bind(this);
    this.update(state);
    this.view.fit();
    this.loadTimeline();
    this.go(this.frame);
    this.hear();
  }

  get last() {
    return this.state.video.num_frames - 1;
  }

  /** Device pixels that the frame fills. */
  get width() {
    return this.view.size.width * this.view.scale * this.view.ratio;
  }

  /** @returns {Shown[]} */
  get objects() {
    const known = new Set(this.state.objects.map((one) => one.id));
    for (const id of known) this.added.delete(id);
    const added = [...this.added].map(([id, name]) => ({ id, name, colour: COLOURS[(id - 1) % COLOURS.length], locked: false, seen: 0, marked: [] }));
    return [...this.state.objects, ...added];
  }

  /** @returns {import("./tools.js").Target | null} */
  target() {
    const object = this.objects.find((one) => one.id === this.selected);
    return object ? { frame: this.frame, object: object.id, colour: object.colour } : null;
  }

  // what the server tells

  hear() {
    let lost = false;
    this.desk.listen({
      state: (/** @type {M.State} */ state) => {
        if (lost) say("the server answers again");
        lost = false;
        this.hearState(state);
      },
      busy: (/** @type {M.Busy} */ busy) => { this.busy = busy; this.drawBusy(); },
      proxy: (/** @type {M.Proxied} */ proxied) => this.hearProxy(proxied),
      frame: (/** @type {M.FrameDone} */ done) => this.hearFrame(done),
      failed: (/** @type {{error: string}} */ failed) => say(failed.error, true),
      error: () => {
        if (!lost) say("the server does not answer; all that was done is kept. Start devos app again, and this page goes on", true);
        lost = true;
      },
    });
  }

  /** @param {M.State} state */
  hearState(state) {
    const isNew = state.revision !== this.state.revision;
    this.update(state);
    for (const note of state.notes) say(note);
    if (!isNew) return;
    this.cache.forget();
    this.loadTimeline();
    this.screen.show();
  }

  /** @param {M.FrameDone} done */
  hearFrame(done) {
    this.timeline.add(done);
    this.cache.forget(done.frame);
    if (this.watches) this.go(done.frame);
    else if (done.frame === this.frame) this.screen.show();
  }

  /** The small copy of the video has grown. @param {M.Proxied} proxied */
  hearProxy(proxied) {
    this.state.proxied = proxied.frames;
    this.state.cuts = proxied.cuts;
    this.timeline.loadThumbs();
    this.timeline.draw();
  }

  /** @param {M.State} state */
  update(state) {
    this.state = state;
    this.busy = state.busy;
    if (this.selected === null || !this.objects.some((one) => one.id === this.selected)) {
      if (!this.objects.length) this.added.set(1, "");
      this.selected = this.objects[0].id;
    }
    this.draw();
  }

  async loadTimeline() {
    try {
      this.timeline.set(await this.desk.timeline());
    } catch (error) {
      complain(error);
    }
  }

  // what is seen

  draw() {
    const { state } = this;
    document.title = `${state.video.name} - devos`;
    element("title").textContent = state.video.name;
    element("title").title = state.path;
    const choice = { selected: this.selected, hidden: this.hidden, solo: this.solo };
    drawObjects(this.objects, choice, {
      select: (id) => this.select(id), rename: (id, name) => this.rename(id, name), lock: (id) => this.lock(id),
      hide: (id) => this.hide(id), solo: (id) => this.only(id), remove: (id) => this.remove(id),
    });
    drawDoubts(state, (frame, object) => { this.select(object); this.seek(frame); });
    drawSteps(state);
    input("undo").disabled = !state.can_undo;
    input("redo").disabled = !state.can_redo;
    this.exporting.draw();
    this.view.colours = new Map(this.objects.filter((one) => this.isSeen(one.id)).map((one) => [one.id, one.colour]));
    this.view.repaint();
    Object.assign(this.timeline, { state, selected: this.selected, numFrames: state.video.num_frames, others: this.objects, range: this.range });
    this.drawBusy();
    this.drawPlayer();
    sessionStorage.setItem(`${this.desk.key} object`, String(this.selected));
  }

  /** @param {number} id */
  isSeen(id) {
    return this.solo === null ? !this.hidden.has(id) : this.solo === id;
  }

  drawBusy() {
    const { busy } = this, isFollowing = busy !== null && busy.what !== "export";
    element("stop").hidden = busy === null;
    element("follow").hidden = isFollowing;
    const waiting = [...new Set(this.state.waiting.map((one) => one.object))];
    let text = waiting.length ? `to follow: ${waiting.join(", ")}` : "";
    if (busy?.what === "start") text = "getting ready…";
    else if (busy) {
      const left = busy.seconds_left === null ? "" : `, ${Math.ceil(busy.seconds_left)} s left`;
      text = `${busy.what === "export" ? "exporting" : "following"} ${busy.done}/${busy.total}${left}`;
    }
    element("progress").textContent = text;
    element("busy-mark").hidden = this.pending === 0;
  }

  drawPlayer() {
    const { player, state } = this;
    element("play").textContent = player.playing ? "❚❚ Pause" : "▶ Play";
    if (document.activeElement !== element("frame")) input("frame").value = String(this.frame);
    element("of").textContent = `of ${state.video.num_frames}`;
    this.timeline.frame = this.frame;
    this.timeline.draw();
    const slider = element("timeline");
    slider.setAttribute("aria-valuemax", String(this.last));
    slider.setAttribute("aria-valuenow", String(this.frame));
    element("zoom").textContent = `${Math.round(this.view.scale * 100)} %`;
  }

  /** By a person: what was watched is watched no longer. @param {number} frame */
  seek(frame) {
    this.watches = false;
    this.player.stop();
    this.go(frame);
  }

  /** @param {number} frame */
  go(frame) {
    this.frame = Math.min(this.last, Math.max(0, Math.round(frame) || 0));
    sessionStorage.setItem(`${this.desk.key} frame`, String(this.frame));
    this.pointer.last = null;
    this.drawPlayer();
    this.screen.show();
  }

  // what a person does

  /** @param {M.Edit} edit */
  async edit(edit) {
    this.player.stop();
    this.watches = false;
    this.pending += 1;
    this.drawBusy();
    try {
      const mask = decoded(await this.desk.edit(edit));
      this.state.revision = Math.max(this.state.revision, mask.revision);
      this.cache.forget(mask.frame);
      this.cache.keep(`${mask.frame}/false`, mask);
      if (mask.frame === this.frame) await this.screen.show();
    } catch (error) {
      complain(error);
    } finally {
      this.pending -= 1;
      this.drawBusy();
    }
  }

  /** @param {string} name @param {unknown} [message] @returns {Promise<boolean>} whether it was done */
  async ask(name, message) {
    try {
      const state = await this.desk.ask(name, message);
      if (state && state.revision) this.hearState(state);
      return true;
    } catch (error) {
      complain(error);
      return false;
    }
  }

  /** @returns {[number | null, number | null]} */
  get range() {
    const read = (/** @type {string} */ id) => (/^\d+$/.test(input(id).value.trim()) ? Number(input(id).value) : null);
    return [read("first"), read("last")];
  }

  /** @param {string} [direction] */
  async follow(direction = input("direction").value) {
    const [first, last] = this.range;
    this.watches = true;
    this.busy = { what: "start", frame: 0, done: 0, total: 0, seconds_left: null };
    this.drawBusy();
    if (!(await this.ask("follow", { direction, first, last }))) {
      this.busy = null;
      this.drawBusy();
    }
  }

  /** @param {number} id */
  select(id) {
    this.selected = id;
    this.pointer.cancel();
    this.draw();
  }

  /** @param {number} id @param {string} name */
  rename(id, name) {
    if (this.added.has(id)) this.added.set(id, name);
    this.ask("rename", { object: id, name });
  }

  /** @param {number} id */
  lock(id) {
    const object = this.objects.find((one) => one.id === id);
    this.ask("lock", { objects: [id], unlock: object?.locked ?? false });
  }

  /** @param {number} id */
  hide(id) {
    if (!this.hidden.delete(id)) this.hidden.add(id);
    this.draw();
  }

  /** @param {number} id */
  only(id) {
    this.solo = this.solo === id ? null : id;
    this.draw();
  }

  /** @param {number} id */
  remove(id) {
    if (this.added.delete(id)) {
      this.update(this.state);
      return;
    }
    this.ask("remove", { object: id });
    say(`object ${id} is removed from all frames; Undo brings it back`);
  }

  addObject() {
    const ids = this.objects.map((one) => one.id);
    input("object-id").value = String(Math.max(0, ...ids) + 1);
    input("object-name").value = "";
    const dialog = /** @type {HTMLDialogElement} */ (element("object-dialog"));
    dialog.returnValue = "";
    dialog.showModal();
    dialog.onclose = () => {
      const id = Number(input("object-id").value);
      if (dialog.returnValue !== "ok") return;
      if (!Number.isInteger(id) || id < 1 || id > 65535) {
        say("an object's number is 1 to 65535", true);
        return;
      }
      if (!ids.includes(id)) this.added.set(id, input("object-name").value);
      if (input("object-name").value) this.rename(id, input("object-name").value);
      this.select(id);
      element("view").focus();
    };
  }

  nextDoubt() {
    const [worst] = this.state.look_at;
    if (!worst) {
      say("nothing more to check");
      return;
    }
    this.select(worst.object);
    this.seek(worst.frame);
    say(`object ${worst.object}: ${worst.reason}. Correct it, or press G if it looks right`);
  }

  compare() {
    this.compares = !this.compares;
    element("compare").setAttribute("aria-pressed", String(this.compares));
    if (!this.compares) this.view.show(null, this.view.mask, null);
    this.screen.show();
  }

  /** @param {string} name */
  tool(name) {
    this.pointer.choose(name);
    for (const button of document.querySelectorAll("#tools [role=radio]")) {
      const isIt = button instanceof HTMLElement && button.dataset.tool === name;
      button.setAttribute("aria-checked", String(isIt));
      button.setAttribute("tabindex", isIt ? "0" : "-1");
    }
    element("hint").textContent = this.pointer.tool.hint;
    element("size").parentElement?.toggleAttribute("hidden", !["brush", "eraser"].includes(name));
  }

  /** @param {number} radius */
  size(radius) {
    this.pointer.radius = Math.min(300, Math.max(0.5, radius));
    input("size").value = String(Math.round(20 * Math.log2(this.pointer.radius * 2)));
    this.view.draw();
  }

  /** @param {number} value 0 to 100 */
  opacity(value) {
    const opacity = Math.min(100, Math.max(0, value));
    input("opacity").value = String(opacity);
    this.view.opacity = opacity / 100;
    this.view.repaint();
  }

  /** Move the keyboard's pointer. @param {number} dx @param {number} dy */
  cross(dx, dy) {
    const { width, height } = this.view.size;
    const { x, y } = this.view.cross ?? { x: width / 2, y: height / 2 };
    this.view.cross = { x: Math.min(width - 1, Math.max(0, x + dx)), y: Math.min(height - 1, Math.max(0, y + dy)) };
    this.view.draw();
  }

  /** Use the tool where the keyboard points. @param {boolean} erase */
  press(erase) {
    const at = this.view.cross;
    if (!at) {
      say("move the crosshair with Alt and the arrows first");
      return;
    }
    const { name } = this.pointer.tool;
    this.pointer.erase = erase || name === "eraser";
    if (name === "click" || name === "fill") this.pointer.point(at, erase);
    else if (name === "polygon") this.pointer.addCorner(at);
    else if (name === "brush" || name === "eraser") this.pointer.finish([at]);
    else if (name === "box" && !this.pointer.points.length) this.pointer.points = [at, at];
    else if (name === "box") this.pointer.finish([this.pointer.points.splice(0)[0], at]);
  }

  escape() {
    if (!this.pointer.cancel()) this.ask("stop", {});
  }

  enter() {
    if (!this.pointer.close()) this.follow();
  }

  /** @param {"undo" | "redo"} which */
  moveBack(which) {
    this.watches = false;
    this.ask(which, { revision: this.state.revision });
  }

  /** A mask for the frame that is shown. @param {File} file */
  async giveMask(file) {
    try {
      const mask = decoded(await upload(`${this.desk.base}/mask/${this.frame}`, file));
      this.cache.forget(mask.frame);
      await this.screen.show();
      say(`${file.name} marks frame ${mask.frame}`);
    } catch (error) {
      complain(error);
    }
  }

  help() {
    /** @type {HTMLDialogElement} */ (element("help-dialog")).showModal();
  }

  /** @param {"first" | "last"} which */
  setRange(which) {
    input(which).value = input(which).value === String(this.frame) ? "" : String(this.frame);
    this.timeline.range = this.range;
    this.timeline.draw();
  }

}
