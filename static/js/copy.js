// A button that copies what a field holds. Without it the words are there to be selected.

for (const button of document.querySelectorAll("[data-copy]")) {
  const field = document.getElementById(button.dataset.copy);
  const status = document.querySelector("[data-copy-status]");
  button.hidden = false;
  button.addEventListener("click", async () => {
    field.select();
    // On an unencrypted address the browser has no clipboard to offer; then they are selected, at least.
    await navigator.clipboard?.writeText(field.value);
    if (navigator.clipboard) status.textContent = button.dataset.done;
  });
}
