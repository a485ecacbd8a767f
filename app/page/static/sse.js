// Reading server-sent events with fetch, which unlike EventSource tells why a stream ended.
import { url } from "./api.js";

/** @typedef {{ id: string, type: string, data: Record<string, any> }} ServerEvent */

const SILENCE_MS = 45_000; // three of the service's keep-alive comments

/**
 * Read one connection to its end.
 * @param {string} path
 * @param {{ after: string, signal: AbortSignal, onOpen?: () => void, onEvents: (events: ServerEvent[]) => void }} options
 * `after` is the id of the last event that is known, or "".
 * @returns {Promise<number>} HTTP status; 0 if the connection was refused, broke, or was silent for too long.
 */
export async function readEvents(path, { after, signal, onOpen, onEvents }) {
  const silence = new Watchdog(SILENCE_MS);
  /** @type {Record<string, string>} */
  const headers = { Accept: "text/event-stream", ...(after && { "Last-Event-ID": after }) };
  try {
    const response = await fetch(url(path), { headers, cache: "no-store", signal: AbortSignal.any([signal, silence.signal]) });
    if (response.status !== 200 || !response.body) return response.status;
    onOpen?.();
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let rest = ""; ; ) {
      const { done, value = "" } = await reader.read();
      if (done) return 200;
      silence.restart();
      const blocks = (rest + value).split("\n\n");
      rest = blocks.pop() ?? "";
      const events = blocks.flatMap(parse);
      if (events.length) onEvents(events);
    }
  } catch (err) {
    if (signal.aborted) throw err;
    return 0;
  } finally {
    silence.stop();
  }
}

/** Parse one block of text/event-stream; comments give nothing. @param {string} block @returns {ServerEvent[]} */
export function parse(block) {
  const fields = Object.fromEntries(block.split("\n").map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
  }));
  return fields.data ? [{ id: fields.id, type: fields.event, data: JSON.parse(fields.data) }] : [];
}

/** Aborts its signal after a time without `restart`. */
class Watchdog extends AbortController {
  /** @param {number} ms */
  constructor(ms) {
    super();
    this.ms = ms;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.restart();
  }

  restart() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.abort(), this.ms);
  }

  stop() {
    clearTimeout(this.timer);
  }
}

/** Wait, or less if the signal is aborted. @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => (clearTimeout(timer), resolve()));
  });
}
