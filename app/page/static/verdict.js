// Whether all is well: what `GET /status` says that an operator should act on.
import { bytes, counted, duration, number } from "./format.js";

/** @typedef {{ severity: "bad" | "warn", text: string, remedy: string }} Finding */

/** What each check is about, and what to do if it fails. @type {Record<string, { label: string, severity: "bad" | "warn", remedy: string }>} */
export const CHECKS = {
  store: { label: "Store", severity: "bad", remedy: "Check that CATTERY_STORE can be read and written; “cattery doctor” says more." },
  default_model: { label: "Default model", severity: "bad", remedy: "Put one of its versions into service, or set CATTERY_DEFAULT_MODEL to a model that is." },
  queue: { label: "Job queue", severity: "bad", remedy: "Check Redis and CATTERY_REDIS_URL. Cats are served meanwhile, and queued jobs are kept." },
  pool: { label: "Versions in service", severity: "bad", remedy: "Roll the model back to another version; “cattery doctor” checks all of them." },
  zoo: { label: "Generators of this release", severity: "warn", remedy: "Install this release of Cattery again." },
  records: { label: "Records", severity: "warn", remedy: "“cattery doctor” names the damaged files and what to do about each." },
};

/** @param {string} name @returns {{ label: string, severity: "bad" | "warn", remedy: string }} */
export const checkOf = (name) => CHECKS[name] ?? { label: name.replaceAll("_", " "), severity: "warn", remedy: "“cattery doctor” says more." };

const NEARLY = 0.9; // of a limit, from which it is worth knowing
const LATE_S = 0.25; // of the event loop: requests are felt to hang

/**
 * Rules, the gravest first; each returns its findings.
 * @type {((status: any) => Finding[])[]}
 */
const RULES = [
  ({ checks }) => Object.entries(checks).filter(([, state]) => state !== "ok").map(([name, state]) => {
    const { label, severity, remedy } = checkOf(name);
    return { severity, text: `${label}: ${state}`, remedy };
  }),
  ({ checks, workers, queue }) => {
    if (checks.queue !== "ok" || workers.length > 0) return []; // without Redis nobody knows the workers
    const waiting = queue.length ? `${counted(queue.length, "job")} cannot start` : "trainings will wait";
    return [{ severity: queue.length ? "bad" : "warn", text: `No worker is alive: ${waiting}.`, remedy: "“cattery serve” starts one; on another machine, “cattery worker”." }];
  },
  ({ queue_note: note }) => note === null ? [] : [{ severity: "warn", text: `Job queue: ${note}`, remedy: "It works; this stays until the service restarts." }],
  ({ store_free_bytes: store, data_free_bytes: data, min_free_bytes: least }) => {
    // One finding: the two are often on one disk.
    const [[place, free]] = /** @type {[string, number][]} */ ([["store", store ?? Infinity], ["data folder", data ?? Infinity]]).sort(([, a], [, b]) => a - b);
    return free > 2 * least ? [] : [{
      severity: free < least ? "bad" : "warn",
      text: `Only ${bytes(free)} are free on the disk of the ${place}.`,
      remedy: "Below CATTERY_MIN_FREE_MB no job starts. Delete ended jobs, old versions or datasets.",
    }];
  },
  ({ traffic: { errors_per_s: errors, window_s: windowS } }) => errors === 0 ? [] : [{
    severity: "warn",
    text: `${counted(Math.max(1, Math.round(errors * windowS)), "response")} of the last ${duration(windowS)} failed with a status of 500 or above.`,
    remedy: "The service's log has the reason for each, by request id.",
  }],
  ({ service: s }) => [
    full("Images waiting to be rendered", s.waiting_images, s.max_waiting_images, "Above the limit requests are refused: CATTERY_MAX_WAITING_IMAGES, or another front end."),
    full("Open connections", s.connections, s.max_connections, "Above the limit connections are refused: CATTERY_MAX_CONNECTIONS."),
    full("Memory of the device", s.device.used_bytes ?? 0, s.device.total_bytes ?? 0, "CATTERY_MAX_DEVICE_BYTES limits the versions that stay loaded."),
  ].flat(),
  ({ traffic: { loop_lag_p95_s: lag } }) => lag === null || lag < LATE_S ? [] : [{
    severity: "warn",
    text: `The front end responds ${duration(lag)} late.`,
    remedy: "The machine is overloaded: fewer CATTERY_THREADS for training, or another machine for it.",
  }],
];

/** @param {string} what @param {number} value @param {number} limit @param {string} remedy @returns {Finding[]} */
function full(what, value, limit, remedy) {
  if (!limit || value < NEARLY * limit) return [];
  return [{ severity: "warn", text: `${what}: ${number((100 * value) / limit, 2)} % of the limit.`, remedy }];
}

/** @param {any} status `GET /status`. @returns {Finding[]} The gravest first. */
export function findingsOf(status) {
  const found = RULES.flatMap((rule) => rule(status));
  return [...found.filter(({ severity }) => severity === "bad"), ...found.filter(({ severity }) => severity === "warn")];
}

/** The one line: whether cats are served, and whether jobs are done. @param {any} status @param {Finding[]} findings */
export function verdictOf(status, findings) {
  if (status.status !== "ready") return { severity: "bad", text: "Cats are not served." };
  if (findings.some(({ severity }) => severity === "bad")) return { severity: "bad", text: "Cats are served, but something is wrong." };
  if (findings.length) return { severity: "warn", text: `Cats are served. ${counted(findings.length, "thing")} to look at.` };
  return { severity: "good", text: "All is well." };
}
