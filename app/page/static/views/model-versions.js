// Versions of a model side by side: cats of the same seeds, how each came to be, what to do with it.
import { remove, url } from "../api.js";
import { ActionButton, Badge, Button, Dialog } from "../components.js";
import { counted, duration, moment, number } from "../format.js";
import { MAX_SEED, permalink, randomSeed } from "../models.js";
import { address, route } from "../router.js";
import { html, useState } from "../vendor/vendor.js";
import { Gate, promote } from "./model-promotion.js";

/** @typedef {import("../comparison.js").Version} Version */
/** @typedef {import("./model.js").Model} Model */

const CATS = 16;
const ALIASES = /** @type {Record<string, [string, string]>} */ ({ serving: ["serving", "in service"], previous: ["queued", "previous"] });

/** @typedef {(changes: Record<string, string | number>) => void} OnChange Puts something into the address. */

/** @param {{ model: Model, shown: Version[], reload: () => void, onChange: OnChange }} props */
export function Versions({ model, shown, reload, onChange }) {
  const first = Math.min(MAX_SEED - CATS, Math.max(0, Math.floor(Number(route.value.query.get("seed") ?? 1)) || 0));
  const seeds = Array.from({ length: CATS }, (_, index) => first + index);
  return html`<section aria-labelledby="side-by-side">
    <div class="model-side"><div><h2 id="side-by-side">${shown.length > 1 ? "Side by side" : "Its cats"}</h2>
        <p class="muted">${shown.length > 1 ? "The same seeds in every version" : "Seeds"}, from ${first} on</p></div>
      <${Button} id="other-seeds" icon="dices" onClick=${() => onChange({ seed: randomSeed() })}>Other cats<//></div>
    ${model.versions.length > 2 && html`<${Choice} model=${model} wanted=${shown.map(({ version }) => version)} onChange=${onChange} />`}
    <div class="model-versions" role="group" tabindex="0" aria-label="Versions" style=${{ "--versions": String(shown.length) }}>${shown.map((version) => html`
      <${Column} key=${version.version} model=${model} of=${version} seeds=${seeds} reload=${reload} />`)}</div></section>`;
}

/** Which versions are side by side. @param {{ model: Model, wanted: string[], onChange: OnChange }} props */
function Choice({ model: { versions, serving }, wanted, onChange }) {
  /** @param {string} id */
  function toggle(id) {
    const next = wanted.includes(id) ? wanted.filter((other) => other !== id) : [...wanted, id];
    if (next.length > 0) onChange({ compare: next.join() });
  }
  return html`<div class="model-chips" role="group" aria-label="Versions side by side">${versions.map(({ version }) => html`
    <button type="button" class="chip mono" key=${version} aria-pressed=${wanted.includes(version)} onClick=${() => toggle(version)}>${version}${version === serving && html`<span class="visually-hidden"> in service</span>`}</button>`)}</div>`;
}

/** @param {{ model: Model, of: Version, seeds: number[], reload: () => void }} props */
function Column({ model, of, seeds, reload }) {
  const { version, alias, created_at: createdAt, dataset, kimg, training_s: trainingS, promotion, recipe } = of;
  const [status, word] = ALIASES[alias] ?? [];
  const trained = [`${number(kimg)} kimg`, trainingS && `in ${duration(trainingS)}`].filter(Boolean).join(" ");
  return html`<article class=${`model-version ${alias === "serving" ? "is-serving" : ""}`} aria-labelledby=${`version-${version}`}>
    <header><h3 id=${`version-${version}`} tabindex="-1"><code>${version}</code></h3>${status && html`<${Badge} status=${status}>${word}<//>`}</header>
    <div class="model-sheet">${seeds.map((seed) => html`<a key=${seed} href=${address(["cat", `${model.name}@${version}`, seed])}>
      <img src=${permalink({ model: model.name, version, seed })} alt=${`Cat ${seed}`} loading="lazy" width="96" height="96" /></a>`)}</div>
    <p>${recipe}, ${trained} <span class="muted">on ${dataset.name ?? "unknown pictures"}${dataset.pictures && ` (${counted(dataset.pictures, "picture")})`}, <time datetime=${createdAt}>${moment(createdAt)}</time></span></p>
    ${promotion && html`<${Gate} promotion=${promotion} />`}
    <div class="model-buttons">
      ${alias !== "serving" && html`<${ActionButton} id=${`promote-${version}`} kind="primary" icon="check" action=${() => promote(model.name, version, model.serving, reload)}>Put into service<//>`}
      <${Button} icon="cat" href=${address([], { model: `${model.name}@${version}` })}>Its wall<//>
      <${Button} icon="download" href=${url(of.links.weights)} download>Weights<//>
    </div>
    <${More} model=${model} of=${of} reload=${reload} />
  </article>`;
}

/** What is seldom needed. @param {{ model: Model, of: Version, reload: () => void }} props */
function More({ model, of, reload }) {
  const { version, job, parent, dataset, hardware, software, note } = of;
  const [isAsking, setAsking] = useState(false);
  const parentHref = address(["models", model.name], { compare: [version, parent].join() });
  /** @type {[string, any][]} */
  const facts = [
    ["Job", job && html`<a href=${address(["job", job])}>${job}</a>`],
    ["Parent", parent && html`<a href=${parentHref}><code>${parent}</code></a>`],
    ["License", dataset.license],
    ["Source", dataset.source],
    ["Hardware", hardware],
    ["Software", Object.entries(software ?? {}).map(([name, text]) => `${name} ${text}`).join(", ")],
    ["Note", note],
  ];
  return html`<details class="model-more"><summary>More</summary>
    <dl>${facts.filter(([, fact]) => fact).map(([term, fact]) => html`<div key=${term}><dt>${term}</dt><dd>${fact}</dd></div>`)}</dl>
    <${Button} id=${`delete-${version}`} kind="quiet" icon="trash-2" onClick=${() => setAsking(true)}>Delete<//>
    <${DeleteVersion} ...${{ model, of, reload, isAsking }} onClose=${() => setAsking(false)} />
  </details>`;
}

/** @param {{ model: Model, of: Version, reload: () => void, isAsking: boolean, onClose: () => void }} props */
function DeleteVersion({ model: { name }, of: { version, alias }, reload, isAsking, onClose }) {
  const place = alias === "serving" ? "in service" : alias === "previous" ? "what a rollback restores" : "";
  async function destroy() {
    // The view says that it is gone once it is: it looks for versions that vanish.
    await remove(`/models/${encodeURIComponent(name)}/versions/${version}`).finally(reload);
    onClose();
    document.querySelector("h1")?.focus(); // its own place is gone
  }
  return html`<${Dialog} title=${`Delete ${version}?`} isOpen=${isAsking} onClose=${onClose}>
    ${place ? html`<p>This version is ${place}, so it cannot be deleted. Put another one into service first.</p><footer><${Button} onClick=${onClose}>Close<//></footer>`
      : html`<p>Its weights, its card and its samples are deleted for good. Permalinks of its cats, such as <code>/cats/${name}@${version}/1.png</code>, also where they were shared, then answer that the cat is gone (410).
          To keep the weights, download them first.</p>
        <footer><${Button} onClick=${onClose}>Keep it<//>
          <${ActionButton} kind="danger" icon="trash-2" action=${destroy}>Delete the version<//></footer>`}
  <//>`;
}
