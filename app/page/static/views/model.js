// One model: its versions side by side, what is in service, and how to change that.
import { post, remove } from "../api.js";
import { ActionButton, Badge, Button, Dialog, Failure, Loading, say } from "../components.js";
import { ago, counted, moment } from "../format.js";
import { useResource } from "../load.js";
import { address, go, replace, route, usePlace } from "../router.js";
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { Differences } from "./model-differences.js";
import { History } from "./model-history.js";
import { Metrics } from "./model-metrics.js";
import { focusVersion, moveTo } from "./model-promotion.js";
import { Versions } from "./model-versions.js";

/** @typedef {import("../comparison.js").Version} Version */
/** @typedef {{ action: string, version: string, at: string, reason: string }} Move */
/** @typedef {{ name: string, serving: string | null, previous: string | null, history: Move[], versions: Version[], votes?: any[] }} Model `GET /models/{model}` */

const AT_FIRST = 4; // side by side, unless the address says which
const RELOAD_MS = 15_000;

/** @param {{ name: string }} props */
export function ModelView({ name }) {
  const loaded = useResource(`/models/${encodeURIComponent(name)}`, { everyMs: RELOAD_MS });
  const { data: model, problem, reload } = loaded;
  useVanished(model);
  usePlace(model !== undefined);
  const isGone = problem && [404, 410].includes(problem.status);
  if (!model || isGone) {
    return html`<section class="content"><h1 tabindex="-1">${name}</h1>
      ${problem ? html`<${Failure} problem=${problem} onRetry=${reload} /><p class="models-back"><a href=${address(["models"])}>All models</a></p>` : html`<${Loading} />`}</section>`;
  }
  const { wanted, missing } = wantedOf(model);
  // The one in service first: the others are looked at beside it.
  const shown = model.versions.filter((/** @type {Version} */ { version }) => wanted.includes(version))
    .sort((/** @type {Version} */ one, /** @type {Version} */ other) => Number(other.alias === "serving") - Number(one.alias === "serving"));
  return html`<section class="content model">
    <p class="models-up"><a href=${address(["models"])}>All models</a></p>
    <${Head} model=${model} shown=${shown} reload=${reload} />
    ${problem && html`<p class="muted" role="status">${problem.message} This is how it was before.</p>`}
    ${missing.length > 0 && html`<p class="models-missing" role="status">${missing.length === 1 ? `Version ${missing[0]} is not here: it was deleted, or never existed.` : `Versions ${missing.join(", ")} are not here: they were deleted, or never existed.`}</p>`}
    <${Versions} model=${model} shown=${shown} reload=${reload} onChange=${(/** @type {Record<string, string | number>} */ changes) => change(name, changes)} />
    <${Metrics} shown=${shown} />
    <${Differences} shown=${shown} />
    <${History} model=${model} />
  </section>`;
}

/** Say which versions others deleted while the model is looked at. @param {Model | undefined} model */
function useVanished(model) {
  const known = useRef(/** @type {string[]} */ ([]));
  useEffect(() => {
    if (!model) return;
    const ids = model.versions.map(({ version }) => version);
    for (const id of known.current) if (!ids.includes(id)) say(`Version ${id} was deleted.`);
    known.current = ids;
  }, [model]);
}

/** Which versions to show: those of the address, or else those in service, the previous, and the newest. @param {Model} model */
function wantedOf({ versions, serving, previous }) {
  const ids = versions.map(({ version }) => version);
  const asked = route.value.query.get("compare")?.split(",").filter(Boolean) ?? [];
  const missing = asked.filter((id) => !ids.includes(id));
  const found = asked.filter((id) => ids.includes(id));
  const aliases = /** @type {string[]} */ ([serving, previous].filter(Boolean));
  const usual = [...new Set([...aliases, ...ids])].slice(0, AT_FIRST);
  return { wanted: found.length > 0 ? found : usual, missing };
}

/** @param {string} name @param {Record<string, string | number | null>} changes */
function change(name, changes) {
  replace(address(["models", name], { ...Object.fromEntries(route.value.query), ...changes }));
}

/** @param {{ model: Model, shown: Version[], reload: () => void }} props */
function Head({ model, shown, reload }) {
  const { name, serving, previous, versions, history } = model;
  const since = history.at(-1)?.at;
  async function back() {
    const { serving: now } = await post(`/models/${encodeURIComponent(name)}/rollback`).finally(reload);
    say(`Rolled back: ${now} is in service now.`, "done", serving ? () => moveTo(name, serving, now, reload) : undefined);
    focusVersion(now);
  }
  return html`<header class="model-head">
    <div><h1 tabindex="-1">${name}</h1>
      <p>${serving ? html`<${Badge} status="serving"><span><code>${serving}</code> is in service${since && html` since <time datetime=${since} title=${ago(since)}>${moment(since)}</time>`}</span><//>` : html`<${Badge} status="queued">nothing is in service<//>`}</p>
      <p class="muted">${versions[0].size_px} px, ${counted(versions.length, "version")}</p></div>
    <div class="buttons">
      ${previous && html`<${ActionButton} id="rollback" icon="rotate-ccw" action=${back}>Roll back to ${previous.slice(0, 6)}<//>`}
      ${shown.length > 1 && model.votes && html`<${Button} id="vote" icon="cat" href=${address(["models", name], { vote: shown.map(({ version }) => version).join() })}>Compare blind<//>`}
      <${DeleteModel} model=${model} />
    </div></header>`;
}

/** @param {{ model: Model }} props */
function DeleteModel({ model: { name, versions, votes } }) {
  const [isAsking, setAsking] = useState(false);
  if (!votes) return null; // releases that keep no votes cannot delete models either
  async function destroy() {
    await remove(`/models/${encodeURIComponent(name)}`);
    go(address(["models"]));
  }
  return html`<${Button} id="delete-model" icon="trash-2" kind="quiet" label=${`Delete ${name}`} onClick=${() => setAsking(true)} />
    <${Dialog} title=${`Delete ${name}?`} isOpen=${isAsking} onClose=${() => setAsking(false)}>
      <p>It goes out of service, and ${versions.length === 1 ? "its version is" : `all ${versions.length} versions are`} deleted for good. Every permalink of its cats, also where it was shared, then answers that the cat is gone.
        The default model is refused, and so is one that a job trains for.</p>
      <footer><${Button} onClick=${() => setAsking(false)}>Keep it<//>
        <${ActionButton} kind="danger" icon="trash-2" action=${destroy} done=${`${name} and its versions are deleted.`}>Delete the model<//></footer>
    <//>`;
}
