// Everything that a recipe lets one override, from its table.
import { Field } from "../components.js";
import { html, useEffect, useRef } from "../vendor/vendor.js";

/** @param {any} props */
export function Hyperparameters({ recipe, typed, errors, onChange }) {
  const changed = Object.values(typed.overrides).filter((value) => value !== "").length;
  const box = useRef(/** @type {HTMLDetailsElement | null} */ (null));
  const isWrong = Object.keys(errors).some((field) => field.startsWith("overrides") || field === "seed" || field.endsWith("_from"));
  // Opened for what is wrong in it, but never closed under the hands of whoever mends that.
  useEffect(() => {
    if (box.current && (isWrong || changed > 0)) box.current.open = true;
  }, [isWrong]);
  /** @param {string} name @param {string | boolean} value */
  const set = (name, value) => onChange({ overrides: { ...typed.overrides, [name]: value } });
  return html`<details class="training-more" ref=${box}><summary>Hyperparameters${changed > 0 && html` <span class="muted">${changed} changed</span>`}</summary>
    <div class="training-fields">
      ${Object.entries(recipe.limits).map(([name, limit]) => html`<${Override} key=${`${recipe.name} ${name}`} ...${{ name, limit, value: typed.overrides[name], error: errors[`overrides.${name}`] ?? errors[name], set }} />`)}
      <${Field} label="Seed" error=${errors.seed} help="Of weights, latents and the order of the pictures.">
        ${(/** @type {any} */ given) => html`<input ...${given} inputmode="numeric" value=${typed.seed} placeholder="0" onInput=${(/** @type {any} */ event) => onChange({ seed: event.target.value })} />`}<//>
      <${Field} label="Begin with the weights of" error=${errors.init_from} help="A job or model@version of this recipe, of this size or smaller.">
        ${(/** @type {any} */ given) => html`<input ...${given} value=${typed.init} autocomplete="off" spellcheck=${false} onInput=${(/** @type {any} */ event) => onChange({ init: event.target.value })} />`}<//>
    </div></details>`;
}

/** @param {any} props */
function Override({ name, limit, value, error, set }) {
  const label = name.replaceAll("_", " ");
  if (typeof limit.default === "boolean") {
    return html`<${Field} label=${label} help=${limit.description} error=${error}>
      ${(/** @type {any} */ given) => html`<select ...${given} value=${value === undefined || value === "" ? "" : String(value)} onChange=${(/** @type {any} */ event) => set(name, event.target.value === "" ? "" : event.target.value === "true")}>
        <option value="">${limit.default ? "yes" : "no"} (default)</option><option value=${String(!limit.default)}>${limit.default ? "no" : "yes"}</option></select>`}<//>`;
  }
  return html`<${Field} label=${label} error=${error} help=${`${limit.description} ${limit.minimum} to ${limit.maximum}.`}>
    ${(/** @type {any} */ given) => html`<input ...${given} inputmode="decimal" value=${value ?? ""} placeholder=${String(limit.default)} onInput=${(/** @type {any} */ event) => set(name, event.target.value)} />`}<//>`;
}
