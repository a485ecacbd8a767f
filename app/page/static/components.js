// What views are made of. All text goes through templates, so that no name is ever markup.
import { duration, number } from "./format.js";
import { metric } from "./metrics.js";
import { Problem } from "./api.js";
import { html, signal, useId, useLayoutEffect, useRef, useState } from "./vendor/vendor.js";

/** @typedef {import("./vendor/vendor.js").ComponentChildren} Children */

/** An icon of the sprite, decorative unless it has a label. @param {{ name: string, label?: string }} props */
export function Icon({ name, label }) {
  const named = label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" };
  return html`<svg class="icon" ...${named}><use href=${`#icon-${name}`} /></svg>`;
}

/**
 * A button, or a link that looks like one if it has `href`.
 * @param {{ icon?: string, label?: string, children?: Children, kind?: "primary" | "quiet" | "danger" | "", isBusy?: boolean, [attribute: string]: any }} props
 * `label` names a button that is only an icon.
 */
export function Button({ icon, label, children, kind = "", isBusy = false, ...rest }) {
  const given = {
    class: `button ${kind} ${children ? "" : "is-icon"}`,
    "aria-label": label,
    title: label,
    "aria-busy": isBusy || undefined,
    disabled: rest.href ? undefined : isBusy || rest.disabled,
  };
  const content = [isBusy ? html`<${Icon} name="loader-circle" />` : icon && html`<${Icon} name=${icon} />`, children && html`<span>${children}</span>`];
  if (rest.href) return html`<a ...${rest} ...${given}>${content}</a>`;
  return html`<button type="button" ...${rest} ...${given}>${content}</button>`;
}

/**
 * A button for something that takes a while; it shows that it runs, and what went wrong.
 * @param {{ action: () => Promise<unknown>, done?: string, [attribute: string]: any }} props `done` is said afterwards.
 */
export function ActionButton({ action, done, ...rest }) {
  const [isBusy, setBusy] = useState(false);
  async function run() {
    setBusy(true);
    await attempt(action, done);
    setBusy(false);
  }
  return html`<${Button} ...${rest} isBusy=${isBusy} onClick=${run} />`;
}

/** Run something and say how it went. @param {() => Promise<unknown>} action @param {string} [done] @returns {Promise<boolean>} Whether it went well. */
export async function attempt(action, done) {
  try {
    await action();
  } catch (err) {
    if (!(err instanceof Problem)) throw err;
    say([err.message, err.remedy].filter(Boolean).join(" "), "problem");
    return false;
  }
  if (done) say(done);
  return true;
}

/**
 * A label, a control, a help text and a message, joined for screen readers.
 * @param {{ label: Children, help?: Children, error?: string | undefined, unit?: string, children: (attributes: Record<string, any>) => any }} props
 * `children` gets the attributes that its control must have.
 */
export function Field({ label, help, error, unit, children }) {
  const id = useId();
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(" ");
  const attributes = { id, "aria-describedby": described || undefined, "aria-invalid": error ? "true" : undefined };
  return html`<div class="field">
    <label for=${id}>${label}</label>
    <div class="control">${children(attributes)}${unit && html`<span class="unit">${unit}</span>`}</div>
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
    ${help && html`<p class="help" id=${`${id}-help`}>${help}</p>`}
  </div>`;
}

/**
 * A modal dialog; Escape and a click beside it close it, and the focus returns.
 * @param {{ title: string, isOpen: boolean, onClose: () => void, children: Children }} props
 */
export function Dialog({ title, isOpen, onClose, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useLayoutEffect(() => {
    if (isOpen) dialog.current?.showModal();
    else dialog.current?.close();
  }, [isOpen]);
  /** @param {MouseEvent} event */
  const onClick = (event) => event.target === dialog.current && onClose();
  // The event comes late: by then the dialog may be open again, with another question.
  const onClosed = () => isOpen && !dialog.current?.open && onClose();
  return html`<dialog ref=${dialog} aria-labelledby=${id} onClose=${onClosed} onClick=${onClick}>
    ${isOpen && html`<div class="dialog">
      <header><h2 id=${id}>${title}</h2><${Button} icon="x" label="Close" kind="quiet" onClick=${onClose} /></header>
      ${children}
    </div>`}
  </dialog>`;
}

/** A short explanation on demand, at the word it explains. @param {{ children: Children, label?: string }} props */
export function Explained({ children, label = "What is this?" }) {
  const id = useId();
  return html`<span class="explained">
    <button type="button" class="explain" popovertarget=${id} aria-label=${label}><${Icon} name="info" /></button>
    <span popover id=${id} class="popover">${children}</span>
  </span>`;
}

/**
 * A number with its unit, and which way is better.
 * @param {{ value: number | null | undefined, unit?: string, digits?: number, better?: string, interval?: number[] | null | undefined }} props
 */
export function Quantity({ value, unit = "", digits = 3, better = "", interval }) {
  if (value === null || value === undefined) return html`<span class="quantity muted">–</span>`;
  return html`<span class="quantity"><b>${number(value, digits)}</b>${unit && html` <span class="unit">${unit}</span>`}
    ${interval && html` <span class="interval" title="95 % interval">${number(interval[0], digits)} to ${number(interval[1], digits)}</span>`}
    ${better && html` <span class="better">${better} is better</span>`}</span>`;
}

/** A metric of a card, with its explanation. @param {{ name: string, value: number, interval?: number[] | null }} props */
export function MetricValue({ name, value, interval }) {
  const { label, better, meaning } = metric(name);
  return html`<div class="metric"><dt>${label}${meaning && html`<${Explained} label=${`What is ${label}?`}>${meaning}<//>`}</dt>
    <dd><${Quantity} value=${value} better=${better} interval=${interval} /></dd></div>`;
}

/** @param {{ value: number, max: number | null | undefined, label: string, etaS?: number | null }} props */
export function ProgressBar({ value, max, label, etaS }) {
  const known = max ? { value: Math.min(value, max), max } : {};
  return html`<div class="progress"><progress aria-label=${label} ...${known}></progress>
    <span>${max ? `${Math.floor((100 * Math.min(value, max)) / max)} %` : ""}${etaS ? ` · ${duration(etaS)} left` : ""}</span></div>`;
}

/** @param {{ status: string, children?: Children }} props A word with a dot; the color never says it alone. */
export function Badge({ status, children = status }) {
  return html`<span class=${`badge is-${status}`}>${children}</span>`;
}

/** Nothing there yet, and what to do about it. @param {{ icon?: string, title: string, children?: Children }} props */
export function Empty({ icon = "cat", title, children }) {
  return html`<div class="state"><${Icon} name=${icon} /><h2>${title}</h2>${children}</div>`;
}

/** Loading, said only after a moment, so that nothing flickers. @param {{ label?: string }} props */
export function Loading({ label = "Loading…" }) {
  return html`<div class="state is-late" role="status"><${Icon} name="loader-circle" /><p>${label}</p></div>`;
}

/** What went wrong, what to do, and a way to try again. @param {{ problem: Problem, onRetry?: () => void }} props */
export function Failure({ problem, onRetry }) {
  const isOffline = problem.status === 0;
  return html`<div class="state is-problem" role="alert"><${Icon} name=${isOffline ? "wifi-off" : "circle-alert"} />
    <h2>${problem.message}</h2>${problem.remedy && html`<p>${problem.remedy}</p>`}
    ${onRetry && html`<${Button} icon="refresh-cw" onClick=${onRetry}>Try again<//>`}</div>`;
}

/**
 * Show the state of something loaded, or its content.
 * @template T
 * @param {{ of: import("./load.js").Loaded<T>, children: (data: T) => any }} props
 */
export function Loader({ of, children }) {
  if (of.data !== undefined) return children(of.data);
  if (of.problem) return html`<${Failure} problem=${of.problem} onRetry=${of.reload} />`;
  return html`<${Loading} />`;
}

/** @typedef {{ text: string, kind: "done" | "problem", undo?: () => void }} Message */
const messages = signal(/** @type {Message[]} */ ([]));

/**
 * Tell the visitor what happened.
 * @param {string} text @param {"done" | "problem"} [kind]
 * @param {() => void} [undo] Takes it back, if it can be taken back.
 */
export function say(text, kind = "done", undo) {
  const message = { text, kind, undo };
  messages.value = [...messages.value.filter((other) => other.text !== text), message].slice(-3);
  // A problem stays until it is closed, and what can be undone longer than what only is read.
  if (kind === "done") setTimeout(() => dismiss(message), undo ? 15_000 : 6000);
}

/** @param {Message} message */
function dismiss(message) {
  messages.value = messages.value.filter((other) => other !== message);
}

/** The messages, read aloud as they come. */
export function Messages() {
  return html`<div class="messages" role="status" aria-live="polite">
    ${messages.value.map((message) => html`<div class=${`message is-${message.kind}`} key=${message.text}>
      <${Icon} name=${message.kind === "done" ? "circle-check" : "circle-alert"} /><p>${message.text}</p>
      ${message.undo && html`<${Button} icon="undo-2" onClick=${() => { dismiss(message); message.undo?.(); }}>Undo<//>`}
      <${Button} icon="x" label="Dismiss" kind="quiet" onClick=${() => dismiss(message)} /></div>`)}
  </div>`;
}

/** Copy a text and say so. @param {string} text @param {string} what */
export async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without HTTPS or permission a browser has no clipboard; then the text can be taken by hand.
    return void prompt(`${what}:`, text);
  }
  say(`${what} copied.`);
}
