// The town's look, live: what is chosen is shown on this very page, or refused with what was measured.

const form = document.getElementById("look");
const said = document.getElementById("look-said");
const sheet = document.querySelector('link[href*="/theme.css"]');
let latest = 0;

async function show() {
  const turn = ++latest;
  const query = new URLSearchParams(new FormData(form));
  const address = `${form.dataset.preview}?${query}`;
  const answer = await fetch(address);
  if (turn !== latest) return;
  if (answer.ok) {
    say("");
    sheet.href = address;
  } else if (answer.status === 422) {
    const refused = await answer.json();
    const label = form.querySelector(`label[for="${refused.field}"]`)?.firstChild.textContent.trim();
    say(label ? `${label}: ${refused.message}` : refused.message);
  }
}

function say(words) {
  said.textContent = words;
  said.className = words ? "kern-error" : "";
}

form.addEventListener("input", show);
