// A version's card as facts.
import { MetricValue } from "./components.js";
import { counted, duration, moment, number } from "./format.js";
import { METRICS } from "./metrics.js";
import { address } from "./router.js";
import { html } from "./vendor/vendor.js";

/** @param {{ card: Record<string, any> }} props A version, as `GET /models/{model}/versions/{version}` returns it. */
export function CardFacts({ card }) {
  const { dataset } = card;
  /** @type {[string, any][]} */
  const facts = [
    ["Version", html`<code>${card.version}</code>${card.alias === "serving" ? " in service" : ""}`],
    ["Recipe", `${card.recipe}, ${card.size_px} px`],
    ["Trained", [`${number(card.kimg)} kimg`, card.training_s && `in ${duration(card.training_s)}`, card.created_at && moment(card.created_at)].filter(Boolean).join(", ")],
    ["On", dataset.name && `${dataset.name}: ${counted(dataset.pictures ?? 0, "picture")}`],
    ["License of the pictures", dataset.license],
    ["Hardware", card.hardware],
    ["Job", card.job && html`<a href=${address(["job", card.job])}>${card.job}</a>`],
  ];
  const known = card.metrics.filter((/** @type {any} */ one) => Object.hasOwn(METRICS, one.name) && typeof one.value === "number");
  return html`<dl class="facts card-facts">
    ${known.map((/** @type {any} */ one, /** @type {number} */ index) => html`<${MetricValue} key=${`${one.name} ${index}`} name=${one.name} value=${one.value} interval=${one.interval} />`)}
    ${facts.filter(([, fact]) => fact).map(([label, fact]) => html`<div key=${label}><dt>${label}</dt><dd>${fact}</dd></div>`)}
  </dl>`;
}
