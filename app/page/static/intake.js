// The upload of a dataset: what is typed and chosen, and how far it is. It goes on while other
// views are looked at, and what was typed is kept for the tab until the dataset is there.
import { Problem, upload } from "./api.js";
import { say } from "./components.js";
import { address, go, route } from "./router.js";
import { effect, signal } from "./vendor/vendor.js";
import { zip } from "./zip.js";

/** @typedef {import("./chosen.js").Chosen} Chosen */
/** @typedef {{ name: string, license: string, source: string }} Label */
/** @typedef {{ task: "checking" | "packing" | "sending", done: number, total: number, unit: "files" | "bytes" }} Sending */

const MEMORY = "cattery.dataset";
/** @type {Label} */
const NEW = { name: "", license: "", source: "" };

/** What is typed about the dataset. */
export const label = signal(kept());
/** What is to be uploaded; null before something was chosen. */
export const chosen = signal(/** @type {Chosen | null} */ (null));
/** The upload that is going on. */
export const sending = signal(/** @type {Sending | null} */ (null));
/** Why the last upload was refused or broke. */
export const refusal = signal(/** @type {Problem | null} */ (null));

effect(() => sessionStorage.setItem(MEMORY, JSON.stringify(label.value)));

let turn = new AbortController();
let delivered = ""; // name of the last upload that was taken

/** @returns {Label} */
function kept() {
  try {
    return { ...NEW, ...JSON.parse(sessionStorage.getItem(MEMORY) ?? "{}") };
  } catch {
    return NEW;
  }
}

/** @param {Partial<Label>} changes */
export function describe(changes) {
  label.value = { ...label.value, ...changes };
  refusal.value = null;
}

/** Choose what to upload; it names the dataset unless that has a name. @param {Chosen | null} what */
export function choose(what) {
  chosen.value = what;
  refusal.value = null;
  if (what && !label.value.name) describe({ name: nameFrom(what.label) });
}

/** A valid name of a dataset that looks like the given one. @param {string} text */
export function nameFrom(text) {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.replace(/[^a-z0-9._]+/g, "-").replace(/\.{2,}/g, ".").replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "").slice(0, 63);
}

/** Forget what was typed, once the dataset that was uploaded is there. @param {string} name */
export function forget(name) {
  if (name === delivered && name === label.peek().name && !chosen.peek()) label.value = NEW;
}

/** Stop the upload; all that was typed and chosen stays. */
export function cancel() {
  turn.abort();
}

/** Upload what is chosen, and go to the dataset to be. */
export async function send() {
  const what = chosen.peek();
  if (!what || sending.peek()) return;
  const { name } = label.peek();
  turn = new AbortController();
  refusal.value = null;
  try {
    await deliver(what, turn.signal);
  } catch (err) {
    if (turn.signal.aborted) return;
    refusal.value = problemOf(err);
    if (route.peek().view !== "datasets") say(`The upload of ${name} failed: ${refusal.value.message}`, "problem");
    return;
  } finally {
    sending.value = null;
  }
  delivered = name;
  chosen.value = null; // all of it is there; only the words are still needed if the import fails
  if (route.peek().view === "datasets") go(address(["datasets", name]));
  else say(`${name} is uploaded; its pictures are being packed.`);
}

/** @param {Chosen} what @param {AbortSignal} signal */
async function deliver(what, signal) {
  const { name, ...facts } = label.peek();
  const given = Object.entries(facts).filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  const path = `/datasets/${encodeURIComponent(name)}${query && `?${query}`}`;
  sending.value = { task: "checking", done: 0, total: 0, unit: "files" };
  await rehearse(path, signal);
  const content = what.isZip ? what.members[0].file : await pack(what, signal);
  sending.value = { task: "sending", done: 0, total: content.size, unit: "bytes" };
  await upload(path, content, {
    type: "application/zip",
    signal,
    onProgress: (done, total) => void (sending.value = { task: "sending", done, total, unit: "bytes" }),
  });
}

/**
 * Upload nothing: whatever but that is refused now would be refused after gigabytes, when a browser
 * often sees only a broken connection.
 * @param {string} path @param {AbortSignal} signal
 */
async function rehearse(path, signal) {
  try {
    await upload(path, new Blob([]), { type: "application/zip", signal });
  } catch (err) {
    if (!(err instanceof Problem) || err.document.field !== "body") throw err;
  }
}

/** @param {Chosen} what @param {AbortSignal} signal */
function pack({ members }, signal) {
  const total = members.length;
  return zip(members, {
    signal,
    onProgress: (done) => {
      if (done % 20 === 0 || done === total) sending.value = { task: "packing", done, total, unit: "files" };
    },
  });
}

/** @param {unknown} err @returns {Problem} */
function problemOf(err) {
  if (err instanceof Problem) return err;
  if (!(err instanceof DOMException)) throw err;
  // Moved, changed or deleted since it was chosen.
  return new Problem(-1, { detail: `A file cannot be read any more (${err.name}).`, remedy: "Choose the folder again." });
}
