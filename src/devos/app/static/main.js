// @ts-check
/** The page: what the server tells, what a person does, and what is seen of it. */
import { Desk, Refused, get, upload } from "./api.js";
import { FrameCache } from "./cache.js";
import { icon } from "./icons.js";
import { explain, listen } from "./keys.js";
import { decoded } from "./masks.js";
import { drawDoubts, drawObjects, drawSteps, element, input, make, say } from "./panels.js";
import { Player } from "./player.js";
import { choose } from "./start.js";
import { Timeline } from "./timeline.js";
import { Pointer, TOOLS } from "./tools.js";
import { View } from "./view.js";
/** @import * as M from "./messages" */
/** @import { Shown } from "./panels.js" */

/** A drag rests when the pointer has not moved for so long. */
const REST_MS = 70;
const COLOURS = ["#ff7a18", "#42baff", "#ffde38", "#f06ebe", "#00cd96", "#9678ff", "#f03e3e", "#cdebeb"];

/** @param {unknown} error */
function complain(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  say(error instanceof Error ? error.message : String(error), true);
}

/** The page of one project. */
class Page {
  /** @param {string} key @param {M.State} state @param {M.FormatInfo[]} formats of other tools, to be exported to */
  constructor(key, state, formats) {
    element("formats").replaceChildren(...formats.map(({ name, what, missing }) => {
      const box = make("input", { type: "checkbox", value: name, ...(missing ? { disabled: "" } : {}) });
      return make("label", { title: missing || what }, box, make("span", {}, name, " ", make("small", {}, missing || what)));
    }));
    element("formats").addEventListener("change", () => this.drawCommand());
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
      picture: (frame) => this.quick(frame), go: (frame) => this.go(frame), changed: () => this.drawPlayer(),
    });
    this.showing = 0;
    /** The frame that was asked for last. @type {Promise<unknown>} */
    this.asked = Promise.resolve();
    this.timer = 0;
    this.bind();
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
    this.show();
  }

  /** @param {M.FrameDone} done */
  hearFrame(done) {
    this.timeline.add(done);
    this.cache.forget(done.frame);
    if (this.watches) this.go(done.frame);
    else if (done.frame === this.frame) this.show();
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
    this.drawCommand();
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
    this.show();
  }

  /** Whether the small copy is worth a look: frames of other videos come as soon themselves. */
  get isLarge() {
    return this.state.video.width > 960;
  }

  /** A frame as it is soonest to be had. @param {number} frame @returns {Promise<ImageBitmap>} */
  async quick(frame) {
    const small = this.isLarge ? await this.cache.small(frame) : null;
    return small ?? this.cache.picture(frame, this.cache.width(Math.min(960, this.width)));
  }

  /**
   * Bring frame and mask to the screen. What is small comes first, where there is a small copy; while a drag goes on,
   * nothing else. Until then the last frame stays. Only the newest wish counts: one frame at a time is asked for.
   */
  async show() {
    const wish = ++this.showing, frame = this.frame;
    clearTimeout(this.timer);
    const isNewest = () => wish === this.showing;
    const before = this.compares ? this.cache.mask(frame, true) : Promise.resolve(null);
    const masks = Promise.all([this.cache.mask(frame), before]);
    const put = async (/** @type {ImageBitmap} */ picture) => {
      const [mask, earlier] = await masks;
      if (!isNewest()) return false;
      this.cache.shown = picture;
      this.view.show(picture, mask, earlier);
      element("name").textContent = Number(mask.name) === frame ? "" : mask.name;
      return mask;
    };
    try {
      const width = this.cache.width(this.width);
      if (this.player.playing || (this.isLarge && !this.cache.pictureNow(frame, width))) {
        const small = this.player.playing ? await this.quick(frame) : await this.cache.small(frame);
        if (small && isNewest() && (await put(small))) element("view").dataset.small = String(frame);
        if (this.player.playing) return;
        if (this.timeline.isDragged) await new Promise((done) => setTimeout(done, REST_MS));
      }
      await this.asked.catch(() => undefined);
      if (!isNewest()) return;
      const picture = this.cache.picture(frame, width);
      this.asked = picture;
      const mask = await put(await picture);
      if (!mask) return;
      element("view").dataset.shown = `${frame}/${mask.version}`;
      this.prepare(frame);
    } catch (error) {
      if (isNewest()) complain(error);
    }
  }

  /** The neighbours are fetched, and the frame is looked at by what answers clicks. @param {number} frame */
  prepare(frame) {
    this.timer = window.setTimeout(() => {
      if (this.player.playing || this.busy) return;
      for (const other of [frame + 1, frame - 1]) {
        if (other < 0 || other > this.last) continue;
        this.cache.picture(other, this.cache.width(this.width)).catch(() => undefined);
        this.cache.mask(other).catch(() => undefined);
      }
      if (["click", "box"].includes(this.pointer.tool.name)) this.desk.ask("look", { frame }).catch(() => undefined);
    }, 200);
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
      if (mask.frame === this.frame) await this.show();
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
    this.show();
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

  // to take away

  /** Formats of other tools that are ticked. */
  get formats() {
    return [...element("formats").querySelectorAll("input")].filter((one) => one.checked).map((one) => one.value);
  }

  drawCommand() {
    const { command, convert } = this.state, formats = this.formats.join(",");
    element("command").textContent = formats ? `${command}\n${convert}${formats}` : command;
  }

  openExport() {
    element("export-said").textContent = this.state.num_results ? `${this.state.num_results} frames have masks.` : "Nothing was followed yet: only your marks would be exported.";
    /** @type {HTMLDialogElement} */ (element("export-dialog")).showModal();
  }

  async export() {
    const toFolder = /** @type {HTMLInputElement} */ (document.querySelector("[name=export-to][value=folder]")).checked;
    const said = element("export-said");
    if (toFolder && !input("export-folder").value.trim()) {
      said.textContent = "Name the new folder.";
      return;
    }
    said.textContent = "Exporting…";
    try {
      /** @type {M.Exported} */
      const done = await this.desk.ask("export", { overlay: input("export-overlay").checked, formats: this.formats, folder: toFolder ? input("export-folder").value.trim() : null });
      said.textContent = done.folder ? `Written to ${done.folder}` : "The download begins.";
      if (done.url) make("a", { href: done.url, download: "" }).click();
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  }

  // how it is all connected

  bind() {
    for (const tool of TOOLS) {
      const button = make("button", { role: "radio", "data-tool": tool.name, title: `${tool.hint} (${tool.key.toUpperCase()})` }, icon(tool.name), tool.label);
      button.addEventListener("click", () => this.tool(tool.name));
      element("tools").append(button);
    }
    const slider = make("input", { id: "size", type: "range", min: "0", max: "190", "aria-label": "brush size" });
    element("tools").append(make("label", { title: "Size of the brush ([ and ])" }, "size", slider));
    slider.addEventListener("input", () => { this.pointer.radius = 2 ** (Number(slider.value) / 20) / 2; this.view.draw(); });
    element("tools").addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (!step || event.target === slider) return;
      event.preventDefault();
      event.stopPropagation();
      const place = TOOLS.findIndex((tool) => tool.name === this.pointer.tool.name);
      this.tool(TOOLS[(place + step + TOOLS.length) % TOOLS.length].name);
      /** @type {HTMLElement | null} */ (document.querySelector("#tools [aria-checked=true]"))?.focus();
    });
    this.size(12);
    this.tool("click");
    const clicks = {
      undo: () => this.moveBack("undo"), redo: () => this.moveBack("redo"), follow: () => this.follow(), stop: () => this.ask("stop", {}),
      compare: () => this.compare(), export: () => this.openExport(), help: () => this.help(), theme: () => theme(true), add: () => this.addObject(),
      next: () => this.nextDoubt(), right: () => this.ask("check", { frames: [this.frame] }), back: () => this.seek(this.frame - 1),
      on: () => this.seek(this.frame + 1), play: () => this.player.toggle(), fit: () => this.view.fit(), "export-go": () => this.export(),
      "object-cancel": () => /** @type {HTMLDialogElement} */ (element("object-dialog")).close(),
      copy: () => navigator.clipboard.writeText(element("command").textContent ?? "").then(() => say("copied"), complain),
    };
    for (const [id, act] of Object.entries(clicks)) element(id).addEventListener("click", act);
    input("opacity").addEventListener("input", () => this.opacity(Number(input("opacity").value)));
    input("frame").addEventListener("change", () => this.seek(Number(input("frame").value)));
    for (const id of ["first", "last"]) input(id).addEventListener("input", () => { this.timeline.range = this.range; this.timeline.draw(); });
    this.view.onzoom = () => { this.drawPlayer(); };
    this.bindDrop();
    const keys = this.keys();
    listen(keys);
    explain(keys);
  }

  bindDrop() {
    const stage = element("stage");
    for (const name of ["dragover", "dragleave", "drop"]) {
      document.addEventListener(name, (event) => { event.preventDefault(); stage.classList.toggle("drop", name === "dragover"); });
    }
    document.addEventListener("drop", (event) => {
      const file = event.dataTransfer?.files[0];
      if (file?.type === "image/png" || file?.name.toLowerCase().endsWith(".png")) this.giveMask(file);
      else if (file) say(`${file.name}: a mask PNG can be dropped here; videos are opened on the first page (devos, top left)`, true);
    });
  }

  /** A mask for the frame that is shown. @param {File} file */
  async giveMask(file) {
    try {
      const mask = decoded(await upload(`${this.desk.base}/mask/${this.frame}`, file));
      this.cache.forget(mask.frame);
      await this.show();
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

  /** @returns {import("./keys.js").Key[]} */
  keys() {
    const pick = (/** @type {number} */ by) => {
      const ids = this.objects.map((one) => one.id), place = ids.indexOf(this.selected ?? 0);
      this.select(ids[(place + by + ids.length) % ids.length]);
    };
    return [
      [["ArrowLeft", "ArrowRight"], "a frame back, a frame on", (e) => this.seek(this.frame + (e.key === "ArrowLeft" ? -1 : 1))],
      [["Shift+ArrowLeft", "Shift+ArrowRight"], "ten frames back, ten on", (e) => this.seek(this.frame + (e.key === "ArrowLeft" ? -10 : 10))],
      [["Home", "End"], "the first frame, the last one", (e) => this.seek(e.key === "Home" ? 0 : this.last)],
      [["Space"], "play, pause", () => this.player.toggle()],
      [["Enter"], "follow what was marked; close a polygon", () => this.enter()],
      [["Shift+Enter"], "follow both ways", () => this.follow("both")],
      [["Escape"], "stop; forget a polygon", () => this.escape()],
      [["i", "o"], "follow from this frame on, up to this frame", (e) => this.setRange(e.key === "i" ? "first" : "last")],
      [["n"], "next to check", () => this.nextDoubt()],
      [["g"], "this frame looks right", () => this.ask("check", { frames: [this.frame] })],
      [["Ctrl+z"], "undo", () => this.moveBack("undo")],
      [["Ctrl+Shift+z", "Ctrl+y"], "redo", () => this.moveBack("redo")],
      ...TOOLS.map((tool) => /** @type {import("./keys.js").Key} */ ([[tool.key], `${tool.label.toLowerCase()}`, () => this.tool(tool.name)])),
      [["[", "]"], "smaller, larger brush", (e) => this.size(this.pointer.radius * (e.key === "[" ? 0.8 : 1.25))],
      [["Delete"], "the object is not on this frame", () => { const t = this.target(); if (t) this.edit({ kind: "clear", frame: t.frame, object: t.object }); }],
      [["1", "2", "3", "4", "5", "6", "7", "8", "9"], "the first objects of the list", (e) => { const one = this.objects[Number(e.key) - 1]; if (one) this.select(one.id); }],
      [["ArrowUp", "ArrowDown"], "the object above, below", (e) => pick(e.key === "ArrowUp" ? -1 : 1)],
      [["a"], "another object", () => this.addObject()],
      [["l"], "lock the object", () => { if (this.selected) this.lock(this.selected); }],
      [["v"], "hide the object", () => { if (this.selected) this.hide(this.selected); }],
      [["Shift+v"], "only this object", () => { if (this.selected) this.only(this.selected); }],
      [["w", "s"], "masks more, less opaque", (e) => this.opacity(this.view.opacity * 100 + (e.key === "w" ? 10 : -10))],
      [["d"], "before and after, side by side", () => this.compare()],
      [["+", "=", "-"], "zoom", (e) => this.view.zoom(e.key === "-" ? 0.8 : 1.25)],
      [["0"], "all of the frame", () => this.view.fit()],
      [["Alt+ArrowLeft", "Alt+ArrowRight", "Alt+ArrowUp", "Alt+ArrowDown"], "move a crosshair (with Shift by a pixel)", (e) => this.crossBy(e, 10)],
      [["Alt+Shift+ArrowLeft", "Alt+Shift+ArrowRight", "Alt+Shift+ArrowUp", "Alt+Shift+ArrowDown"], "by a pixel", (e) => this.crossBy(e, 1)],
      [[".", ","], "use the tool there; the other way", (e) => this.press(e.key === ",")],
      [["Ctrl+e"], "export", () => this.openExport()],
      [["t"], "dark or light", () => theme(true)],
      [["?"], "this list", () => this.help()],
    ];
  }

  /** @param {KeyboardEvent} event @param {number} by */
  crossBy(event, by) {
    const dx = { ArrowLeft: -by, ArrowRight: by }[event.key] ?? 0, dy = { ArrowUp: -by, ArrowDown: by }[event.key] ?? 0;
    this.cross(dx, dy);
  }
}

/** @param {boolean} [change] */
function theme(change = false) {
  const system = matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
  let wanted = localStorage.getItem("devos theme") ?? system;
  if (change) {
    wanted = wanted === "light" ? "dark" : "light";
    localStorage.setItem("devos theme", wanted);
  }
  document.documentElement.classList.toggle("light", wanted === "light");
  dispatchEvent(new Event("resize"));
  page?.timeline.draw();
}

/** @type {Page | null} */
let page = null;

async function start() {
  theme();
  /** @type {M.Place} */
  const place = await get("api/place");
  const wanted = location.hash.slice(1);
  const key = place.open.some((one) => one.key === wanted) ? wanted : !wanted && place.open.length === 1 && !place.candidates.length ? place.open[0].key : "";
  if (!key) {
    choose(place);
    return;
  }
  history.replaceState(null, "", `#${key}`);
  const state = await get(`api/p/${key}/state`);
  element("app").hidden = false;
  page = new Page(key, state, place.formats);
  /** @type {HTMLInputElement} */ (document.querySelector("[name=export-to][value=folder]")).disabled = !place.roots.length;
  input("export-folder").disabled = !place.roots.length;
  input("export-folder").placeholder = place.roots.length ? `below ${place.roots[0]}` : "start with --root FOLDER";
  Object.assign(window, { devosPage: page });
}

addEventListener("hashchange", () => location.reload());
start().catch((error) => {
  element("start").hidden = false;
  element("start-error").textContent = error instanceof Refused ? error.message : String(error);
});
