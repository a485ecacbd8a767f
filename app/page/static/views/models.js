// Models: all of them, each with cats of the same seeds and what is in service since when.
import { Badge, Button, Empty, Loader } from "../components.js";
import { ago, counted, moment } from "../format.js";
import { useResource } from "../load.js";
import { permalink, useModels } from "../models.js";
import { address, route, usePlace } from "../router.js";
import { html } from "../vendor/vendor.js";
import { ModelView } from "./model.js";
import { VoteView } from "./model-vote.js";

/** @typedef {import("../models.js").ModelSummary} ModelSummary */

const SEEDS = Array.from({ length: 12 }, (_, index) => index + 1);

/** @param {{ name: string }} props Name of one model, or "" for all. */
export function ModelsView({ name }) {
  if (!name) return html`<${AllModels} />`;
  const vote = route.value.query.get("vote");
  return vote === null ? html`<${ModelView} key=${name} name=${name} />` : html`<${VoteView} key=${name} name=${name} wanted=${vote.split(",")} />`;
}

function AllModels() {
  const models = useModels();
  usePlace(models.data !== undefined);
  return html`<section class="content models"><h1 tabindex="-1">Models</h1>
    <${Loader} of=${models}>${(/** @type {{ default: string, models: ModelSummary[] }} */ { default: preset, models: all }) => all.length === 0
      ? html`<${Empty} icon="layers" title="There is no model yet."><p>A training publishes its best snapshot as a version of one.</p>
          <${Button} kind="primary" icon="activity" href=${address(["training"])}>Train one<//><//>`
      : html`<ul class="models-list">${all.map((model) => html`<${Row} key=${model.name} model=${model} isPreset=${model.name === preset.split("@")[0]} />`)}</ul>`}<//>
  </section>`;
}

/** @param {{ model: ModelSummary, isPreset: boolean }} props */
function Row({ model: { name, size_px: sizePx, serving, versions, license }, isPreset }) {
  const href = address(["models", name]);
  const facts = [`${sizePx} px`, counted(versions, "version"), license || "license unknown"].join(" · ");
  return html`<li>
    <div class="models-row"><h2><a href=${href} id=${`model-${name}`}>${name}</a></h2>
      ${serving ? html`<${Badge} status="serving">in service<${Since} name=${name} /><//>` : html`<${Badge} status="queued">not in service<//>`}
      <p class="muted">${facts}${isPreset && " · default: answers requests that name no model"}</p></div>
    ${serving ? html`<a class="models-strip" href=${href} tabindex="-1" aria-hidden="true">${SEEDS.map((seed) => html`
        <img key=${seed} src=${permalink({ model: name, version: serving, seed })} alt="" loading="lazy" width="96" height="96" />`)}</a>`
      : html`<p class="models-none muted">Nothing is in service, so nobody sees its cats. <a href=${href}>Choose a version</a></p>`}
  </li>`;
}

/** Since when the version is in service, which only the model itself tells. @param {{ name: string }} props */
function Since({ name }) {
  const at = useResource(`/models/${encodeURIComponent(name)}`).data?.history.at(-1)?.at;
  return at ? html` since <time datetime=${at} title=${ago(at)}>${moment(at)}</time>` : null;
}
