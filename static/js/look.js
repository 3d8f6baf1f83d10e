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
    said.hidden = true;
    sheet.href = address;
  } else if (answer.status === 422) {
    const refused = await answer.json();
    const label = form.querySelector(`label[for="${refused.field}"]`)?.firstChild.textContent.trim();
    said.textContent = label ? `${label}: ${refused.message}` : refused.message;
    said.hidden = false;
  }
}

form.addEventListener("input", show);
