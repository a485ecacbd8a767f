// Training: the form to order one, and all jobs.
import { get } from "../api.js";
import { Badge, Button, Empty, Loader, Loading, ProgressBar, say } from "../components.js";
import { copyOrder } from "../draft.js";
import { ago } from "../format.js";
import { ENDED, titleOf, workOf } from "../jobs.js";
import { useLoad } from "../load.js";
import { address, replace, route, usePlace } from "../router.js";
import { useJobs } from "../stream.js";
import { html, useEffect } from "../vendor/vendor.js";
import { OrderForm } from "./order-form.js";

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
    <span class="training-bar">${job.status === "started" && html`<${ProgressBar} label=${`Progress of ${job.id}`} ...${workOf(job)} />`}</span></li>`)}</ul></section>`;
}

/** @param {{ job: any }} props */
function JobName({ job }) {
  return html`<a href=${address(["job", job.id])} id=${`job-${job.id}`}>${titleOf(job)}</a>`;
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
