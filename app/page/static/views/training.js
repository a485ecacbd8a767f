// Training: the form to order one, and all jobs.
import { Badge, Empty, Loader } from "../components.js";
import { ago } from "../format.js";
import { useResource } from "../load.js";
import { address, usePlace } from "../router.js";
import { html } from "../vendor/vendor.js";

export function TrainingView() {
  const jobs = useResource("/jobs?kind=train");
  usePlace(jobs.data !== undefined);
  return html`<section class="content"><h1 tabindex="-1">Training</h1>
    <${Loader} of=${jobs}>${(/** @type {any} */ { jobs: all }) => all.length === 0
      ? html`<${Empty} icon="activity" title="Nothing has been trained here yet." />`
      : html`<ul class="rows">${all.map((/** @type {any} */ job) => html`<li key=${job.id}><a href=${address(["job", job.id])}>${job.order.recipe} on ${job.order.dataset}</a>
          <${Badge} status=${job.status} /> <span class="muted">${ago(job.created_at)}</span></li>`)}</ul>`}<//>
  </section>`;
}
