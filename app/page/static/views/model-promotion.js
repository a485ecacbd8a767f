// Putting versions into service, with a way back, and why a training's gate did or did not.
import { post } from "../api.js";
import { attempt, say } from "../components.js";
import { number } from "../format.js";
import { html } from "../vendor/vendor.js";

/**
 * Put a version into service and say so, with a way back; also says what went wrong.
 * @param {string} model @param {string} version @param {string | null} before The one in service until now.
 * @param {() => void} reload
 */
export function moveTo(model, version, before, reload) {
  return attempt(() => promote(model, version, before, reload));
}

/** @param {string} model @param {string} version @param {string | null} before @param {() => void} reload */
export async function promote(model, version, before, reload) {
  // Reloaded also if it fails: the version may be gone, or another one in service.
  await post(`/models/${encodeURIComponent(model)}/promote`, { version }).finally(reload);
  say(`${version} is in service now.`, "done", before ? () => moveTo(model, before, version, reload) : undefined);
  focusVersion(version);
}

/** The button that did it is gone by then; the focus goes to what it did. @param {string} version */
export function focusVersion(version) {
  document.getElementById(`version-${version}`)?.focus();
}

/** @param {{ promotion: any }} props The decision of the job that trained a version. */
export function Gate({ promotion }) {
  const { decision, reason, compared, kid, compared_kid: theirs, difference, interval, dataset } = promotion;
  const title = decision === "promoted" ? "Promoted by its job" : "Not promoted by its job";
  const why = reason.replace(/^(Not promoted|Promoted): /, "");
  if (typeof difference !== "number" || !interval) return html`<p class="model-gate"><b>${title}</b>: ${why}</p>`;
  return html`<div class="model-gate"><p><b>${title}</b>: KID ${number(kid)} against ${number(theirs)} of <code>${compared}</code>, then in service${dataset && `, both on ${dataset}`}.</p>
    <p>Difference ${signed(difference)} <span class="muted">(${signed(interval[0])} to ${signed(interval[1])}; below 0 is better, and all of it must be)</span></p></div>`;
}

/** @param {number} value With a minus that is as wide as a plus. */
const signed = (value) => `${value > 0 ? "+" : value < 0 ? "−" : ""}${number(Math.abs(value))}`;
