// One cat: large, with its card, its neighbors, and the walk to another one.
import { CardFacts } from "../card.js";
import { Button, Empty, Failure, Loader, copy } from "../components.js";
import { url } from "../api.js";
import { useResource } from "../load.js";
import { MAX_SEED, permalink, randomSeed, useCard } from "../models.js";
import { address, replace, route, usePlace } from "../router.js";
import { html, useEffect, useState } from "../vendor/vendor.js";
import { Walk } from "./walk.js";

/** @typedef {import("../models.js").Cat} Cat */

const NEIGHBORS = 12;
const DISTANCE = 0.3;

/** @param {{ name: string, seed: string }} props `name` is model@version, or a model: then its version in service. */
export function CatView({ name, seed }) {
  return name.includes("@")
    ? html`<${OfVersion} name=${name} seed=${seed} />`
    : html`<${InService} model=${name} seed=${seed} />`;
}

/** Lead to the permanent address. @param {{ model: string, seed: string }} props */
function InService({ model, seed }) {
  const found = useResource(`/models/${encodeURIComponent(model)}`);
  const version = found.data?.serving;
  useEffect(() => {
    if (version) replace(address(["cat", `${model}@${version}`, seed], Object.fromEntries(route.value.query)));
  }, [version]);
  return html`<h1 class="visually-hidden" tabindex="-1">Cat</h1><${Loader} of=${found}>${() => !version && html`<${Empty} title=${`No version of ${model} is in service.`} />`}<//>`;
}

/** @param {{ name: string, seed: string }} props `name` is model@version. */
function OfVersion({ name, seed }) {
  const [model, version = ""] = name.split("@");
  const { query } = route.value;
  const isValid = /^\d{1,16}$/.test(seed) && Number(seed) <= MAX_SEED;
  const card = useCard(model, version);
  usePlace(card.data !== undefined || card.problem !== undefined);
  if (!isValid) return html`<h1 class="visually-hidden" tabindex="-1">Cat</h1><${Empty} title=${`${seed} is no seed.`}><p>Seeds are whole numbers from 0 to ${MAX_SEED}.</p><//>`;
  if (card.problem && !card.data) return html`<h1 class="visually-hidden" tabindex="-1">Cat</h1><${Failure} problem=${card.problem} onRetry=${card.reload} />`;
  const near = query.get("near");
  /** @type {Cat} */
  const cat = {
    model, version, seed: Number(seed),
    ...(near !== null && { near: Number(near), distance: query.get("distance") ?? "0.2" }),
    ...(query.has("truncation") && { truncation: query.get("truncation") ?? "" }),
  };
  return html`<${Cat} key=${`${name}/${seed}`} cat=${cat} card=${card} />`;
}

/** Return the address of a cat's page. @param {Cat} cat @param {import("../router.js").Query} [more] */
export function catAddress({ model, version, seed, near, distance, truncation }, more = {}) {
  return address(["cat", `${model}@${version}`, seed], { near, distance, truncation, ...more });
}

/** @param {{ cat: Cat, card: import("../load.js").Loaded<any> }} props */
function Cat({ cat, card }) {
  const { query } = route.value;
  const isPlain = cat.near === undefined;
  const to = isPlain && /^\d{1,16}$/.test(query.get("walk") ?? "") ? Number(query.get("walk")) : null;
  /** @param {number | null} walk */
  const setWalk = (walk) => replace(catAddress(cat, { walk, far: query.get("far") }));
  useSteps(cat);
  const name = `Cat ${cat.seed}`;
  return html`<article class="cat">
    <div class="cat-picture">
      ${to === null
        ? html`<img class="cat-large" src=${permalink(cat)} alt=${`${name} of ${cat.model}`} width="512" height="512" />`
        : html`<${Walk} cat=${cat} to=${to} sizePx=${card.data?.size_px ?? 64} onEnd=${() => setWalk(null)} />`}
    </div>
    <div class="cat-about">
      <header><h1 tabindex="-1">${name}</h1>
        <p class="muted">${isPlain ? html`of <a href=${address(["models", cat.model])}>${cat.model}</a>` : html`a neighbor of <a href=${catAddress({ ...cat, seed: cat.near ?? 0, near: undefined, distance: undefined })}>cat ${cat.near}</a>`}</p>
        <nav class="cat-steps" aria-label="Cats beside this one">
          ${cat.seed > 0 && html`<${Button} id="cat-before" icon="arrow-left" label="Cat before" kind="quiet" href=${catAddress({ ...cat, seed: cat.seed - 1 })} />`}
          ${cat.seed < MAX_SEED && html`<${Button} id="cat-after" icon="arrow-right" label="Next cat" kind="quiet" href=${catAddress({ ...cat, seed: cat.seed + 1 })} />`}
        </nav></header>
      <div class="buttons">
        <${Button} id="cat-copy" icon="link" kind="primary" onClick=${() => copy(permalink(cat), "Permalink")}>Copy link<//>
        <${Button} icon="download" href=${permalink(cat)} download=${fileName(cat, "png")}>PNG<//>
        <${Button} icon="download" href=${permalink(cat, "webp")} download=${fileName(cat, "webp")}>WebP<//>
      </div>
      ${isPlain && html`<${WalkForm} to=${to} onWalk=${setWalk} />`}
      <${Neighbors} cat=${cat} />
      ${isPlain && !cat.truncation && html`<${Nearest} cat=${cat} />`}
      <section class="cat-card"><h2>Card</h2><${Loader} of=${card}>${(/** @type {any} */ data) => html`<${CardFacts} card=${data} />`}<//></section>
    </div>
  </article>`;
}

/** Left and Right go to the cats beside. @param {Cat} cat */
function useSteps(cat) {
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    function onKey(event) {
      const isElsewhere = event.target instanceof Element && event.target.closest("input, select, textarea, dialog");
      if (isElsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (step && cat.seed + step >= 0) replace(catAddress({ ...cat, seed: cat.seed + step }));
      if (event.key === "c") copy(permalink(cat), "Permalink");
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  });
}

/** @param {{ to: number | null, onWalk: (to: number | null) => void }} props */
function WalkForm({ to, onWalk }) {
  const [seed, setSeed] = useState(String(to ?? ""));
  useEffect(() => setSeed(String(to ?? "")), [to]);
  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    onWalk(seed === "" ? randomSeed() : Math.min(MAX_SEED, Number(seed)));
  }
  return html`<section><h2 id="walk-title">Walk to another cat</h2>
    <form class="walk-form" onSubmit=${submit} aria-labelledby="walk-title">
      <input id="walk-to" aria-label="Seed of the other cat" placeholder="seed, or any" inputmode="numeric" pattern="[0-9]*" maxlength="16" value=${seed} onInput=${(/** @type {any} */ { target }) => setSeed(target.value)} />
      <${Button} icon="footprints" type="submit">Walk<//>
      <${Button} icon="dices" label="Walk to any cat" kind="quiet" onClick=${() => onWalk(randomSeed())} />
      ${to !== null && html`<${Button} icon="x" label="End the walk" kind="quiet" onClick=${() => onWalk(null)} />`}
    </form></section>`;
}

/**
 * The training picture that the cat is most like; nothing where the dataset is not at hand.
 * @param {{ cat: Cat }} props
 */
function Nearest({ cat }) {
  const path = `/cats/${cat.model}@${cat.version}/${cat.seed}/nearest`;
  const figures = useResource(`${path}.json`);
  if (!figures.data) return null;
  return html`<section><h2>Nearest training picture</h2>
    <img class="cat-nearest" src=${url(`${path}.png`)} alt=${`The training picture most like cat ${cat.seed}`} width="128" height="128" loading="lazy" />
    <p class="muted">If it is the same cat, the model has copied it.</p></section>`;
}

/** @param {{ cat: Cat }} props */
function Neighbors({ cat }) {
  const far = Math.min(1, Math.max(0.05, Number(route.value.query.get("far")) || DISTANCE));
  const center = cat.near ?? cat.seed;
  // Their directions are the cats after this one: any others would do, but these stay the same.
  const seeds = Array.from({ length: NEIGHBORS }, (_, index) => (center + 1 + index <= MAX_SEED ? center + 1 + index : index));
  /** @param {any} event */
  const onFar = ({ target }) => replace(catAddress(cat, { far: target.value, walk: route.value.query.get("walk") }));
  return html`<section><div class="cat-neighbors-head"><h2>Neighbors</h2>
      <label><span>near</span><input type="range" aria-label="How far neighbors are" min="0.05" max="0.8" step="0.05" value=${far} onChange=${onFar} /><span>far</span></label></div>
    <div class="cat-neighbors">${seeds.map((seed) => {
      const neighbor = { ...cat, seed, near: center, distance: String(far) };
      return html`<a key=${seed} id=${`near-${seed}`} href=${catAddress(neighbor, { far })} aria-current=${cat.near !== undefined && cat.seed === seed ? "true" : undefined}>
        <img src=${permalink(neighbor)} alt=${`Neighbor toward cat ${seed}`} loading="lazy" width="64" height="64" /></a>`;
    })}</div></section>`;
}

/** @param {Cat} cat @param {string} format */
function fileName({ model, version, seed, near, truncation }, format) {
  const variation = [near !== undefined && `near-${near}`, truncation && `truncation-${truncation}`].filter(Boolean).map((part) => `-${part}`);
  return `${model}-${version}-${seed}${variation.join("")}.${format}`;
}
