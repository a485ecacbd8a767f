// What every view says of a job: its title, how far it is, and whether it has ended.

/** @typedef {import("./stream.js").Job} Job */

/** How a job ends other than well. */
export const FAILED = ["failed", "collapsed", "canceled"];
export const ENDED = ["finished", ...FAILED];

/** @param {Job} job */
export const titleOf = ({ kind, order }) => (kind === "train" ? `${order.recipe} on ${order.dataset}` : `Import of ${order.name ?? order.dataset}`);

/**
 * How much of a phase is done: for a bar.
 * @param {Job} job
 * @param {any} [phase] One of its phases; the present one by default.
 * @returns {{ value: number, max?: number | null, etaS?: number | null }}
 */
export function workOf({ kind, phases, progress: p }, phase = phases.at(-1)) {
  // The budget is what training works off, and is known more finely than the phase.
  if (kind !== "train" || phase?.name !== "training") return { value: phase?.done ?? 0, max: phase?.total, etaS: phase?.eta_s };
  const isTimed = p.training_s_total !== null;
  return { value: isTimed ? p.training_s : p.kimg, max: isTimed ? p.training_s_total : p.kimg_total, etaS: p.eta_s };
}
