// The key of a touch table: made here when a planner sets the device up, and never handed out; only its public half is sent.
// static/js/kiosk.js signs with it. It lies in IndexedDB as an object that no script can read.

import { keep } from "./table-store.js";

const button = document.querySelector("button[name=do][value=begin]");
const field = document.querySelector("input[name=key]");

button?.addEventListener("click", async (event) => {
  if (field.value || !crypto.subtle) return; // without one the server says why there is no table
  event.preventDefault();
  try {
    const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign"]);
    const whole = new Uint8Array(await crypto.subtle.exportKey("spki", pair.publicKey));
    await keep(pair.privateKey);
    field.value = btoa(String.fromCharCode(...whole));
  } catch (problem) {
    console.info(problem);
  }
  button.form.requestSubmit(button);
  // Nothing came of it: with the next click a new key is made.
  field.value = "";
});
