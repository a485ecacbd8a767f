// The form to order a training, made of what the service says of recipes and datasets.
import { hasKey, post, Problem, url } from "../api.js";
import { Button, Field } from "../components.js";
import { change, draft, orderOf, reset } from "../draft.js";
import { counted, duration, number } from "../format.js";
import { useLoad } from "../load.js";
import { address, go } from "../router.js";
import { pause } from "../sse.js";
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";
import { Hyperparameters } from "./hyperparameters.js";

const PROMOTE = { if_better: "if it is better", always: "always", never: "never" };

/** @param {{ recipes: any[], datasets: any[] }} props */
export function OrderForm({ recipes, datasets }) {
  const typed = draft.value;
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const recipe = recipes.find(({ name }) => name === typed.recipe) ?? recipes[0];
  const dataset = datasets.find(({ name }) => name === typed.dataset) ?? datasets[0];
  const order = orderOf({ ...typed, recipe: recipe.name, dataset: dataset.name });
  const checked = useEstimate(order);
  const errors = { ...(checked.problem?.fields ?? {}), ...(problem?.fields ?? {}) };
  const form = useRef(/** @type {HTMLFormElement | null} */ (null));
  useEffect(() => {
    // After a refusal to the first mistake, which may be out of sight.
    const wrong = problem && form.current?.querySelector("[aria-invalid=true]");
    if (wrong instanceof HTMLElement) wrong.focus();
  }, [problem]);
  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setBusy(true);
    try {
      const job = await post("/train", order);
      reset();
      go(address(["job", job.id]));
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
      setProblem(err);
    }
    setBusy(false);
  }
  /** @param {Partial<import("../draft.js").Draft>} changes */
  function onChange(changes) {
    setProblem(null);
    change(changes);
  }
  return html`<form class="panel training-form" ref=${form} onSubmit=${submit} aria-label="New training">
    <h2>New training</h2>
    ${typed.resume && html`<p class="training-from">Goes on where <a href=${address(["job", typed.resume])}>job ${typed.resume}</a> ended.
      <${Button} kind="quiet" icon="x" onClick=${() => onChange({ resume: "" })}>Begin anew<//></p>`}
    <div class="training-main">
      <div class="training-typed">
        <${Basics} ...${{ recipes, recipe, datasets, dataset, typed, errors, onChange }} />
        <${Hyperparameters} ...${{ recipe, typed, errors, onChange }} />
        <div class="training-submit"><${Button} type="submit" kind="primary" icon="play" isBusy=${isBusy}>Start training<//>
          <${Button} kind="quiet" icon="rotate-ccw" onClick=${() => { setProblem(null); reset(); }}>Reset<//></div>
      </div>
      <${Expectation} checked=${checked} problem=${problem} dataset=${dataset} />
    </div>
  </form>`;
}

/** What the service says of an order, a moment after the last change; until then, what it said before. @param {any} order */
function useEstimate(order) {
  const text = JSON.stringify(order);
  const loaded = useLoad(async (signal) => {
    await pause(300, signal);
    return post("/train/estimate", JSON.parse(text), { signal, isQuiet: true });
  }, [text, hasKey.value]);
  const last = useRef(loaded);
  if (!loaded.isLoading) last.current = loaded;
  return { ...last.current, isLoading: loaded.isLoading };
}

/** @param {any} props */
function Basics({ recipes, recipe, datasets, dataset, typed, errors, onChange }) {
  const sizes = Object.keys(dataset.counts).map(Number).sort((a, b) => a - b);
  const size = Number(typed.size) || recipe.default_size_px;
  /** @param {string} name @returns {(event: any) => void} */
  const set = (name) => (event) => onChange({ [name]: event.target.value });
  return html`<div class="training-fields">
    <${Field} label="Dataset" error=${errors.dataset} help=${html`${counted(dataset.counts[size] ?? 0, "picture")} of ${size} px, ${dataset.license || "license unknown"}`}>
      ${(/** @type {any} */ given) => html`<select ...${given} value=${dataset.name} onChange=${set("dataset")}>${datasets.map((/** @type {any} */ { name }) => html`<option value=${name}>${name}</option>`)}</select>`}<//>
    <${Field} label="Recipe" error=${errors.recipe} help=${html`${recipe.title}. ${recipe.source}. ${recipe.note}`}>
      ${(/** @type {any} */ given) => html`<select ...${given} value=${recipe.name} onChange=${(/** @type {any} */ event) => onChange({ recipe: event.target.value, size: "", overrides: {} })}>
        ${recipes.map((/** @type {any} */ { name }) => html`<option value=${name}>${name}</option>`)}</select>`}<//>
    <${Field} label="Size" error=${errors.size_px} help=${recipe.sizes_px.includes(size) ? "" : `Not tuned for this recipe, which is meant for ${recipe.sizes_px.join(" and ")} px.`}>
      ${(/** @type {any} */ given) => html`<select ...${given} value=${String(size)} onChange=${set("size")}>${[...new Set([...sizes, size])].map((px) => html`<option value=${String(px)}>${px} px</option>`)}</select>`}<//>
    <${Field} label="Budget" error=${errors.budget ?? errors[`budget.${typed.unit}`]} help=${typed.unit === "kimg" ? "Thousands of real pictures shown." : "Of training; measuring comes on top."}>
      ${(/** @type {any} */ given) => html`<input ...${given} class="training-amount" inputmode="decimal" value=${typed.amount} onInput=${set("amount")} />
        <select aria-label="Unit of the budget" value=${typed.unit} onChange=${set("unit")}><option value="minutes">minutes</option><option value="kimg">kimg</option></select>`}<//>
    <${Field} label="Put into service" error=${errors.promote} help="Better: the whole interval of the difference in KID is below zero.">
      ${(/** @type {any} */ given) => html`<select ...${given} value=${typed.promote} onChange=${set("promote")}>${Object.entries(PROMOTE).map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select>`}<//>
    <${Field} label="Model" error=${errors.model} help="The version is added to it; empty: named after the recipe.">
      ${(/** @type {any} */ given) => html`<input ...${given} value=${typed.model} placeholder=${recipe.name} autocomplete="off" spellcheck=${false} onInput=${set("model")} />`}<//>
  </div>`;
}

/** What the order will take, or why it is refused. @param {any} props */
function Expectation({ checked: { data, problem: refused, isLoading }, problem, dataset }) {
  const needsKey = refused?.wantsKey;
  const wrong = problem ?? (refused && !needsKey ? refused : null);
  return html`<div class="training-expectation" aria-live="polite" aria-busy=${isLoading}>
    <img src=${url(dataset.links.preview)} alt=${`Some pictures of ${dataset.name}`} loading="lazy" />
    ${needsKey && html`<p class="muted">Enter a key to see how long it will take.</p>`}
    ${wrong ? html`<p class="error">${wrong.message} ${wrong.remedy}</p>` : data && html`<${Estimate} ...${data} />`}
  </div>`;
}

/** @param {any} props */
function Estimate({ estimate: { training_s: trainingS, other_s: otherS, kimg, basis }, epochs, warnings, jobs_ahead: ahead }) {
  const parts = [
    trainingS !== null && `${duration(trainingS)} of training`,
    otherS !== null && `${duration(otherS)} of preparing and measuring`,
    kimg !== null && `${number(kimg)} kimg`,
    epochs !== null && `each picture ${number(epochs, 2)} times`,
  ].filter(Boolean);
  return html`<p><b>${parts.join(", ") || "Duration unknown"}</b>${ahead > 0 && html`, after ${counted(ahead, "job")}`}</p>
    <p class="muted">${basis}</p>
    ${warnings.map((/** @type {string} */ text) => html`<p class="training-warning" key=${text}>${text}</p>`)}`;
}
