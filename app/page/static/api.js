// The public API, called with the key of this tab; every failure is a Problem one can show.
import { signal } from "./vendor/vendor.js";

/** Where the service is, whatever path a proxy puts before it: this file is at page/{digest}/. */
export const ROOT = new URL("../../", import.meta.url);

const KEY = "cattery.key";

/**
 * @typedef {object} CallOptions
 * @property {AbortSignal} [signal]
 * @property {Record<string, string>} [headers]
 * @property {boolean} [isQuiet] Never ask for the key: nobody has asked for this call.
 */

/** What went wrong, in the service's words: its problem document, or no connection. */
export class Problem extends Error {
  /**
   * @param {number} status HTTP status; 0 without a response.
   * @param {Record<string, any>} document RFC 9457: title, detail, remedy, field, errors...
   */
  constructor(status, document) {
    super(document.detail || document.title || `The service answered ${status}.`);
    this.name = "Problem";
    this.status = status;
    this.document = document;
    /** What to do about it. @type {string} */
    this.remedy = document.remedy || "";
  }

  /** Whether trying again later may help. */
  get isTemporary() {
    return [0, 408, 429, 502, 503, 504].includes(this.status);
  }

  /** Whether another key may help: there was none, or not a valid one, or it lacks the scope. */
  get wantsKey() {
    return this.status === 401 || (this.status === 403 && String(this.document.type).endsWith("missing-scope"));
  }

  /** Messages by field of the request. @returns {Record<string, string>} */
  get fields() {
    const { field, errors = [] } = this.document;
    /** @type {{ field: string, detail: string }[]} */
    const all = field ? [{ field, detail: `${this.message} ${this.remedy}` }, ...errors] : errors;
    return Object.fromEntries(all.map((error) => [error.field, error.detail]));
  }
}

/**
 * Return the absolute address of something of the API.
 * @param {string} path "/models", or a link as the API gave it.
 */
export function url(path) {
  // Links that the API gives already have the proxy's path, if the service knows it.
  const isLink = ROOT.pathname !== "/" && path.startsWith(ROOT.pathname);
  return new URL(isLink ? path : path.replace(/^\//, ""), ROOT).href;
}

/** The pending request for a key, which the dialog answers. @type {import("./vendor/vendor.js").Signal<{ problem: Problem, answer: (key: string | null) => void } | null>} */
export const keyRequest = signal(null);

/** Whether this tab holds a key. */
export const hasKey = signal(sessionStorage.getItem(KEY) !== null);

/** Keep the key for this tab, or forget it. @param {string | null} key */
export function setKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
  hasKey.value = Boolean(key);
}

/** @returns {Record<string, string>} */
function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { Authorization: `Bearer ${key}` } : {};
}

/** Ask for the key; null if the visitor does not give one. @param {Problem} problem @returns {Promise<string | null>} */
function askForKey(problem) {
  return new Promise((resolve) => {
    keyRequest.value = {
      problem,
      answer(key) {
        keyRequest.value = null;
        if (key) setKey(key);
        resolve(key);
      },
    };
  });
}

/** @param {unknown} err @returns {Problem} */
function withoutResponse(err) {
  return new Problem(0, {
    title: "No connection",
    detail: "The service does not answer.",
    remedy: "It may be restarting; try again in a moment.",
    cause: String(err),
  });
}

/** @param {number} status @param {string} text @returns {Problem} */
function problemOf(status, text) {
  try {
    return new Problem(status, JSON.parse(text));
  } catch {
    // A proxy's own page, never shown: it is not ours.
    return new Problem(status, { detail: `The service answered ${status}.` });
  }
}

/**
 * Send a request; ask for the key and send it again if the service wants one.
 * @param {string} method
 * @param {string} path
 * @param {unknown} [body] Sent as JSON.
 * @param {CallOptions} [options]
 * @returns {Promise<any>} The parsed response; null without content.
 * @throws {Problem} Anything but success. An abort is thrown as it is.
 */
export async function call(method, path, body, options = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", ...authorization(), ...options.headers };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const content = body === undefined ? null : JSON.stringify(body);
  let response, text;
  try {
    response = await fetch(url(path), { method, headers, body: content, signal: options.signal ?? null });
    text = await response.text();
  } catch (err) {
    if (options.signal?.aborted) throw err;
    throw withoutResponse(err);
  }
  if (response.ok) return text ? JSON.parse(text) : null;
  const problem = problemOf(response.status, text);
  if (!problem.wantsKey || options.isQuiet || (await askForKey(problem)) === null) throw problem;
  return call(method, path, body, options);
}

/** @param {string} path @param {CallOptions} [options] */
export const get = (path, options) => call("GET", path, undefined, options);
/** @param {string} path @param {unknown} [body] @param {CallOptions} [options] */
export const post = (path, body, options) => call("POST", path, body, options);
/** @param {string} path @param {CallOptions} [options] */
export const remove = (path, options) => call("DELETE", path, undefined, options);

/**
 * Upload a file; fetch tells nothing of its progress, so this is XMLHttpRequest.
 * @param {string} path
 * @param {Blob} file
 * @param {{ type: string, signal?: AbortSignal, onProgress?: (sent: number, total: number) => void }} options
 * @returns {Promise<any>} The parsed response.
 */
export function upload(path, file, options) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", url(path));
    const headers = { Accept: "application/json", "Content-Type": options.type, ...authorization() };
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => options.onProgress?.(event.loaded, event.total);
    request.onerror = () => reject(withoutResponse("upload"));
    request.onabort = () => reject(new DOMException("Canceled", "AbortError"));
    request.onload = async () => {
      if (request.status < 300) return resolve(JSON.parse(request.responseText));
      const problem = problemOf(request.status, request.responseText);
      if (!problem.wantsKey || (await askForKey(problem)) === null) return reject(problem);
      upload(path, file, options).then(resolve, reject);
    };
    options.signal?.addEventListener("abort", () => request.abort());
    request.send(file);
  });
}
