// What was in service from when to when, and why it changed.
import { duration, moment } from "../format.js";
import { html } from "../vendor/vendor.js";

/** What each move of the alias is called. @type {Record<string, string>} */
const ACTIONS = { zoo: "Came with Cattery", promote: "Put into service", rollback: "Rolled back to", withdraw: "Taken out of service" };

/** @param {{ model: import("./model.js").Model }} props */
export function History({ model: { history, versions } }) {
  const there = new Set(versions.map(({ version }) => version));
  return html`<section aria-labelledby="history"><h2 id="history">In service</h2>
    ${history.length === 0 ? html`<p class="muted">No version ever was.</p>` : html`<ol class="model-history">${history.map(({ action, version, at, reason }, index) => {
      const next = history[index + 1];
      const time = next ? `for ${duration((Date.parse(next.at) - Date.parse(at)) / 1000)}` : "until now";
      return html`<li key=${`${at} ${version}`}>
        <time datetime=${at}>${moment(at)}</time>
        <p>${ACTIONS[action] ?? action} <code>${version}</code>${!there.has(version) && html` <span class="muted">deleted since</span>`}${action !== "withdraw" && html`, ${time}`}
          ${reason && html`<br /><span class="muted">${reason}</span>`}</p></li>`;
    }).reverse()}</ol>`}
  </section>`;
}
