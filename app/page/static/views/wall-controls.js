// The wall's controls in the bar: model, seed, dice; version, truncation and card on demand.
import { Button, Dialog, Field, Loader } from "../components.js";
import { useResource } from "../load.js";
import { CardFacts } from "../card.js";
import { MAX_SEED, randomSeed } from "../models.js";
import { moment } from "../format.js";
import { html, useState } from "../vendor/vendor.js";
import { firstSeed, goToWall } from "./gallery.js";

/** @typedef {import("./gallery.js").Wall} Wall */

/** @param {{ wall: Wall, models: import("../models.js").ModelSummary[] }} props */
export function WallControls({ wall, models }) {
  const [isOpen, setOpen] = useState(false);
  /** @param {Event} event */
  function onSeed(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (/** @type {HTMLElement} */ (event.target).closest("form"));
    const seed = Number(new FormData(form).get("seed"));
    if (Number.isInteger(seed) && seed >= 0 && seed <= MAX_SEED && seed !== firstSeed.peek()) goToWall(wall, { seed });
  }
  const served = models.filter((one) => one.serving || one.name === wall.model);
  return html`<form class="wall-controls" onSubmit=${onSeed}>
    <select id="wall-model" aria-label="Model" value=${wall.model} onChange=${(/** @type {any} */ event) => goToWall(wall, { model: event.target.value, isPinned: false, seed: firstSeed.peek(), truncation: "" })}>
      ${served.map((one) => html`<option key=${one.name} value=${one.name}>${one.name}</option>`)}
    </select>
    <input id="wall-seed" name="seed" aria-label="Seed of the first cat" title="Seed of the first cat" inputmode="numeric" pattern="[0-9]*" maxlength="16" value=${firstSeed.value} onChange=${onSeed} />
    <${Button} id="wall-dice" icon="dices" label="Other cats" kind="quiet" onClick=${() => goToWall(wall, { seed: randomSeed() })} />
    <${Button} id="wall-options" icon="info" label="About this model" kind="quiet" onClick=${() => setOpen(true)} />
  </form>
  <${Dialog} title=${wall.model} isOpen=${isOpen} onClose=${() => setOpen(false)}><${Options} wall=${wall} /><//>`;
}

/** @param {{ wall: Wall }} props */
function Options({ wall }) {
  const model = useResource(`/models/${encodeURIComponent(wall.model)}`);
  return html`<${Loader} of=${model}>${(/** @type {any} */ { versions, serving }) => {
    const card = versions.find((/** @type {any} */ one) => one.version === wall.version);
    /** @param {any} event */
    const onVersion = ({ target }) => goToWall(wall, { version: target.value, isPinned: target.value !== serving, seed: firstSeed.peek() });
    return html`<div class="form">
      <${Field} label="Version">${(/** @type {object} */ attributes) => html`<select ...${attributes} value=${wall.version} onChange=${onVersion}>
        ${versions.map((/** @type {any} */ one) => html`<option key=${one.version} value=${one.version}>${one.version}, ${moment(one.created_at)}${one.alias ? `, ${one.alias}` : ""}</option>`)}
      </select>`}<//>
      ${card?.truncates !== false && html`<${Field} label="Truncation" help="Below 1, cats are less varied and closer to the average one. Not every model can.">
        ${(/** @type {object} */ attributes) => html`<input ...${attributes} type="range" min="0.1" max="1" step="0.05" value=${wall.truncation || 1}
          onChange=${(/** @type {any} */ { target }) => goToWall(wall, { seed: firstSeed.peek(), truncation: Number(target.value) === 1 ? "" : target.value })} /><output>${wall.truncation || "1"}</output>`}<//>`}
      ${card && html`<${CardFacts} card=${card} />`}
    </div>`;
  }}<//>`;
}
