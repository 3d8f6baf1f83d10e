// Two plans one over the other: a slider says how much of the right one is shown. Without it they stand side by side.

const frame = document.querySelector("[data-compare]");
const tools = document.querySelector("[data-compare-tools]");
const mode = tools.querySelector("[data-compare-mode]");
const slider = tools.querySelector("[data-compare-slider]");
const range = slider.querySelector("input");
const over = frame.querySelectorAll(".m-plan__frame")[1];

function show() {
  const isOver = mode.getAttribute("aria-pressed") === "true";
  frame.classList.toggle("m-compare--over", isOver);
  slider.hidden = !isOver;
  over.style.clipPath = isOver ? `inset(0 0 0 ${100 - range.value}%)` : "";
}

mode.addEventListener("click", () => {
  mode.setAttribute("aria-pressed", String(mode.getAttribute("aria-pressed") !== "true"));
  show();
});
range.addEventListener("input", show);
tools.hidden = false;
