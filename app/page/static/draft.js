// The order that is being written: kept for the tab, so that nothing typed is lost.
import { signal } from "./vendor/vendor.js";

const MEMORY = "cattery.order";

/**
 * @typedef {object} Draft What was typed, as text; "" is the default.
 * @property {string} recipe
 * @property {string} dataset
 * @property {string} size
 * @property {"minutes" | "kimg"} unit
 * @property {string} amount
 * @property {string} model
 * @property {string} promote
 * @property {string} seed
 * @property {string} resume
 * @property {string} init
 * @property {Record<string, string | boolean>} overrides
 */

/** @type {Draft} */
const NEW = {
  recipe: "", dataset: "", size: "", unit: "minutes", amount: "10", model: "", promote: "if_better",
  seed: "", resume: "", init: "", overrides: {},
};

/** @returns {Draft} */
function kept() {
  try {
    return { ...NEW, ...JSON.parse(sessionStorage.getItem(MEMORY) ?? "{}") };
  } catch {
    return NEW;
  }
}

export const draft = signal(kept());

/** @param {Partial<Draft>} changes */
export function change(changes) {
  draft.value = { ...draft.value, ...changes };
  sessionStorage.setItem(MEMORY, JSON.stringify(draft.value));
}

/** Begin again with the defaults. */
export const reset = () => change(NEW);

/** Begin with a job's order. @param {any} order @param {string} resume Job to resume, or "". */
export function copyOrder(order, resume) {
  const { kimg, minutes } = order.budget;
  change({
    recipe: order.recipe,
    dataset: order.dataset,
    size: String(order.size_px),
    unit: kimg ? "kimg" : "minutes",
    amount: String(kimg ?? minutes),
    model: order.model,
    promote: order.promote,
    seed: String(order.seed),
    resume,
    init: resume ? "" : (order.init_from ?? ""),
    overrides: Object.fromEntries(Object.entries(order.overrides).map(([name, value]) => [name, typeof value === "boolean" ? value : String(value)])),
  });
}

/** What is typed, as a number; what is none is sent as it is, so that the service names it. @param {string} text */
const numeric = (text) => (text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text);

/** The body of `POST /train`. @param {Draft} draft */
export function orderOf({ recipe, dataset, size, unit, amount, model, promote, seed, resume, init, overrides }) {
  const given = Object.entries(overrides).filter(([, value]) => value !== "");
  return {
    recipe,
    dataset,
    budget: { [unit]: numeric(amount) },
    promote,
    ...(size && { size_px: Number(size) }),
    ...(model && { model }),
    ...(seed && { seed: numeric(seed) }),
    ...(resume && { resume_from: resume }),
    ...(init && { init_from: init }),
    overrides: Object.fromEntries(given.map(([name, value]) => [name, typeof value === "boolean" ? value : numeric(value)])),
  };
}
