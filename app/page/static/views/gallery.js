// The wall of cats.
import { useModels, permalink } from "../models.js";
import { Loader } from "../components.js";
import { address, usePlace } from "../router.js";
import { html } from "../vendor/vendor.js";

export function GalleryView() {
  const models = useModels();
  usePlace(models.data !== undefined);
  return html`<h1 class="visually-hidden" tabindex="-1">Cats</h1><${Loader} of=${models}>${(/** @type {any} */ { default: name, models: all }) => {
    const model = all.find((/** @type {any} */ one) => one.name === name) ?? all[0];
    const seeds = Array.from({ length: 60 }, (_, index) => index);
    return html`<div class="wall">${seeds.map((seed) => html`<a key=${seed} id=${`cat-${seed}`} href=${address(["cat", `${model.name}@${model.serving}`, seed])}>
      <img src=${permalink({ model: model.name, version: model.serving, seed })} alt=${`Cat ${seed}`} loading="lazy" /></a>`)}</div>`;
  }}<//>`;
}
