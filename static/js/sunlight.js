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

// The same areas on a map that can be moved and zoomed; it is fetched only when somebody asks for it.
const live = document.querySelector("[data-sun-map]");
const toggle = document.querySelector("[data-sun-switch]");
let map = null;
let shadows = null;

const fetched = (tag, facts) => new Promise((resolve, reject) => {
  const element = Object.assign(document.createElement(tag), facts);
  element.addEventListener("load", resolve);
  element.addEventListener("error", reject);
  document.head.append(element);
});

async function openMap() {
  await Promise.all(live.dataset.styles.split(" ").map((href) => fetched("link", { rel: "stylesheet", href })));
  for (const src of live.dataset.scripts.split(" ")) await fetched("script", { src });
  const canvas = live.querySelector("[id]");
  map = window.digilogMaps[canvas.id];
  const [west, south, east, north] = canvas.dataset.bounds.split(",").map(Number);
  map.fitBounds([[south, west], [north, east]], { animate: false });
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const { theme } = document.documentElement.dataset;
  if (theme === "dark" || (theme !== "light" && dark.matches)) {
    map.eachLayer((layer) => { if (layer.options.darkUrl) layer.setUrl(layer.options.darkUrl); });
  }
  shadows = window.L.layerGroup().addTo(map);
}

toggle.hidden = false;
toggle.addEventListener("click", async () => {
  const opens = live.hidden;
  toggle.setAttribute("aria-pressed", String(opens));
  live.hidden = !opens;
  picture.hidden = opens;
  if (!opens) return;
  try {
    if (!map) await openMap();
    map.invalidateSize();
    await show();
  } catch (problem) {
    console.info(problem);
    live.hidden = true;
    picture.hidden = false;
  }
});

function lay(shapes) {
  shadows.clearLayers();
  for (const [name, shape] of shapes) {
    window.L.geoJSON(shape, { interactive: false, className: `c-cast c-cast--${name}` }).addTo(shadows);
  }
  live.dataset.shown = String(shapes.length);
}

let waiting = null;
let running = null;

async function show() {
  running?.abort();
  running = new AbortController();
  const asked = new URLSearchParams(new FormData(form));
  const wanted = new URLSearchParams(asked);
  if (shadows && !live.hidden) wanted.set("karte", "1");
  try {
    const answer = await fetch(`${feed}?${wanted}`, { signal: running.signal });
    if (!answer.ok) return;
    const shown = await answer.json();
    const svg = new DOMParser().parseFromString(shown.svg, "image/svg+xml").documentElement;
    picture.replaceChildren(document.importNode(svg, true));
    if (shown.shapes) lay(shown.shapes);
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
for (const choice of form.querySelectorAll("input[type=radio]")) choice.addEventListener("change", soon);
