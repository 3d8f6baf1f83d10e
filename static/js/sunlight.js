// Sun and shadow: a slider through the day. The page works without it; here the picture and the words follow at once.

const form = document.querySelector("[data-moment]");
const { feed, earliest, latest, minutes } = form.dataset;
const picture = document.querySelector("[data-sun-picture]");
const words = document.querySelector("[data-sun-words]");
const areas = document.querySelector("[data-sun-areas]");
const time = form.elements.uhr;

form.querySelector("[data-slider-place]").append(document.querySelector("[data-slider]").content);
const slider = document.getElementById("sun-slider");
Object.assign(slider, { min: earliest, max: latest });
slider.value = minutes;

const clock = (value) =>
  `${String(Math.floor(value / 60)).padStart(2, "0")}:${String(value % 60).padStart(2, "0")}`;

let waiting = null;
let running = null;

async function show() {
  running?.abort();
  running = new AbortController();
  const asked = new URLSearchParams(new FormData(form));
  try {
    const answer = await fetch(`${feed}?${asked}`, { signal: running.signal });
    if (!answer.ok) return;
    const shown = await answer.json();
    const svg = new DOMParser().parseFromString(shown.svg, "image/svg+xml").documentElement;
    picture.replaceChildren(document.importNode(svg, true));
    words.textContent = shown.words;
    areas.replaceChildren(...shown.areas.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
    history.replaceState(null, "", `?${asked}`);
  } catch (problem) {
    if (problem.name !== "AbortError") throw problem;
  }
}

function soon() {
  clearTimeout(waiting);
  waiting = setTimeout(show, 140);
}

slider.addEventListener("input", () => {
  time.value = clock(Number(slider.value));
  slider.setAttribute("aria-valuetext", time.value);
  soon();
});
time.addEventListener("change", () => {
  const [hours, rest] = time.value.split(":").map(Number);
  slider.value = hours * 60 + rest;
  soon();
});
for (const choice of form.querySelectorAll("input[name=variante]")) choice.addEventListener("change", soon);
