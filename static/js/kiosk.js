// A touch table in the town hall: large targets, no way out, and a fresh start after each visitor.
//
// The first screen (templates/kiosk/table.html) tells what is needed here and leaves it for the pages that follow in the
// same window; static/js/base.js loads this file on each of them. Nothing typed survives a fresh start: the server ends
// what was left open when the first screen is asked for (participation/pages/kiosk.py).

const KEY = "digilog-table";
const told = document.querySelector("[data-table]");
if (told) sessionStorage.setItem(KEY, told.dataset.table);
const { start, style, asksAfter, beginsAfter, words, pass, renewsAfter } = JSON.parse(sessionStorage.getItem(KEY));

document.documentElement.dataset.kiosk = "yes";
if (!told) document.head.append(Object.assign(document.createElement("link"), { rel: "stylesheet", href: style }));

// ---- no way out -----------------------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]");
  if (!link) return;
  const leaves = new URL(link.href, location.href).origin !== location.origin || /^(mailto|tel):/.test(link.href);
  if (leaves) event.preventDefault();
  else link.removeAttribute("target");
}, true);
document.addEventListener("contextmenu", (event) => event.preventDefault());

// ---- a fresh start --------------------------------------------------------------------------------------------------

let waiting = 0;
let left = 0;
let counting = 0;
const dialog = document.createElement("dialog");
dialog.className = "k-still";
dialog.setAttribute("aria-labelledby", "k-still-heading");
const heading = Object.assign(document.createElement("h2"), { id: "k-still-heading", textContent: words.still });
const text = document.createElement("p");
text.setAttribute("role", "timer");
const button = (label, kind, act) => {
  const made = Object.assign(document.createElement("button"), { type: "button", className: `kern-btn kern-btn--${kind}` });
  made.append(Object.assign(document.createElement("span"), { className: "kern-label", textContent: label }));
  made.addEventListener("click", act);
  return made;
};
const begin = () => {
  clearInterval(counting); // a second start would break off the first, and a slow answer never come
  // What was typed is not asked about (static/js/base.js): the next visitor is not to see it.
  for (const form of document.querySelectorAll("form[data-keep]")) form.dispatchEvent(new Event("submit"));
  location.replace(start);
};
const line = Object.assign(document.createElement("p"), { className: "d-buttons" });
line.append(button(words.stay, "primary", () => { dialog.close(); touched(); }), button(words.anew, "secondary", begin));
dialog.append(heading, text, line);
document.body.append(dialog);

const isFirst = location.pathname === new URL(start, location.href).pathname;

function ask() {
  left = beginsAfter;
  dialog.showModal();
  const tell = () => {
    text.textContent = words.soon.replace("{}", left);
    if (left <= 0) begin();
    left -= 1;
  };
  tell();
  counting = setInterval(tell, 1000);
}

function touched() {
  clearTimeout(waiting);
  clearInterval(counting);
  if (!isFirst && !dialog.open) waiting = setTimeout(ask, asksAfter * 1000);
}
dialog.addEventListener("close", touched);
for (const name of ["pointerdown", "keydown", "input", "wheel", "scroll"]) {
  document.addEventListener(name, () => { if (!dialog.open) touched(); }, { passive: true, capture: true });
}
touched();

const back = document.createElement("nav");
back.className = "k-back";
back.setAttribute("aria-label", words.anew);
back.append(Object.assign(document.createElement("a"), { href: start, className: "kern-btn kern-btn--secondary" }));
back.firstChild.append(Object.assign(document.createElement("span"), { className: "kern-label", textContent: words.anew }));
if (!isFirst) document.body.append(back);
// A page out of the browser's memory shows what the visitor before has typed.
window.addEventListener("pageshow", (event) => { if (event.persisted) location.replace(start); });

// ---- the pass: this device proves that it is the table (participation/pages/kiosk.py) ---------------------------------

let provedAt = 0;

async function prove() {
  if (Date.now() - provedAt < 60_000) return;
  provedAt = Date.now();
  const question = await fetch(pass);
  if (question.status === 410 || question.status === 404) { isOver(); return; }
  const { question: text } = await question.json();
  if (!text) return; // it stands from a later day on
  const { kept } = await import("./table-store.js");
  const key = await kept();
  if (!key) { isOver(); return; }
  const signed = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, new TextEncoder().encode(text));
  const signature = btoa(String.fromCharCode(...new Uint8Array(signed)));
  const answer = await fetch(pass, { method: "POST", body: new URLSearchParams({ question: text, signature }) });
  if (answer.status === 403 || answer.status === 410) isOver();
  else if (answer.ok) document.documentElement.dataset.proved = "yes";
}

function isOver() {
  if (document.querySelector(".k-over")) return;
  document.querySelector("main").prepend(Object.assign(document.createElement("p"), { className: "k-over", role: "status", textContent: words.over }));
}

if (pass) {
  // Without the network it is tried again; until then the pass of before counts as long as it does.
  const tryIt = () => prove().catch((problem) => { console.info(problem); provedAt = 0; });
  tryIt();
  setInterval(tryIt, renewsAfter * 1000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tryIt(); });
}

// ---- the receipt ----------------------------------------------------------------------------------------------------

if (document.querySelector(".d-receipt")) {
  const line = document.querySelector(".d-receipt .d-buttons") ?? document.querySelector(".d-receipt");
  line.prepend(button(words.print, "primary", () => window.print()));
  window.print();
}
