// @ts-check
/** Which project the page shows, and in which colours. */
import { Refused, get } from "./api.js";
import { Page } from "./page.js";
import { element, input } from "./panels.js";
import { choose } from "./start.js";
/** @import * as M from "./messages" */

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
  page = new Page(key, state, place.formats, () => theme(true));
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
