// @ts-check
/** Pictures and masks of frames, fetched when they are needed and kept while there is room. */
import { decoded } from "./masks.js";
/** @import { Desk } from "./api.js" */
/** @import { Mask } from "./masks.js" */

const MOST_PIXELS = 40e6;
const MOST_MASKS = 96;
const WIDTHS = [480, 960, 1920];

/** @template T @extends {Map<string, T>} */
class Recent extends Map {
  /** A value, which is the last one to go from now on. @param {string} key @returns {T | undefined} */
  use(key) {
    const value = this.get(key);
    if (value !== undefined) {
      this.delete(key);
      this.set(key, value);
    }
    return value;
  }
}

export class FrameCache {
  /** @param {Desk} desk @param {() => {width: number, height: number}} size of the video */
  constructor(desk, size) {
    this.desk = desk;
    this.size = size;
    /** @type {Recent<ImageBitmap>} */
    this.pictures = new Recent();
    /** @type {Recent<Mask>} */
    this.masks = new Recent();
    /** @type {Map<string, Promise<any>>} */
    this.coming = new Map();
    /** The one that is on the screen, which is never closed. @type {ImageBitmap | null} */
    this.shown = null;
    /** Masks that came before this number changed are old. */
    this.age = 0;
  }

  /** The width to ask for, so that so many device pixels are filled. @param {number} wanted */
  width(wanted) {
    const enough = WIDTHS.find((width) => width >= wanted);
    return enough === undefined || enough >= this.size().width ? null : enough;
  }

  /** @param {number} frame @param {number | null} width @returns {Promise<ImageBitmap>} */
  picture(frame, width) {
    const key = `${frame}/${width}`;
    const kept = this.pictures.use(key);
    if (kept) return Promise.resolve(kept);
    return this.once(`p${key}`, async () => {
      const response = await fetch(this.desk.frameAddress(frame, width));
      if (!response.ok) throw new Error(`frame ${frame} cannot be shown: ${(await response.json()).error}`);
      const picture = await createImageBitmap(await response.blob());
      this.pictures.set(key, picture);
      this.trim();
      return picture;
    });
  }

  /** A frame of the small copy of the video; null where that has not come so far. @param {number} frame @returns {Promise<ImageBitmap | null>} */
  small(frame) {
    const key = `${frame}/small`;
    const kept = this.pictures.use(key);
    if (kept) return Promise.resolve(kept);
    return this.once(`p${key}`, async () => {
      const response = await fetch(`${this.desk.base}/small/${frame}`);
      if (response.status !== 200) return null;
      const picture = await createImageBitmap(await response.blob());
      this.pictures.set(key, picture);
      this.trim();
      return picture;
    });
  }

  /** @param {number} frame @param {number | null} width */
  pictureNow(frame, width) {
    return this.pictures.get(`${frame}/${width}`);
  }

  /** @param {number} frame @param {boolean} [before] @returns {Promise<Mask>} */
  mask(frame, before = false) {
    const key = `${frame}/${before}`;
    const kept = this.masks.use(key);
    if (kept) return Promise.resolve(kept);
    const age = this.age;
    return this.once(`m${key}/${age}`, async () => {
      const mask = decoded(await this.desk.mask(frame, before));
      if (age === this.age) this.keep(key, mask);
      return mask;
    });
  }

  /** @param {number} frame */
  maskNow(frame) {
    return this.masks.get(`${frame}/false`);
  }

  /** @param {string} key @param {Mask} mask */
  keep(key, mask) {
    this.masks.delete(key);
    this.masks.set(key, mask);
    while (this.masks.size > MOST_MASKS) this.masks.delete(this.masks.keys().next().value ?? "");
  }

  /** A frame's mask is another one now; of all frames if none is named. @param {number} [frame] */
  forget(frame) {
    this.age += 1;
    if (frame === undefined) this.masks.clear();
    else for (const before of [true, false]) this.masks.delete(`${frame}/${before}`);
  }

  /** @template T @param {string} key @param {() => Promise<T>} make @returns {Promise<T>} */
  once(key, make) {
    let coming = this.coming.get(key);
    if (!coming) {
      coming = make().finally(() => this.coming.delete(key));
      this.coming.set(key, coming);
    }
    return coming;
  }

  /** Let go of what was used longest ago, while there are too many pixels. */
  trim() {
    let pixels = 0;
    for (const one of this.pictures.values()) pixels += one.width * one.height;
    for (const [key, picture] of this.pictures) {
      if (pixels <= MOST_PIXELS || this.pictures.size <= 4) break;
      pixels -= picture.width * picture.height;
      this.pictures.delete(key);
      if (picture !== this.shown) picture.close();
    }
  }
}
