// One job: its progress, live, and its whole history under one scrubber.
import { Badge, Loader, ProgressBar } from "../components.js";
import { useResource } from "../load.js";
import { usePlace } from "../router.js";
import { html } from "../vendor/vendor.js";

/** @param {{ id: string }} props */
export function JobView({ id }) {
  const job = useResource(`/jobs/${encodeURIComponent(id)}`);
  usePlace(job.data !== undefined);
  return html`<section class="content"><h1 tabindex="-1">Job ${id}</h1>
    <${Loader} of=${job}>${(/** @type {any} */ one) => html`<p><${Badge} status=${one.status} /> ${one.reason}</p>
      <${ProgressBar} label="Progress" value=${one.progress.kimg} max=${one.progress.kimg_total} etaS=${one.progress.eta_s} />`}<//>
  </section>`;
}
