// What the history of a training says: curves, sheets and events, all by kimg.

/** @typedef {import("./stream.js").Entry} Entry */
/** @typedef {import("./plots.js").Axis} Axis */
/** @typedef {import("./plots.js").Series} Series */

/**
 * @typedef {object} Course The course of a training.
 * @property {Axis} x Of `losses`.
 * @property {Series[]} losses
 * @property {Axis} metricX Of `metrics`, one point for each snapshot.
 * @property {Series[]} metrics
 * @property {string[]} sheets Labels of the sample sheets, in kimg, ascending.
 * @property {Happening[]} happenings
 * @property {number} end kimg so far.
 */

/** @typedef {{ seq: number, at: string, kimg: number, title: string, detail: string }} Happening */

const BUCKETS = 600; // points of a line: more than that many pixels nobody can see

/** @param {Entry[]} entries @returns {Course} */
export function courseOf(entries) {
  const progress = entries.filter(({ type, kimg }) => type === "progress" && kimg !== undefined);
  // Fewer than one for each bucket stay as they are, so that a short training is shown exactly.
  const buckets = split(progress, BUCKETS);
  const mean = (/** @type {string} */ fact) => buckets.map((bucket) => average(bucket.map((entry) => entry[fact])));
  const x = { kimg: mean("kimg"), minutes: mean("training_s").map((s) => s / 60), steps: mean("step") };
  const names = [...new Set(progress.flatMap(({ losses }) => Object.keys(losses ?? {})))];
  // A penalty that a recipe does not have is zero throughout.
  const losses = names.map((name) => lineOf(name, buckets)).filter(({ values }) => values.some((value) => value));
  const snapshots = entries.filter(({ type }) => type === "snapshot");
  const sheets = [...new Set(entries.filter(({ type }) => type === "sample").map(({ kimg }) => String(kimg)))].sort((a, b) => Number(a) - Number(b));
  return {
    x,
    losses,
    ...metricsOf(snapshots, progress),
    sheets,
    happenings: happeningsOf(entries),
    end: Math.max(progress.at(-1)?.kimg ?? 0, Number(sheets.at(-1) ?? 0)),
  };
}

/** @template T @param {T[]} items @param {number} most @returns {T[][]} */
function split(items, most) {
  const size = Math.max(1, Math.ceil(items.length / most));
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}

/** @param {number[]} values */
const average = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** @param {string} name @param {Entry[][]} buckets @returns {Series} */
function lineOf(name, buckets) {
  const values = buckets.map((bucket) => bucket.map(({ losses }) => losses?.[name]).filter(Number.isFinite));
  const of = (/** @type {(some: number[]) => number} */ reduce) => values.map((some) => (some.length ? reduce(some) : null));
  const line = of(average);
  const isThinned = values.some((some) => some.length > 1);
  const band = /** @type {[(number | null)[], (number | null)[]]} */ ([of((some) => Math.min(...some)), of((some) => Math.max(...some))]);
  return { label: name, values: line, ...(isThinned && { band }) };
}

/** @param {Entry[]} snapshots @param {Entry[]} progress */
function metricsOf(snapshots, progress) {
  const kimg = snapshots.map((entry) => entry.kimg);
  const steps = kimg.map((at) => progress.find((entry) => entry.kimg >= at)?.step ?? progress.at(-1)?.step ?? 0);
  const metricX = { kimg, minutes: snapshots.map(({ training_s }) => training_s / 60), steps };
  const values = snapshots.map(({ metric }) => metric?.value ?? null);
  const [low, high] = [0, 1].map((end) => snapshots.map(({ metric }) => metric?.interval?.[end] ?? metric?.value ?? null));
  return { metricX, metrics: [{ label: "KID", values, band: /** @type {[any, any]} */ ([low, high]) }] };
}

/** What each type of entry means; those without a line are not listed. @type {Record<string, (entry: Entry) => [string, string]>} */
const MEANINGS = {
  queued: () => ["Queued", ""],
  started: ({ attempt }) => [attempt ? `Started again, attempt ${attempt + 1}` : "Started", ""],
  phase: ({ phase }) => [phase[0].toUpperCase() + phase.slice(1), ""],
  resumed: ({ kimg, from }) => [`Resumed at ${kimg} kimg`, from ? `from job ${from}` : ""],
  initialized: ({ from }) => ["Began with the weights of another job", from],
  snapshot: ({ metric, faces, best, kimg }) => ["Snapshot", [
    metric ? `KID ${metric.value.toPrecision(3)}` : "not measured",
    faces && `one face in ${Math.round(100 * faces.value)} % of the samples, in ${Math.round(100 * faces.details.expected)} % of real pictures`,
    best?.kimg === kimg && "the best so far",
  ].filter(Boolean).join(", ")],
  published: ({ version, reason }) => [`Published version ${version}`, reason ?? ""],
  paused: ({ reason }) => ["Paused", reason],
  interrupted: ({ reason }) => ["Interrupted", reason],
  finished: () => ["Finished", ""],
  failed: ({ reason }) => ["Failed", reason],
  canceled: ({ reason }) => ["Canceled", reason],
  collapsed: ({ reason }) => ["Collapsed", reason],
};

/** @param {Entry[]} entries @returns {Happening[]} Each with the kimg that the training had reached. */
function happeningsOf(entries) {
  let reached = 0;
  return entries.flatMap((entry) => {
    if (typeof entry.kimg === "number") reached = entry.kimg;
    const meaning = MEANINGS[entry.type]?.(entry);
    return meaning ? [{ seq: entry.seq, at: entry.at, kimg: reached, title: meaning[0], detail: meaning[1] ?? "" }] : [];
  });
}
