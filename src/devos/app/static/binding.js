// @ts-check
/** How the page is connected: buttons, sliders, keys, dropped files. */
import { icon } from "./icons.js";
import { explain, listen } from "./keys.js";
import { complain, element, input, make, say } from "./panels.js";
import { shortcuts } from "./shortcuts.js";
import { TOOLS } from "./tools.js";
/** @import { Page } from "./page.js" */

/** Every button and slider. @param {Page} page */
export function bind(page) {
  for (const tool of TOOLS) {
    const button = make("button", { role: "radio", "data-tool": tool.name, title: `${tool.hint} (${tool.key.toUpperCase()})` }, icon(tool.name), tool.label);
    button.addEventListener("click", () => page.tool(tool.name));
    element("tools").append(button);
  }
  const slider = make("input", { id: "size", type: "range", min: "0", max: "190", "aria-label": "brush size" });
  element("tools").append(make("label", { title: "Size of the brush ([ and ])" }, "size", slider));
  slider.addEventListener("input", () => { page.pointer.radius = 2 ** (Number(slider.value) / 20) / 2; page.view.draw(); });
  element("tools").addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target === slider) return;
    event.preventDefault();
    event.stopPropagation();
    const place = TOOLS.findIndex((tool) => tool.name === page.pointer.tool.name);
    page.tool(TOOLS[(place + step + TOOLS.length) % TOOLS.length].name);
    /** @type {HTMLElement | null} */ (document.querySelector("#tools [aria-checked=true]"))?.focus();
  });
  page.size(12);
  page.tool("click");
  const clicks = {
    undo: () => page.moveBack("undo"), redo: () => page.moveBack("redo"), follow: () => page.follow(), stop: () => page.ask("stop", {}),
    compare: () => page.compare(), export: () => page.exporting.open(), help: () => page.help(), theme: () => page.theme(), add: () => page.addObject(),
    next: () => page.nextDoubt(), right: () => page.ask("check", { frames: [page.frame] }), back: () => page.seek(page.frame - 1),
    on: () => page.seek(page.frame + 1), play: () => page.player.toggle(), fit: () => page.view.fit(), "export-go": () => page.exporting.go(),
    "object-cancel": () => /** @type {HTMLDialogElement} */ (element("object-dialog")).close(),
    copy: () => navigator.clipboard.writeText(element("command").textContent ?? "").then(() => say("copied"), complain),
  };
  for (const [id, act] of Object.entries(clicks)) element(id).addEventListener("click", act);
  input("opacity").addEventListener("input", () => page.opacity(Number(input("opacity").value)));
  input("frame").addEventListener("change", () => page.seek(Number(input("frame").value)));
  for (const id of ["first", "last"]) input(id).addEventListener("input", () => { page.timeline.range = page.range; page.timeline.draw(); });
  page.view.onzoom = () => { page.drawPlayer(); };
  bindDrop(page);
  const keys = shortcuts(page);
  listen(keys);
  explain(keys);
}

/** Mask files that are dropped on the page. @param {Page} page */
function bindDrop(page) {
  const stage = element("stage");
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => { event.preventDefault(); stage.classList.toggle("drop", name === "dragover"); });
  }
  document.addEventListener("drop", (event) => {
    const file = event.dataTransfer?.files[0];
    if (file?.type === "image/png" || file?.name.toLowerCase().endsWith(".png")) page.giveMask(file);
    else if (file) say(`${file.name}: a mask PNG can be dropped here; videos are opened on the first page (devos, top left)`, true);
  });
}
