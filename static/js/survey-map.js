// A place on the map, for the questions of a survey that ask for one: one map, opened beside the question whose button was pressed.
// Without this script the same button shows a picture of the map to click on (participation/pages/survey_places.py).

import { followTheme } from "./map-look.js";

const L = window.L;
const holder = document.querySelector("[data-place-map]");
const container = holder.querySelector(".d-map__canvas");
const map = window.digilogMaps[container.id];
const settings = container.dataset;
const words = JSON.parse(settings.words);
const status = holder.querySelector("[data-map-status]");
const remover = holder.querySelector("[data-map-remove]");
const language = document.documentElement.lang;
followTheme(map);

let name = ""; // of the question that it is open for
let opener = null;
let pin = null;

const field = (part) => document.querySelector(`input[name="${name}-${part}"]`);

container.setAttribute("role", "application");
container.setAttribute("aria-labelledby", "map-heading");
container.setAttribute("aria-describedby", "map-help");
container.classList.add("m-canvas--chooses");

if (settings.planArea) {
  fetch(settings.planArea)
    .then((answer) => (answer.ok ? answer.json() : Promise.reject(answer.status)))
    .then((area) => L.geoJSON(area, { interactive: false, className: "m-area" }).addTo(map))
    .catch(() => {}); // the map does without it
}

// ---- open, choose, close --------------------------------------------------------------------------------------------

function showPin(lat, lon) {
  if (pin) map.removeLayer(pin);
  const mark = document.createElement("span");
  mark.className = "m-chosen-pin";
  mark.setAttribute("aria-hidden", "true");
  const icon = L.divIcon({ className: "m-marker", html: mark, iconSize: null });
  pin = L.marker([lat, lon], { icon, keyboard: false, interactive: false }).addTo(map);
}

function open(button) {
  [name] = button.value.split(":");
  opener = button;
  button.closest("fieldset").append(holder);
  holder.hidden = false;
  map.invalidateSize({ animate: false });
  const [lon, lat] = [field("lon").value, field("lat").value];
  if (pin) map.removeLayer(pin);
  pin = null;
  if (lon && lat) {
    showPin(Number(lat), Number(lon));
    map.setView([lat, lon], Math.max(map.getZoom(), 16), { animate: false });
  } else {
    const [west, south, east, north] = settings.bounds.split(",").map(Number);
    map.fitBounds([[south, west], [north, east]], { animate: false });
  }
  status.textContent = "";
  remover.hidden = !pin;
  container.focus();
}

function close() {
  holder.hidden = true;
  opener.focus();
}

function remove() {
  if (pin) map.removeLayer(pin);
  pin = null;
  field("lon").value = "";
  field("lat").value = "";
  document.querySelector(`[data-chosen="${name}"]`).hidden = true;
  status.textContent = "";
  remover.hidden = true;
  container.focus();
}

function choose(latlng) {
  const at = latlng.wrap();
  field("lon").value = at.lng.toFixed(6);
  field("lat").value = at.lat.toFixed(6);
  showPin(at.lat, at.lng);
  const short = (value) => value.toLocaleString(language, { maximumFractionDigits: 5 });
  const said = words.spelled.replace("{lat}", short(at.lat)).replace("{lon}", short(at.lng));
  const shown = document.querySelector(`[data-chosen="${name}"]`);
  shown.querySelector("strong").textContent = said;
  shown.hidden = false;
  remover.hidden = false;
  status.textContent = `${words.place}: ${said}`;
}

for (const button of document.querySelectorAll('.s-survey button[value$=":plan"]')) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    open(button);
  });
}
holder.querySelector("[data-map-close]").addEventListener("click", close);
remover.addEventListener("click", remove);
map.on("click", (event) => choose(event.latlng));
container.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.target !== container) return;
  event.preventDefault();
  choose(map.getCenter());
});
container.dataset.ready = "yes";
