// A blind vote: two versions' cats of one seed, nobody says whose is whose before the choice.
import { get, post, Problem } from "../api.js";
import { Button, Empty, Failure, Loader } from "../components.js";
import { number } from "../format.js";
import { useResource } from "../load.js";
import { permalink, randomSeed } from "../models.js";
import { address, usePlace } from "../router.js";
import { html, useEffect, useRef, useState } from "../vendor/vendor.js";

/** @typedef {{ versions: [string, string], seed: number, key: string }} Pair Left and right. */
/** @typedef {{ wins: number, losses: number, ties: number, share: number | null, interval: number[] | null }} Tally Of the left one against the right one. */
/** @typedef {0 | 1 | null} Choice Left, right, or neither. */

const KEYS = /** @type {Record<string, Choice>} */ ({ 1: 0, 2: 1, 0: null });

/** @param {{ name: string, wanted: string[] }} props Versions to compare, at least two. */
export function VoteView({ name, wanted }) {
  const model = useResource(`/models/${encodeURIComponent(name)}`);
  usePlace(model.data !== undefined);
  return html`<section class="content model-vote"><p class="models-up"><a href=${address(["models", name], { compare: wanted.join() })}>Back to ${name}</a></p>
    <h1 tabindex="-1">Which cat is better?</h1>
    <${Loader} of=${model}>${(/** @type {import("./model.js").Model} */ { versions }) => {
      const ids = versions.map(({ version }) => version).filter((id) => wanted.includes(id));
      return ids.length < 2 ? html`<${Empty} title="There are no two versions to compare."><p>They were deleted, or the address is not complete.</p><//>`
        : html`<${Booth} key=${ids.join()} model=${name} ids=${ids} sizePx=${versions[0].size_px} />`;
    }}<//></section>`;
}

/** Two versions, a seed and who is left, all at random. @param {string[]} ids @returns {Pair} */
function draw(ids) {
  const left = ids[Math.floor(Math.random() * ids.length)];
  const others = ids.filter((id) => id !== left);
  const right = others[Math.floor(Math.random() * others.length)];
  // Not randomUUID, which only HTTPS and localhost have.
  return { versions: [left, right], seed: randomSeed(), key: crypto.getRandomValues(new Uint32Array(4)).join("-") };
}

/** @param {{ model: string, ids: string[], sizePx: number }} props */
function Booth({ model, ids, sizePx }) {
  const [pair, setPair] = useState(() => draw(ids));
  const [outcome, setOutcome] = useState(/** @type {{ choice: Choice, votes: Tally } | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [isBusy, setBusy] = useState(false);
  const [seen, setSeen] = useState(0);
  const links = pair.versions.map((version) => permalink({ model, version, seed: pair.seed }));
  const isShown = seen === 2;
  function next() {
    setPair(draw(ids));
    setOutcome(null);
    setProblem(null);
    setSeen(0);
  }
  /** @param {Choice} choice */
  async function vote(choice) {
    if (isBusy || outcome || !isShown) return;
    setBusy(true);
    setProblem(null);
    try {
      const { votes } = await post("/votes", { shown: links.map(pathOf), chosen: choice === null ? null : pathOf(links[choice]) }, { headers: { "Idempotency-Key": pair.key } });
      setOutcome({ choice, votes });
    } catch (err) {
      if (!(err instanceof Problem)) throw err;
      setProblem(err);
    }
    setBusy(false);
  }
  useKeys(vote, next, outcome !== null);
  return html`<p class="muted">Two versions made these from the same seed, ${pair.seed}. You will see which is which after voting.</p>
    <div class="vote-pair">${links.map((link, side) => html`
      <figure key=${link} class=${outcome?.choice === side ? "is-chosen" : ""}>
        <img src=${link} alt=${side ? "The cat on the right" : "The cat on the left"} class=${isShown ? "" : "is-hidden"} width=${4 * sizePx} height=${4 * sizePx}
          onLoad=${() => setSeen((count) => count + 1)} onError=${() => setProblem(new Problem(-1, { detail: "A cat of this pair cannot be shown.", remedy: "Its version may have been deleted." }))} />
        <figcaption>${outcome ? html`<code>${pair.versions[side]}</code>` : html`<${Button} id=${`vote-${side + 1}`} disabled=${isBusy || !isShown} onClick=${() => vote(/** @type {Choice} */ (side))}>${side ? "Right" : "Left"} <kbd>${side + 1}</kbd><//>`}</figcaption>
      </figure>`)}</div>
    <div class="vote-rest" aria-live="polite">
      ${problem ? html`<${Failure} problem=${problem} /><${Button} icon="dices" onClick=${next}>Another pair<//>`
        : outcome ? html`<${Outcome} pair=${pair} ...${outcome} onNext=${next} model=${model} />`
          : html`<${Button} id="vote-0" kind="quiet" disabled=${isBusy || !isShown} onClick=${() => vote(null)}>Neither, or no difference <kbd>0</kbd><//>`}
    </div>`;
}

/** 1, 2 and 0 vote; Enter goes on. @param {(choice: Choice) => void} vote @param {() => void} next @param {boolean} isOver */
function useKeys(vote, next, isOver) {
  // Of the last render, not of the last effect: a quick key would else meet the pair before.
  const latest = useRef({ vote, next, isOver });
  latest.current = { vote, next, isOver };
  useEffect(() => {
    /** @param {KeyboardEvent} event */
    function onKey({ key, target, repeat, ctrlKey, metaKey, altKey }) {
      const within = (/** @type {string} */ elements) => target instanceof Element && target.closest(elements);
      if (ctrlKey || metaKey || altKey || repeat || within("input, select, textarea, dialog")) return;
      const now = latest.current;
      if (!now.isOver && Object.hasOwn(KEYS, key)) now.vote(KEYS[key]);
      if (now.isOver && key === "Enter" && !within("a, button")) now.next();
    }
    addEventListener("keydown", onKey);
    return () => removeEventListener("keydown", onKey);
  }, []);
}

/** @param {{ pair: Pair, choice: Choice, votes: Tally, onNext: () => void, model: string }} props */
function Outcome({ pair: { versions: [left, right] }, choice, votes: { wins, losses, ties, share, interval }, onNext, model }) {
  useEffect(() => document.getElementById("vote-next")?.focus(), []);
  return html`<p>${choice === null ? "You chose neither." : html`You chose <code>${choice ? right : left}</code>.`}</p>
    <p>All votes on these two: <code>${left}</code> won <b>${number(wins)}</b>, <code>${right}</code> won <b>${number(losses)}</b>${ties > 0 && `, ${number(ties)} for neither`}.
      ${share !== null && interval && html`<br /><${Share} share=${share} interval=${interval} /> for the first. <span class="muted">${interval[0] > 0.5 || interval[1] < 0.5 ? "" : "More votes are needed to tell."}</span>`}</p>
    <${Button} id="vote-next" kind="primary" icon="arrow-right" onClick=${onNext}>Next pair<//>
    <${Standing} model=${model} />`;
}

/** All versions of the model by their votes, shown only to those who have voted. @param {{ model: string }} props */
function Standing({ model }) {
  const [votes, setVotes] = useState(/** @type {{ version: string, total: Tally }[] | null} */ (null));
  useEffect(() => {
    const abort = new AbortController();
    get(`/models/${encodeURIComponent(model)}`, { signal: abort.signal }).then((loaded) => setVotes(loaded.votes), () => {});
    return () => abort.abort();
  }, [model]);
  if (!votes) return null;
  return html`<div class="scroll"><table><caption class="visually-hidden">Votes of all versions</caption>
    <thead><tr><th scope="col">Version</th><th scope="col">Won</th><th scope="col">Lost</th><th scope="col">Neither</th><th scope="col">Share won</th></tr></thead>
    <tbody>${votes.map(({ version, total: { wins, losses, ties, share, interval } }) => html`<tr key=${version}><th scope="row"><code>${version}</code></th>
      <td>${number(wins)}</td><td>${number(losses)}</td><td>${number(ties)}</td>
      <td>${share === null ? "–" : html`<${Share} share=${share} interval=${interval} />`}</td></tr>`)}</tbody></table></div>`;
}

/** @param {{ share: number, interval: number[] | null }} props */
function Share({ share, interval }) {
  const percent = (/** @type {number} */ part) => Math.round(100 * part);
  return html`<span class="quantity"><b>${percent(share)} %</b>${interval && html` <span class="interval" title="95 % interval">${percent(interval[0])} to ${percent(interval[1])} %</span>`}</span>`;
}

/** @param {string} link */
const pathOf = (link) => new URL(link).pathname;
