// @ts-check
/** Every key, once: what it does, and the list that `?` shows. */
import { element, make } from "./panels.js";

/** @typedef {[keys: string[], what: string, act: (event: KeyboardEvent) => unknown]} Key */

/** As in `Ctrl+Shift+z`. @param {KeyboardEvent} event */
function named(event) {
  const key = event.key === " " ? "Space" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shifted = event.shiftKey && (event.key.length > 1 || /[a-z ]/i.test(event.key));
  return `${event.ctrlKey || event.metaKey ? "Ctrl+" : ""}${event.altKey ? "Alt+" : ""}${shifted ? "Shift+" : ""}${key}`;
}

/** @param {Key[]} keys */
export function listen(keys) {
  /** @type {Map<string, Key[2]>} */
  const acts = new Map();
  for (const [names, , act] of keys) for (const name of names) acts.set(name, act);
  document.addEventListener("keydown", (event) => {
    const at = event.target;
    if (document.querySelector("dialog[open]")) return;
    const types = at instanceof HTMLInputElement && at.type !== "range" && at.type !== "checkbox";
    const name = named(event);
    if (types) {
      if (name === "Escape" || name === "Enter") at.blur();
      return;
    }
    if (at instanceof HTMLButtonElement && (name === "Space" || name === "Enter")) return;
    if (at instanceof HTMLSelectElement && !event.ctrlKey) return;
    const act = acts.get(name);
    if (!act) return;
    event.preventDefault();
    act(event);
  });
}

/** @param {Key[]} keys */
export function explain(keys) {
  element("keys").replaceChildren(...keys.map(([names, what]) => make("div", {}, make("kbd", {}, names.map(shown).join("  ")), what)));
}

/** @param {string} name */
function shown(name) {
  return name.replace("ArrowLeft", "←").replace("ArrowRight", "→").replace("ArrowUp", "↑").replace("ArrowDown", "↓")
    .replace(/(^|\+)([a-z])$/, (_, before, letter) => before + letter.toUpperCase());
}
