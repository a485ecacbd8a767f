// The slim bar above every view: the name, the view's own controls, and the sections.
import { Icon } from "./components.js";
import { address, route } from "./router.js";
import { connection } from "./stream.js";
import { html, signal, useLayoutEffect } from "./vendor/vendor.js";

/** Sections by view; the views that belong to each come after it. */
const SECTIONS = /** @type {const} */ ([
  { view: "", label: "Cats", icon: "cat", also: ["cat"] },
  { view: "training", label: "Training", icon: "activity", also: ["job"] },
  { view: "models", label: "Models", icon: "layers", also: [] },
  { view: "datasets", label: "Datasets", icon: "database", also: [] },
  { view: "operations", label: "Operations", icon: "sliders-horizontal", also: [] },
]);

/** What the view shows in the middle of the bar. @type {import("./vendor/vendor.js").Signal<any>} */
const controls = signal(null);

/**
 * Show a view's own controls in the bar while the view is shown.
 * @param {any} content
 * @param {unknown[]} dependencies What the content depends on.
 */
export function useBar(content, dependencies) {
  useLayoutEffect(() => void (controls.value = content), dependencies);
  useLayoutEffect(() => () => void (controls.value = null), []);
}

export function Bar() {
  const { view } = route.value;
  return html`<header class="bar">
    <a class="brand" href="#/" aria-label="Cattery, to the cats"><${Icon} name="cat" /><span>Cattery</span></a>
    <div class="bar-controls">${controls.value}</div>
    ${connection.value === "reconnecting" && html`<p class="reconnecting" role="status"><${Icon} name="wifi-off" />reconnecting…</p>`}
    <nav aria-label="Sections">${SECTIONS.map((section) => {
      const isHere = section.view === view || /** @type {readonly string[]} */ (section.also).includes(view);
      return html`<a href=${address(section.view ? [section.view] : [])} aria-current=${isHere ? "page" : undefined}>
        <${Icon} name=${section.icon} /><span>${section.label}</span></a>`;
    })}</nav>
  </header>`;
}
