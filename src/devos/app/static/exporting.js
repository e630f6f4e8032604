// @ts-check
/** Taking away: the dialog of the export, and the command that does the same. */
import { element, input, make } from "./panels.js";
/** @import * as M from "./messages" */
/** @import { Page } from "./page.js" */

export class Exporting {
  /** @param {Page} page @param {M.FormatInfo[]} formats of other tools */
  constructor(page, formats) {
    this.page = page;
    element("formats").replaceChildren(...formats.map(({ name, what, missing }) => {
      const box = make("input", { type: "checkbox", value: name, ...(missing ? { disabled: "" } : {}) });
      return make("label", { title: missing || what }, box, make("span", {}, name, " ", make("small", {}, missing || what)));
    }));
    element("formats").addEventListener("change", () => this.draw());
  }

  /** Formats of other tools that are ticked. */
  get formats() {
    return [...element("formats").querySelectorAll("input")].filter((one) => one.checked).map((one) => one.value);
  }

  draw() {
    const { command, convert } = this.page.state, formats = this.formats.join(",");
    element("command").textContent = formats ? `${command}\n${convert}${formats}` : command;
  }

  open() {
    element("export-said").textContent = this.page.state.num_results ? `${this.page.state.num_results} frames have masks.` : "Nothing was followed yet: only your marks would be exported.";
    /** @type {HTMLDialogElement} */ (element("export-dialog")).showModal();
  }

  async go() {
    const toFolder = /** @type {HTMLInputElement} */ (document.querySelector("[name=export-to][value=folder]")).checked;
    const said = element("export-said");
    if (toFolder && !input("export-folder").value.trim()) {
      said.textContent = "Name the new folder.";
      return;
    }
    said.textContent = "Exporting…";
    try {
      /** @type {M.Exported} */
      const done = await this.page.desk.ask("export", { overlay: input("export-overlay").checked, formats: this.formats, folder: toFolder ? input("export-folder").value.trim() : null });
      said.textContent = done.folder ? `Written to ${done.folder}` : "The download begins.";
      if (done.url) make("a", { href: done.url, download: "" }).click();
    } catch (error) {
      said.textContent = error instanceof Error ? error.message : String(error);
    }
  }
}
