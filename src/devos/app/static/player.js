// @ts-check
/** Shows one frame after the other, at the video's rate as far as pictures come. */
/** @import { FrameCache } from "./cache.js" */

const AHEAD = 10;

export class Player {
  /** @param {FrameCache} cache @param {{frame: () => number, last: () => number, rate: () => number, picture: (frame: number) => Promise<unknown>, go: (frame: number) => void, changed: () => void}} page */
  constructor(cache, page) {
    this.cache = cache;
    this.page = page;
    this.playing = false;
  }

  toggle() {
    if (this.playing) {
      this.stop();
      return;
    }
    this.playing = true;
    this.page.changed();
    if (this.page.frame() >= this.page.last()) this.page.go(0);
    this.run();
  }

  stop() {
    if (!this.playing) return;
    this.playing = false;
    this.page.changed();
  }

  async run() {
    let due = performance.now();
    while (this.playing && this.page.frame() < this.page.last()) {
      const next = this.page.frame() + 1;
      for (let i = next; i < Math.min(next + AHEAD, this.page.last() + 1); i++) {
        this.page.picture(i).catch(() => undefined);
        this.cache.mask(i).catch(() => undefined);
      }
      try {
        await Promise.all([this.page.picture(next), this.cache.mask(next)]);
      } catch {
        break;
      }
      due = Math.max(due + 1000 / this.page.rate(), performance.now() - 100);
      await new Promise((done) => setTimeout(done, Math.max(0, due - performance.now())));
      if (this.playing && this.page.frame() === next - 1) this.page.go(next);
    }
    this.stop();
  }
}
