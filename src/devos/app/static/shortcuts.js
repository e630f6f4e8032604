// @ts-check
/** Every key of the page, and what it does. */
import { TOOLS } from "./tools.js";
/** @import { Page } from "./page.js" */

/** @param {Page} page @returns {import("./keys.js").Key[]} */
export function shortcuts(page) {
  const pick = (/** @type {number} */ by) => {
    const ids = page.objects.map((one) => one.id), place = ids.indexOf(page.selected ?? 0);
    page.select(ids[(place + by + ids.length) % ids.length]);
  };
  return [
    [["ArrowLeft", "ArrowRight"], "a frame back, a frame on", (e) => page.seek(page.frame + (e.key === "ArrowLeft" ? -1 : 1))],
    [["Shift+ArrowLeft", "Shift+ArrowRight"], "ten frames back, ten on", (e) => page.seek(page.frame + (e.key === "ArrowLeft" ? -10 : 10))],
    [["Home", "End"], "the first frame, the last one", (e) => page.seek(e.key === "Home" ? 0 : page.last)],
    [["Space"], "play, pause", () => page.player.toggle()],
    [["Enter"], "follow what was marked; close a polygon", () => page.enter()],
    [["Shift+Enter"], "follow both ways", () => page.follow("both")],
    [["Escape"], "stop; forget a polygon", () => page.escape()],
    [["i", "o"], "follow from this frame on, up to this frame", (e) => page.setRange(e.key === "i" ? "first" : "last")],
    [["n"], "next to check", () => page.nextDoubt()],
    [["g"], "this frame looks right", () => page.ask("check", { frames: [page.frame] })],
    [["Ctrl+z"], "undo", () => page.moveBack("undo")],
    [["Ctrl+Shift+z", "Ctrl+y"], "redo", () => page.moveBack("redo")],
    ...TOOLS.map((tool) => /** @type {import("./keys.js").Key} */ ([[tool.key], `${tool.label.toLowerCase()}`, () => page.tool(tool.name)])),
    [["[", "]"], "smaller, larger brush", (e) => page.size(page.pointer.radius * (e.key === "[" ? 0.8 : 1.25))],
    [["Delete"], "the object is not on this frame", () => { const t = page.target(); if (t) page.edit({ kind: "clear", frame: t.frame, object: t.object }); }],
    [["1", "2", "3", "4", "5", "6", "7", "8", "9"], "the first objects of the list", (e) => { const one = page.objects[Number(e.key) - 1]; if (one) page.select(one.id); }],
    [["ArrowUp", "ArrowDown"], "the object above, below", (e) => pick(e.key === "ArrowUp" ? -1 : 1)],
    [["a"], "another object", () => page.addObject()],
    [["l"], "lock the object", () => { if (page.selected) page.lock(page.selected); }],
    [["v"], "hide the object", () => { if (page.selected) page.hide(page.selected); }],
    [["Shift+v"], "only this object", () => { if (page.selected) page.only(page.selected); }],
    [["w", "s"], "masks more, less opaque", (e) => page.opacity(page.view.opacity * 100 + (e.key === "w" ? 10 : -10))],
    [["d"], "before and after, side by side", () => page.compare()],
    [["+", "=", "-"], "zoom", (e) => page.view.zoom(e.key === "-" ? 0.8 : 1.25)],
    [["0"], "all of the frame", () => page.view.fit()],
    [["Alt+ArrowLeft", "Alt+ArrowRight", "Alt+ArrowUp", "Alt+ArrowDown"], "move a crosshair (with Shift by a pixel)", (e) => crossBy(page, e, 10)],
    [["Alt+Shift+ArrowLeft", "Alt+Shift+ArrowRight", "Alt+Shift+ArrowUp", "Alt+Shift+ArrowDown"], "by a pixel", (e) => crossBy(page, e, 1)],
    [[".", ","], "use the tool there; the other way", (e) => page.press(e.key === ",")],
    [["Ctrl+e"], "export", () => page.exporting.open()],
    [["t"], "dark or light", () => page.theme()],
    [["?"], "this list", () => page.help()],
  ];
}

/** @param {Page} page @param {KeyboardEvent} event @param {number} by */
function crossBy(page, event, by) {
  const dx = { ArrowLeft: -by, ArrowRight: by }[event.key] ?? 0, dy = { ArrowUp: -by, ArrowDown: by }[event.key] ?? 0;
  page.cross(dx, dy);
}
