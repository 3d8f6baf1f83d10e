// Questions that are asked only of some are hidden as long as they are not asked. Without this script they stand on the
// page with the words for whom they are; what is sent for them without having been asked counts nowhere either way.

const questions = [...document.querySelectorAll("[data-only]")];

function chosen(form, name) {
  return [...form.elements]
    .filter((field) => field.name === name && field.checked && !field.closest("[data-only][hidden]"))
    .map((field) => field.value);
}

function look() {
  // In their order: what hangs on a question that is hidden is hidden too.
  for (const question of questions) {
    const values = question.dataset.values.split(" ");
    const isAsked = chosen(question.closest("form"), question.dataset.only).some((value) => values.includes(value));
    const saysWhatIsWrong = question.querySelector("[aria-invalid], .kern-error");
    question.hidden = !isAsked && !saysWhatIsWrong;
  }
}

for (const form of new Set(questions.map((each) => each.closest("form")))) form.addEventListener("change", look);
addEventListener("pageshow", look);
look();
