// @ts-check
/** Objects, what to check, what was done: lists made from the state. */
import { icon } from "./icons.js";
/** @import * as M from "./messages" */

/** @typedef {{id: number, name: string, colour: string, locked: boolean, seen: number, marked: number[]}} Shown */
/** @typedef {{selected: number | null, hidden: Set<number>, solo: number | null}} Choice */
/**
 * @typedef {object} ObjectDeeds
 * @property {(id: number) => void} select
 * @property {(id: number, name: string) => void} rename
 * @property {(id: number) => void} lock
 * @property {(id: number) => void} hide
 * @property {(id: number) => void} solo
 * @property {(id: number) => void} remove
 */

/** @param {string} id @returns {HTMLElement} */
export function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no ${id}`);
  return found;
}

/** @param {string} id @returns {HTMLInputElement} */
export function input(id) {
  return /** @type {HTMLInputElement} */ (element(id));
}

/**
 * @template {keyof HTMLElementTagNameMap} T
 * @param {T} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[T]}
 */
export function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** @param {Parameters<typeof icon>[0]} sign @param {string} label @param {boolean | null} pressed @param {() => void} act */
function small(sign, label, pressed, act) {
  const button = make("button", { title: label, "aria-label": label }, icon(sign));
  if (pressed !== null) button.setAttribute("aria-pressed", String(pressed));
  button.addEventListener("click", (event) => { event.stopPropagation(); act(); });
  return button;
}

/** @param {Shown[]} objects @param {Choice} choice @param {ObjectDeeds} deeds */
export function drawObjects(objects, choice, deeds) {
  const list = element("objects");
  if (list.contains(document.activeElement) && document.activeElement instanceof HTMLInputElement) return; // a name is being typed
  const focused = document.activeElement instanceof HTMLElement && list.contains(document.activeElement) ? document.activeElement.getAttribute("aria-label") : null;
  list.replaceChildren(...objects.map((one) => {
    const called = one.name || `object ${one.id}`;
    const pick = make("button", { class: "pick", "aria-label": `select ${called}`, "aria-pressed": String(one.id === choice.selected) });
    pick.style.backgroundColor = one.colour;
    const name = make("input", { value: one.name, placeholder: "name", "aria-label": `name of object ${one.id}`, maxlength: "80" });
    name.addEventListener("change", () => { name.blur(); deeds.rename(one.id, name.value); });
    const item = make("li", { "data-id": String(one.id), title: `seen on ${one.seen} frames, marked on ${one.marked.length}` },
      pick, make("span", { class: "number" }, String(one.id)), name,
      make("span", { class: "small" },
        small(one.locked ? "locked" : "unlocked", `${one.locked ? "unlock" : "lock"} ${called} (L)`, one.locked, () => deeds.lock(one.id)),
        small(choice.hidden.has(one.id) ? "hidden" : "seen", `${choice.hidden.has(one.id) ? "show" : "hide"} ${called} (V)`, choice.hidden.has(one.id), () => deeds.hide(one.id)),
        small("solo", `only ${called} (Shift+V)`, choice.solo === one.id, () => deeds.solo(one.id)),
        small("remove", `remove ${called}`, null, () => deeds.remove(one.id))));
    if (one.id === choice.selected) item.classList.add("selected");
    item.addEventListener("click", () => deeds.select(one.id));
    return item;
  }));
  if (focused) /** @type {HTMLElement | null} */ ([...list.querySelectorAll("button")].find((b) => b.getAttribute("aria-label") === focused) ?? null)?.focus();
}

/** @param {M.State} state @param {(frame: number, object: number) => void} go */
export function drawDoubts(state, go) {
  element("doubts").replaceChildren(...state.look_at.map((one) => {
    const button = make("button", {}, `frame ${one.frame}, object ${one.object}: ${one.reason}`);
    button.addEventListener("click", () => go(one.frame, one.object));
    return make("li", {}, button);
  }));
  /** @type {HTMLButtonElement} */ (element("next")).disabled = state.look_at.length === 0;
}

/** @param {M.State} state */
export function drawSteps(state) {
  const list = element("steps");
  const last = state.steps.filter((step) => step.stands).pop();
  list.replaceChildren(...state.steps.map((step) => make("li", { class: !step.stands ? "undone" : step === last ? "now" : "" }, step.text)).reverse());
}

let timer = 0;
/** A line at the foot of the page, for some seconds. @param {string} text @param {boolean} [bad] */
export function say(text, bad = false) {
  const box = element("says");
  box.textContent = text;
  box.classList.toggle("bad", bad);
  box.hidden = false;
  clearTimeout(timer);
  timer = window.setTimeout(() => { box.hidden = true; }, bad ? 12000 : 6000);
}

/** Say what went wrong, unless it was given up on purpose. @param {unknown} error */
export function complain(error) {
  if (error instanceof DOMException && error.name === "AbortError") return;
  say(error instanceof Error ? error.message : String(error), true);
}
