// Operations: whether all is well, on one screen.
import { Badge, Loader } from "../components.js";
import { useResource } from "../load.js";
import { usePlace } from "../router.js";
import { html } from "../vendor/vendor.js";

export function OperationsView() {
  const ready = useResource("/readyz", { everyMs: 10_000 });
  usePlace(ready.data !== undefined);
  return html`<section class="content"><h1 tabindex="-1">Operations</h1>
    <${Loader} of=${ready}>${(/** @type {any} */ { checks }) => html`<dl class="facts">${Object.entries(checks).map(([part, state]) => html`
      <div key=${part}><dt>${part}</dt><dd><${Badge} status=${state === "ok" ? "finished" : "failed"}>${state}<//></dd></div>`)}</dl>`}<//>
  </section>`;
}
