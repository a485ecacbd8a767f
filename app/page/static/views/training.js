// Training: the form to order one, and all jobs.
import { get, hasKey, post, Problem, url } from "../api.js";
import { Badge, Button, Empty, Field, Loader, Loading, ProgressBar, say } from "../components.js";
import { change, copyOrder, draft, orderOf, reset } from "../draft.js";
import { ago, counted, duration, number } from "../format.js";
import { useLoad } from "../load.js";
import { address, go, replace, route, usePlace } from "../router.js";
import { pause } from "../sse.js";
import { useJobs } from "../stream.js";
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";

const ENDED = ["finished", "failed", "canceled", "collapsed"];
const PROMOTE = { if_better: "if it is better", always: "always", never: "never" };

export function TrainingView() {
  const offer = useLoad(async (signal) => {
    const [{ recipes }, { datasets }] = await Promise.all([get("/recipes", { signal }), get("/datasets", { signal })]);
    return { recipes, datasets };
  }, []);
  usePlace(offer.data !== undefined);
  useCopiedOrder();
  return html`<section class="content training"><h1 tabindex="-1">Training</h1>
    <${Current} />
    <${Loader} of=${offer}>${(/** @type {any} */ { recipes, datasets }) => datasets.length === 0
      ? html`<${Empty} icon="database" title="There are no pictures to train on yet.">
          <${Button} kind="primary" icon="folder-up" href=${address(["datasets"])}>Add pictures<//><//>`
      : html`<${OrderForm} recipes=${recipes} datasets=${datasets} />`}<//>
    <${Earlier} />
  </section>`;
}

/** Fill the form from the job that the address names. */
function useCopiedOrder() {
  const { query } = route.value;
  const [again, resume] = [query.get("again"), query.get("resume")];
  const id = again ?? resume;
  const job = useLoad(async (signal) => (id ? get(`/jobs/${encodeURIComponent(id)}`, { signal }) : null), [id]);
  useEffect(() => {
    if (job.problem) say(job.problem.message, "problem");
    if (!job.data) return;
    copyOrder(job.data.order, resume ?? "");
    replace(address(["training"]));
  }, [job.data, job.problem]);
}

/** Jobs that wait or run. */
function Current() {
  const jobs = useJobs();
  const open = [...(jobs?.values() ?? [])].filter(({ status }) => !ENDED.includes(status));
  if (open.length === 0) return null;
  return html`<section><h2>Now</h2><ul class="rows">${open.map((job) => html`<li key=${job.id}><${JobName} job=${job} /> <${Badge} status=${job.status} />
    <span class="training-bar">${job.status === "started" && html`<${ProgressBar} label=${`Progress of ${job.id}`} ...${progressOf(job)} />`}</span></li>`)}</ul></section>`;
}

/** @param {{ job: any }} props */
function JobName({ job: { id, kind, order } }) {
  const name = kind === "train" ? `${order.recipe} on ${order.dataset}` : `Import of ${order.name ?? order.dataset}`;
  return html`<a href=${address(["job", id])} id=${`job-${id}`}>${name}</a>`;
}

/** @param {any} job */
function progressOf({ kind, progress: p }) {
  if (kind !== "train") return { value: p.done, max: p.total, etaS: p.eta_s };
  const isTimed = p.training_s_total !== null;
  return { value: isTimed ? p.training_s : p.kimg, max: isTimed ? p.training_s_total : p.kimg_total, etaS: p.eta_s };
}

function Earlier() {
  const jobs = useJobs();
  if (jobs === undefined) return html`<${Loading} />`;
  const ended = [...jobs.values()].filter(({ status }) => ENDED.includes(status));
  if (ended.length === 0) return null;
  return html`<section><h2>Ended</h2><ul class="rows training-ended">${ended.map((job) => html`<li key=${job.id}><${JobName} job=${job} />
    <${Badge} status=${job.status} />
    <span class="muted">${job.promoted ? "promoted" : ""} ${ago(job.ended_at)}</span></li>`)}</ul></section>`;
}

/** @param {{ recipes: any[], datasets: any[] }} props */
function OrderForm({ recipes, datasets }) {
  const typed = draft.value;
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const recipe = recipes.find(({ name }) => name === typed.recipe) ?? recipes[0];
  const dataset = datasets.find(({ name }) => name === typed.dataset) ?? datasets[0];
  const order = orderOf({ ...typed, recipe: recipe.name, dataset: dataset.name });
  const checked = useEstimate(order);
  const errors = { ...(checked.problem?.fields ?? {}), ...(problem?.fields ?? {}) };
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
  return html`<form class="panel training-form" onSubmit=${submit} aria-label="New training">
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
    <${Field} label="Data set" error=${errors.dataset} help=${html`${counted(dataset.counts[size] ?? 0, "picture")} of ${size} px, ${dataset.license || "license unknown"}`}>
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
  const needsKey = refused?.status === 401;
  const wrong = problem ?? (refused && !needsKey ? refused : null);
  return html`<div class="training-expectation" aria-live="polite" aria-busy=${isLoading}>
    <img src=${url(dataset.links.preview)} alt=${`Some pictures of ${dataset.name}`} loading="lazy" />
    ${needsKey && html`<p class="muted">How long it will take is told to those who have the service's key.</p>`}
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

/** Everything that the recipe lets one override, from its table. @param {any} props */
function Hyperparameters({ recipe, typed, errors, onChange }) {
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
