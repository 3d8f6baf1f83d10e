// Two plans one over the other: left of a line the left one is to be seen, right of it the right one. The line is dragged in
// the picture, or moved with the slider by keyboard. Without this script they stand side by side.

const frame = document.querySelector("[data-compare]");
const tools = document.querySelector("[data-compare-tools]");
const mode = tools.querySelector("[data-compare-mode]");
const slider = tools.querySelector("[data-compare-slider]");
const range = slider.querySelector("input");
const over = frame.querySelectorAll(".m-plan__frame")[1];

// The slider has the name and the keys; what can be dragged in the picture is the same thing again for hands.
const line = document.createElement("div");
line.className = "m-compare__line";
line.setAttribute("aria-hidden", "true");
line.append(Object.assign(document.createElement("span"), { className: "m-compare__handle" }));

function show() {
  const isOver = mode.getAttribute("aria-pressed") === "true";
  frame.classList.toggle("m-compare--over", isOver);
  slider.hidden = !isOver;
  over.style.clipPath = isOver ? `inset(0 0 0 ${range.value}%)` : "";
  line.style.insetInlineStart = `${range.value}%`;
  // Put in once: an element that moves in the document lets go of the hand that drags it.
  if (!isOver) line.remove();
  else if (!line.isConnected) over.after(line);
}

// As high as the picture: the captions above stay free.
new ResizeObserver(() => { line.style.blockSize = `${over.offsetHeight}px`; }).observe(over);

function drag(event) {
  const { left, width } = over.getBoundingClientRect();
  range.value = Math.min(Math.max(((event.clientX - left) / width) * 100, 0), 100);
  show();
}
line.addEventListener("pointerdown", (event) => {
  line.setPointerCapture(event.pointerId);
  event.preventDefault();
});
line.addEventListener("pointermove", (event) => { if (line.hasPointerCapture(event.pointerId)) drag(event); });

mode.addEventListener("click", () => {
  mode.setAttribute("aria-pressed", String(mode.getAttribute("aria-pressed") !== "true"));
  show();
});
range.addEventListener("input", show);
tools.hidden = false;
