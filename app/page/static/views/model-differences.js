// In what versions differ: only that, and how much is equal.
import { differences } from "../comparison.js";
import { counted, number } from "../format.js";
import { html, useMemo } from "../vendor/vendor.js";

/** @param {{ shown: import("../comparison.js").Version[] }} props */
export function Differences({ shown }) {
  const { rows, equal } = useMemo(() => differences(shown), [shown]);
  if (shown.length < 2) return null;
  return html`<section aria-labelledby="differences"><h2 id="differences">What differs</h2>
    ${rows.length === 0 ? html`<p class="muted">Nothing but chance: all ${counted(equal, "setting")} are equal.</p>` : html`
    <div class="scroll" tabindex="0" role="group" aria-label="What differs"><table class="model-differences">
      <thead><tr><th scope="col">Setting</th>${shown.map(({ version }) => html`<th scope="col" key=${version}><code>${version.slice(0, 6)}</code></th>`)}</tr></thead>
      <tbody>${rows.map(({ name, values }) => html`<tr key=${name}><th scope="row">${name}</th>${values.map((value, index) => html`<td key=${index}>${written(value)}</td>`)}</tr>`)}</tbody>
    </table></div>
    <p class="muted">${counted(equal, "other setting is", "other settings are")} equal.</p>`}
  </section>`;
}

/** @param {any} value */
function written(value) {
  if (value === undefined || value === null || value === "") return html`<span class="muted">none</span>`;
  if (typeof value === "number") return number(value, 4);
  if (typeof value === "boolean") return value ? "yes" : "no";
  return String(typeof value === "object" ? JSON.stringify(value) : value);
}
