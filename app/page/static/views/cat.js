// One cat: large, with its seed and card.
import { usePlace } from "../router.js";
import { permalink } from "../models.js";
import { html } from "../vendor/vendor.js";

/** @param {{ name: string, seed: string }} props `name` is model@version. */
export function CatView({ name, seed }) {
  const [model, version = ""] = name.split("@");
  usePlace(true);
  return html`<section class="content"><h1 tabindex="-1">Cat ${seed}</h1>
    <img class="cat-large" src=${permalink({ model, version, seed: Number(seed) })} alt=${`Cat ${seed} of ${model}`} />
  </section>`;
}
