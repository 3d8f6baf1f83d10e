// What every page gains from JavaScript. Nothing here is needed to take part.

// A screen in the town hall that everybody uses says so itself, as long as its window is open (static/js/kiosk.js).
const table = sessionStorage.getItem("digilog-table");
if (table && !document.querySelector("[data-table]")) import(JSON.parse(table).script);

// Printing: the button shows itself only where it works.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}

// After a form, reading starts at what is to be corrected, or at what was done; where the address names a place, there.
document.getElementById("error-summary")?.focus();
if (!location.hash) document.getElementById("done-summary")?.focus();

// How many characters are left: shown at once, announced only after a pause in typing.
for (const count of document.querySelectorAll("[data-counter]")) {
  const field = document.getElementById(count.dataset.counter);
  const spoken = document.createElement("span");
  spoken.className = "d-sr";
  spoken.setAttribute("role", "status");
  count.after(spoken);
  let pause;
  const show = () => {
    const left = field.maxLength - field.value.length;
    count.textContent = count.dataset.left.replace("{}", left.toLocaleString(document.documentElement.lang));
    clearTimeout(pause);
    pause = setTimeout(() => { spoken.textContent = left < 200 ? count.textContent : ""; }, 1000);
  };
  field.addEventListener("input", show);
  show();
}

// A double click sends a form once. The server would recognise the second one too; this spares the reader a doubt.
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });
}

// Leaving with unsent words is asked about; forms opt in with data-keep.
for (const form of document.querySelectorAll("form[data-keep]")) {
  let touched = false;
  form.addEventListener("input", () => { touched = true; });
  form.addEventListener("submit", () => { touched = false; });
  window.addEventListener("beforeunload", (event) => { if (touched) event.preventDefault(); });
}

// Going back to a page must not leave its forms locked.
window.addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});
