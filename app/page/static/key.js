// The dialog that asks for the service's key when a call needs one.
import { hasKey, keyRequest } from "./api.js";
import { Button, Dialog, Field } from "./components.js";
import { html } from "./vendor/vendor.js";

/** Why the key of this tab does not do. @param {import("./api.js").Problem | undefined} problem */
const refusal = (problem) => (problem?.status === 403 ? problem.message : "The service refused the key that it was given.");

export function KeyDialog() {
  const request = keyRequest.value;
  /** @param {SubmitEvent} event */
  function submit(event) {
    event.preventDefault();
    const form = /** @type {HTMLFormElement} */ (event.target);
    request?.answer(String(new FormData(form).get("key") ?? "").trim() || null);
  }
  return html`<${Dialog} title="A key is needed" isOpen=${request !== null} onClose=${() => keyRequest.value?.answer(null)}>
    <form class="form" onSubmit=${submit}>
      <p>This changes something, and the service asks for its key. It is kept for this tab only.</p>
      <${Field} label="Key" help="CATTERY_API_KEY, or a key made with “cattery keys add”." error=${hasKey.value ? refusal(request?.problem) : ""}>${(/** @type {object} */ attributes) => html`
        <input ...${attributes} name="key" type="password" autocomplete="off" required autofocus />`}<//>
      <footer><${Button} onClick=${() => request?.answer(null)}>Cancel<//><${Button} kind="primary" type="submit">Continue<//></footer>
    </form>
  <//>`;
}
