// Models: versions side by side, what is in service, promotion and rollback.
import { Loader } from "../components.js";
import { counted } from "../format.js";
import { useModels } from "../models.js";
import { address, usePlace } from "../router.js";
import { html } from "../vendor/vendor.js";

/** @param {{ name: string }} props Name of one model, or "" for all. */
export function ModelsView({ name }) {
  const models = useModels();
  usePlace(models.data !== undefined);
  return html`<section class="content"><h1 tabindex="-1">${name || "Models"}</h1>
    <${Loader} of=${models}>${(/** @type {any} */ { models: all }) => html`<ul class="rows">${all.map((/** @type {import("../models.js").ModelSummary} */ model) => html`
      <li key=${model.name}><a href=${address(["models", model.name])}>${model.name}</a> <span class="muted">${model.size_px} px, ${counted(model.versions, "version")}</span></li>`)}</ul>`}<//>
  </section>`;
}
