// @ts-check
/** Bringing a frame and its masks to the screen: what is small first, the newest wish alone. */
import { complain, element } from "./panels.js";
/** @import { Page } from "./page.js" */

/** A drag rests when the pointer has not moved for so long. */
const REST_MS = 70;

export class Screen {
  /** @param {Page} page */
  constructor(page) {
    this.page = page;
    this.showing = 0;
    /** The frame that was asked for last. @type {Promise<unknown>} */
    this.asked = Promise.resolve();
    this.timer = 0;
  }

  /** Whether the small copy is worth a look: frames of other videos come as soon themselves. */
  get isLarge() {
    return this.page.state.video.width > 960;
  }

  /** A frame as it is soonest to be had. @param {number} frame @returns {Promise<ImageBitmap>} */
  async quick(frame) {
    const small = this.isLarge ? await this.page.cache.small(frame) : null;
    return small ?? this.page.cache.picture(frame, this.page.cache.width(Math.min(960, this.page.width)));
  }

  /**
   * Bring frame and mask to the screen. What is small comes first, where there is a small copy; while a drag goes on,
   * nothing else. Until then the last frame stays. Only the newest wish counts: one frame at a time is asked for.
   */
  async show() {
    const wish = ++this.showing, frame = this.page.frame;
    clearTimeout(this.timer);
    const isNewest = () => wish === this.showing;
    const before = this.page.compares ? this.page.cache.mask(frame, true) : Promise.resolve(null);
    const masks = Promise.all([this.page.cache.mask(frame), before]);
    const put = async (/** @type {ImageBitmap} */ picture) => {
      const [mask, earlier] = await masks;
      if (!isNewest()) return false;
      this.page.cache.shown = picture;
      this.page.view.show(picture, mask, earlier);
      element("name").textContent = Number(mask.name) === frame ? "" : mask.name;
      return mask;
    };
    try {
      const width = this.page.cache.width(this.page.width);
      if (this.page.player.playing || (this.isLarge && !this.page.cache.pictureNow(frame, width))) {
        const small = this.page.player.playing ? await this.quick(frame) : await this.page.cache.small(frame);
        if (small && isNewest() && (await put(small))) element("view").dataset.small = String(frame);
        if (this.page.player.playing) return;
        if (this.page.timeline.isDragged) await new Promise((done) => setTimeout(done, REST_MS));
      }
      await this.asked.catch(() => undefined);
      if (!isNewest()) return;
      const picture = this.page.cache.picture(frame, width);
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
      if (this.page.player.playing || this.page.busy) return;
      for (const other of [frame + 1, frame - 1]) {
        if (other < 0 || other > this.page.last) continue;
        this.page.cache.picture(other, this.page.cache.width(this.page.width)).catch(() => undefined);
        this.page.cache.mask(other).catch(() => undefined);
      }
      if (["click", "box"].includes(this.page.pointer.tool.name)) this.page.desk.ask("look", { frame }).catch(() => undefined);
    }, 200);
  }
}
