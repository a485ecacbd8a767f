// Events of all jobs, live: one connection for all tabs, since a browser opens only six.
//
// Visible tabs compete for a lock; its holder reads `GET /events` and passes every event on to the
// others over a channel. A tab that is hidden gives the lock up. A tab that wins the lock goes on
// after the last event that it was told of, so nothing is lost, and histories drop what they have.
import { ROOT } from "./api.js";
import { pause, readEvents } from "./sse.js";
import { signal, useEffect } from "./vendor/vendor.js";

/** @typedef {import("./sse.js").ServerEvent} ServerEvent */
/** @typedef {Record<string, any> & { id: string, status: string, kind: string }} Job As `GET /jobs/{job}` returns it. */
/** @typedef {{ seq: number, type: string, at: string, [fact: string]: any }} Entry One entry of a job's history. */

const CHANNEL = `cattery ${ROOT.href}`;
const PAUSES_MS = [250, 500, 1000, 2000, 4000];

/** Whether the stream is there, or wanted and missing. */
export const connection = signal(/** @type {"live" | "reconnecting"} */ ("live"));

/** All jobs by id, newest first; undefined before they are known. */
export const jobs = signal(/** @type {Map<string, Job> | undefined} */ (undefined));

class Feed {
  constructor() {
    this.cursor = "";
    this.users = 0;
    this.turn = new AbortController();
    this.channel = new BroadcastChannel(CHANNEL);
    this.channel.onmessage = ({ data }) => this.hear(data);
    document.addEventListener("visibilitychange", () => this.wake());
    addEventListener("pageshow", () => this.wake());
    addEventListener("online", () => this.wake());
    addEventListener("pagehide", () => this.turn.abort());
  }

  /** @returns {() => void} */
  use() {
    this.users += 1;
    if (this.users === 1) this.wake();
    return () => {
      this.users -= 1;
      if (this.users === 0) this.turn.abort();
    };
  }

  /** Compete anew if the tab can be seen, or else give the connection up. */
  wake() {
    // A connection that slept with the phone looks open for minutes: it is always replaced.
    this.turn.abort();
    if (document.hidden || this.users === 0) return;
    this.turn = new AbortController();
    const { signal } = this.turn;
    this.channel.postMessage({ wants: true });
    // Locks need HTTPS or localhost; without them each tab has a connection of its own.
    const turn = navigator.locks
      ? navigator.locks.request(CHANNEL, { signal }, () => this.lead(signal))
      : this.lead(signal);
    turn.catch(() => {}); // aborted while it waited
    for (const history of histories.values()) history.catchUp();
  }

  /** Read the stream, and again after each failure, until the signal. @param {AbortSignal} signal */
  async lead(signal) {
    for (let failures = 0; !signal.aborted; failures += 1) {
      await readEvents("/events", {
        after: this.cursor,
        signal,
        onOpen: () => {
          failures = -1;
          this.tell({ connection: "live" });
        },
        onEvents: (events) => this.tell({ events }),
      }).catch(() => {});
      if (signal.aborted) return;
      this.tell({ connection: "reconnecting" });
      await pause(PAUSES_MS[Math.min(failures + 1, PAUSES_MS.length - 1)], signal);
    }
  }

  /** Say something to all tabs, this one included. @param {Message} message */
  tell(message) {
    this.channel.postMessage(message);
    this.hear(message);
  }

  /**
   * @typedef {{ wants?: true, events?: ServerEvent[], state?: { cursor: string, jobs: Job[] }, connection?: "live" | "reconnecting" }} Message
   * @param {Message} message
   */
  hear({ wants, events, state, connection: its }) {
    if (wants && jobs.value && this.users > 0) {
      this.channel.postMessage({ state: { cursor: this.cursor, jobs: [...jobs.value.values()] } });
    }
    if (state && !jobs.value) {
      this.cursor = state.cursor;
      jobs.value = new Map(state.jobs.map((job) => [job.id, job]));
    }
    if (its) connection.value = its;
    if (events) this.take(events);
  }

  /** @param {ServerEvent[]} events */
  take(events) {
    // Events of one job say nothing of the others: a tab that has just opened waits for them all.
    if (!jobs.value && !events.some(({ type }) => type === "jobs")) return;
    let known = new Map(jobs.value);
    for (const { id, type, data } of events) {
      this.cursor = id;
      if (type === "jobs") known = new Map(data.jobs.map((/** @type {Job} */ job) => [job.id, job]));
      else if (type === "job") known = withJob(known, /** @type {Job} */ (data));
      else if (type === "deleted") known.delete(data.job);
      else histories.get(data.job)?.take([entryOf(type, data.seq, data)]);
    }
    jobs.value = known;
    // A snapshot says nothing of what happened since a history was read.
    if (events.some(({ type }) => type === "jobs")) for (const history of histories.values()) history.catchUp();
  }
}

/** A job replaces itself; a new one comes first. @param {Map<string, Job>} known @param {Job} job */
function withJob(known, job) {
  return known.has(job.id) ? known.set(job.id, job) : new Map([[job.id, job], ...known]);
}

/** @param {string} type @param {number} seq @param {Record<string, any>} data @returns {Entry} */
const entryOf = (type, seq, data) => ({ at: "", ...data, seq, type });

/** Everything that happened to one job, in order; while a view shows it. */
class History {
  /** @param {string} job */
  constructor(job) {
    this.job = job;
    this.users = 0;
    this.entries = signal(/** @type {Entry[]} */ ([]));
    this.reading = new AbortController();
  }

  get last() {
    return this.entries.peek().at(-1)?.seq ?? 0;
  }

  /**
   * Add what is new; what is missing in between is read.
   * @param {Entry[]} entries
   */
  take(entries) {
    const news = entries.filter((entry) => entry.seq > this.last);
    if (news.length && news[0].seq > this.last + 1) return void this.catchUp();
    if (news.length) this.entries.value = [...this.entries.peek(), ...news];
  }

  /** Read what is missing; later entries come by the stream of all jobs, or else each tab would need a connection. */
  async catchUp() {
    this.reading.abort();
    this.reading = new AbortController();
    const { signal } = this.reading;
    for (const ms of PAUSES_MS) {
      const status = await readEvents(`/jobs/${encodeURIComponent(this.job)}/events?follow=false`, {
        after: String(this.last || ""),
        signal,
        onEvents: (events) => this.take(events.map(({ id, type, data }) => entryOf(type, Number(id), data))),
      }).catch(() => 204);
      if (signal.aborted || (status !== 0 && status < 500)) return;
      await pause(ms, signal);
    }
  }
}

/** Histories that views show, by job. @type {Map<string, History>} */
const histories = new Map();
const feed = new Feed();

/** All jobs, live while the view is shown; undefined before they are known. */
export function useJobs() {
  useEffect(() => feed.use(), []);
  return jobs.value;
}

/**
 * The whole history of a job, live while the view is shown.
 * @param {string} job
 * @returns {Entry[]}
 */
export function useHistory(job) {
  const history = histories.get(job) ?? new History(job);
  histories.set(job, history);
  useEffect(() => {
    const leave = feed.use();
    history.users += 1;
    if (history.users === 1) history.catchUp();
    return () => {
      leave();
      history.users -= 1;
      if (history.users > 0) return;
      history.reading.abort();
      histories.delete(job);
    };
  }, [job]);
  return history.entries.value;
}
