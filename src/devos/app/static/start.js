// @ts-check
/** The page before a project is open: what can be opened. */
import { post, sendVideo } from "./api.js";
import { element, input, make } from "./panels.js";
/** @import * as M from "./messages" */

/** @param {string} key */
function go(key) {
  location.hash = key;
}

/** @param {unknown} error */
function fail(error) {
  element("sending").hidden = true;
  element("start-error").textContent = error instanceof Error ? error.message : String(error);
}

/** Send a video to where the server runs, and open it. @param {File} file */
async function openFile(file) {
  const bar = /** @type {HTMLProgressElement} */ (element("sending"));
  element("start-error").textContent = "";
  bar.hidden = false;
  const hint = element("start-hint"), before = hint.textContent;
  try {
    const { key } = await sendVideo(file, (share) => {
      bar.value = share;
      hint.textContent = share < 1 ? `Sending ${file.name}: ${Math.floor(100 * share)} %` : `Opening ${file.name}…`;
    });
    go(key);
  } catch (error) {
    hint.textContent = before;
    fail(error);
  }
}

/** @param {string} text @param {string} kind @param {() => unknown} act */
function item(text, kind, act) {
  const cut = text.lastIndexOf("/") + 1;
  const button = make("button", { title: text }, make("span", { class: "folder" }, text.slice(0, cut)), text.slice(cut), make("small", {}, kind));
  button.addEventListener("click", act);
  return make("li", {}, button);
}

/** @param {M.Place} place */
export function choose(place) {
  element("start").hidden = false;
  document.title = "devos";
  const open = (/** @type {string} */ path, /** @type {unknown} */ message) => {
    element("start-error").textContent = "";
    return post(path, message).then(({ key }) => go(key), fail);
  };
  element("start-hint").textContent = `Or drop one here. It is copied to ${place.base}, where devos app runs.`;
  element("start-demo").addEventListener("click", () => open("api/demo", {}));
  element("start-file").addEventListener("click", () => input("file").click());
  input("file").addEventListener("change", () => { const [file] = input("file").files ?? []; if (file) openFile(file); });
  element("opened").replaceChildren(...place.open.map((one) => item(one.video, one.path, () => go(one.key))));
  element("opened-part").hidden = !place.open.length;
  element("candidates").replaceChildren(...place.candidates.map((one) => item(one.path, one.kind, () => open("api/open", { path: one.path }))));
  element("candidates-part").hidden = !place.candidates.length;
  const filter = input("filter");
  filter.hidden = place.candidates.length < 8;
  filter.addEventListener("input", () => {
    for (const one of element("candidates").children) one.toggleAttribute("hidden", !one.textContent?.toLowerCase().includes(filter.value.toLowerCase()));
  });
  const box = element("drop-video");
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => { event.preventDefault(); box.classList.toggle("drop", name === "dragover"); });
  }
  document.addEventListener("drop", (event) => { const file = event.dataTransfer?.files[0]; if (file) openFile(file); });
}
