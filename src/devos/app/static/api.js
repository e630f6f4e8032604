// @ts-check
/** Requests to the server. Types: messages.d.ts, made from messages.py. */
/** @import * as M from "./messages" */

/** What the server refused, with its one line of why. */
export class Refused extends Error {
  /** @param {number} status @param {string} text */
  constructor(status, text) {
    super(text);
    this.status = status;
  }
}

/** @param {Response} response @returns {Promise<any>} */
async function answer(response) {
  if (response.ok) return response.json();
  let text = `the server answered ${response.status}`;
  try {
    text = (await response.json()).error ?? text;
  } catch { /* no JSON: the number says it */ }
  throw new Refused(response.status, text);
}

/** @param {string} path @param {AbortSignal} [signal] @returns {Promise<any>} */
export async function get(path, signal) {
  return answer(await reached(fetch(path, { signal })));
}

/** @param {string} path @param {unknown} message @returns {Promise<any>} */
export async function post(path, message) {
  const headers = { "Content-Type": "application/json" };
  return answer(await reached(fetch(path, { method: "POST", headers, body: JSON.stringify(message) })));
}

/** @param {string} path @param {Blob} png @returns {Promise<any>} */
export async function upload(path, png) {
  return answer(await reached(fetch(path, { method: "POST", headers: { "Content-Type": "image/png" }, body: png })));
}

/** Send a video, and have it opened. @param {File} file @param {(share: number) => void} told how much of it has gone @returns {Promise<{key: string}>} */
export function sendVideo(file, told) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest(); // fetch does not tell how far it is
    request.open("POST", `api/upload?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => told(event.loaded / Math.max(1, event.total));
    request.onload = () => {
      try {
        const answer = JSON.parse(request.responseText);
        if (request.status === 200) done(answer);
        else fail(new Refused(request.status, answer.error));
      } catch {
        fail(new Refused(request.status, `the server answered ${request.status}`));
      }
    };
    request.onerror = () => fail(new Refused(0, `${file.name} did not get through: the server refused it, or does not answer`));
    request.send(file);
  });
}

/** @param {Promise<Response>} request */
async function reached(request) {
  try {
    return await request;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, "the server does not answer; is devos app still running? Nothing that was kept is lost");
  }
}

/** One open project. */
export class Desk {
  /** @param {string} key */
  constructor(key) {
    this.key = key;
    this.base = `api/p/${key}`;
    /** Strokes arrive in the order in which they were made. @type {Promise<unknown>} */
    this.queue = Promise.resolve();
  }

  /** @param {string} name @param {unknown} [message] @returns {Promise<any>} */
  ask(name, message = {}) {
    return post(`${this.base}/${name}`, message);
  }

  /** @param {M.Edit} edit @returns {Promise<M.MaskMessage>} */
  edit(edit) {
    const answer = this.queue.then(() => this.ask("edit", edit));
    this.queue = answer.catch(() => undefined);
    return answer;
  }

  /** @param {number} frame @param {boolean} before @param {AbortSignal} [signal] @returns {Promise<M.MaskMessage>} */
  mask(frame, before = false, signal = undefined) {
    return get(`${this.base}/mask/${frame}${before ? "?before=1" : ""}`, signal);
  }

  /** @returns {Promise<M.Timeline>} */
  timeline() {
    return get(`${this.base}/timeline`);
  }

  /** @param {number} frame @param {number | null} width */
  frameAddress(frame, width) {
    return `${this.base}/frame/${frame}${width === null ? "" : `?w=${width}`}`;
  }

  /** @param {Record<string, (message: any) => void>} handlers @returns {EventSource} */
  listen(handlers) {
    const source = new EventSource(`${this.base}/events`);
    for (const [name, handle] of Object.entries(handlers)) {
      source.addEventListener(name, (event) => handle(name === "error" ? null : JSON.parse(/** @type {MessageEvent} */ (event).data)));
    }
    return source;
  }
}
