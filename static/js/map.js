// The map: contributions or consultations on it, a place to choose, popups in plain text, and words for who cannot see.
//
// The skeleton (geo/maps.py) has made the L.map and registered it; everything this needs to know stands in data-*
// attributes of its container. Nothing that a visitor wrote is ever read as HTML: text goes in by textContent.

import { followTheme, onPaper } from "./map-look.js";

const L = window.L;
const container = document.querySelector(".d-map__canvas");
const map = window.digilogMaps[container.id];
const settings = container.dataset;
const words = JSON.parse(settings.words);
const ways = JSON.parse(settings.ways || "[]");
const takes = ways.length > 0 || Boolean(settings.taken); // whether something can be handed in about a place
const status = document.querySelector("[data-map-status]");
const chosenPanel = document.getElementById("chosen");
const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
const DEEPEST = map.getMaxZoom();

const number = (value) => value.toLocaleString(document.documentElement.lang);
const say = (text) => { status.textContent = text; };

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}

function link(text, url, className = "") {
  const made = element("a", className, text);
  made.href = url;
  return made;
}

// ---- look and motion ------------------------------------------------------------------------------------------------

const showTheme = followTheme(map);

// On paper the picture stays as it is on the screen, made smaller as a whole: Leaflet is not asked again.
function noteSize() {
  if (onPaper.matches) return;
  const { style } = container.parentElement;
  style.setProperty("--wide", container.clientWidth);
  style.setProperty("--high", container.clientHeight);
}
noteSize();
map.on("resize", noteSize);

if (calm) {
  map.options.inertia = false;
  map._zoomAnimated = false;
  const panBy = map.panBy;
  map.panBy = (offset, options) => panBy.call(map, offset, { ...options, animate: false });
}

// Leaflet's own container takes keys and focus; it says what it is by the region around it.
container.setAttribute("role", "application");
container.setAttribute("aria-labelledby", "map-heading");
container.setAttribute("aria-describedby", "map-help");

if (settings.view) {
  const [lon, lat, zoom] = settings.view.split(",").map(Number);
  map.setView([lat, lon], zoom, { animate: false });
}

// ---- layers that can be switched on and off -------------------------------------------------------------------------

const switches = document.querySelector("[data-map-switches]");
const overlays = new Map(); // id → Leaflet layer

/** Plain text as HTML: Leaflet writes attributions as such. */
function escaped(text) {
  const holder = element("span", "", text);
  return holder.innerHTML;
}

JSON.parse(settings.overlays || "[]").forEach((each, index) => {
  const layer = L.tileLayer(each.url, {
    attribution: escaped(each.attribution), zIndex: 10 + index, minZoom: each.min, maxNativeZoom: each.max,
    maxZoom: DEEPEST, ...(each.dark ? { darkUrl: each.dark } : {}),
  });
  let told = false;
  layer.on("tileerror", () => {
    if (!told) say(words.noPicture.replace("{}", each.title));
    told = true;
  });
  overlays.set(String(each.id), layer);
  if (each.on) layer.addTo(map);
});
showTheme();

const boxes = () => [...(switches?.querySelectorAll("input[type=checkbox]") ?? [])];
/** The layers that are on, as an address asks for them. */
const shownLayers = () => ["0", ...boxes().filter((box) => box.checked).map((box) => box.value)].join("-");

switches?.addEventListener("change", (event) => {
  const layer = overlays.get(event.target.value);
  if (!layer) return;
  if (event.target.checked) layer.addTo(map);
  else map.removeLayer(layer);
  showTheme();
  const address = new URL(location.href);
  address.searchParams.set("ebenen", shownLayers());
  history.replaceState(null, "", address);
});
switches?.querySelector("[data-map-apply]")?.setAttribute("hidden", "");

// ---- popups ---------------------------------------------------------------------------------------------------------

let popup = null;
let pin = null;
let returnTo = null;

function openPopup(at, content, label, from, focus) {
  returnTo = from;
  // On a small map all of it stays in sight: narrower, and with a bar to scroll by where it says much.
  const [maxWidth, maxHeight] = [Math.min(300, container.clientWidth - 104), Math.max(120, container.clientHeight - 110)];
  // Beside the buttons for nearer and farther, which would lie on it.
  const room = { autoPanPaddingTopLeft: [56, 30], autoPanPaddingBottomRight: [8, 30] };
  popup = L.popup({ ...room, maxWidth, maxHeight, closeButton: true, className: "m-popup" })
    .setLatLng(at).setContent(content);
  popup.openOn(map);
  const box = popup.getElement();
  box.setAttribute("role", "dialog");
  box.setAttribute("aria-label", label);
  const close = box.querySelector(".leaflet-popup-close-button");
  close.setAttribute("aria-label", words.close);
  close.title = words.close;
  if (focus) box.querySelector("a:not(.leaflet-popup-close-button)")?.focus({ preventScroll: true });
}

map.on("popupclose", () => {
  const inside = popup?.getElement()?.contains(document.activeElement);
  if (inside) (returnTo?.isConnected ? returnTo : container).focus({ preventScroll: true });
});

container.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && popup?.isOpen()) map.closePopup();
});

function contributionPopup(entry) {
  const content = element("div");
  content.append(element("p", "m-popup__kind", `${entry.kind} ${entry.ref}`));
  content.append(element("p", "m-popup__title", entry.title));
  if (entry.part) content.append(element("p", "m-popup__text", entry.part));
  if (entry.where) content.append(element("p", "m-popup__text", entry.where));
  if (entry.text) content.append(element("p", "m-popup__text", entry.text));
  content.append(link(words.read, entry.url, "m-popup__link"));
  return content;
}

// ---- markers --------------------------------------------------------------------------------------------------------

const markers = L.layerGroup().addTo(map);
const shapes = L.layerGroup().addTo(map);
const shown = new Map(); // key → {marker, at}

/** A marker whose icon is the given button or link: real ones, with a name, reached by Tab and worked by Enter. */
function place(key, lat, lon, control) {
  L.DomEvent.disableClickPropagation(control);
  const icon = L.divIcon({ className: "m-marker", html: control, iconSize: null });
  const marker = L.marker([lat, lon], { icon, keyboard: false, interactive: false });
  shown.set(key, { marker, at: L.latLng(lat, lon) });
}

function button(className, text, label, act) {
  const made = element("button", className, text);
  made.type = "button";
  made.setAttribute("aria-label", label);
  made.title = label;
  made.addEventListener("click", (event) => act(made, event.detail === 0));
  return made;
}

/** Only what is in the window can be reached by Tab: focus never goes to something that nobody sees. */
function showInWindow() {
  const bounds = map.getBounds();
  for (const { marker, at } of shown.values()) {
    if (bounds.contains(at)) markers.addLayer(marker);
    else markers.removeLayer(marker);
  }
}

function entryMarker(entry) {
  const key = `e ${entry.ref}`;
  if (shown.has(key)) return key;
  const label = `${entry.kind}: ${entry.title}`;
  const control = button("m-pin", "", label, (self, byKeyboard) => {
    openPopup([entry.lat, entry.lon], contributionPopup(entry), label, self, byKeyboard);
  });
  control.dataset.ref = entry.ref;
  place(key, entry.lat, entry.lon, control);
  return key;
}

function clusterMarker([lon, lat, count]) {
  const key = `c ${lon} ${lat} ${count} ${map.getZoom() >= DEEPEST}`;
  if (shown.has(key)) return key;
  const last = map.getZoom() >= DEEPEST;
  const size = count < 10 ? "s" : count < 100 ? "m" : "l";
  const label = (last ? words.spot : count === 1 ? words.alone : words.cluster).replace("{}", number(count));
  const control = button(`m-cluster m-cluster--${size}`, number(count), label, (self, byKeyboard) => {
    if (last) {
      const address = new URL(settings.list, location.href);
      address.searchParams.set("ort", `${lon},${lat}`);
      // In a frame on another site only this map may be shown.
      if (window.top === window.self) location.assign(address);
      else window.open(address, "_blank", "noopener");
      return;
    }
    if (byKeyboard) container.focus({ preventScroll: true });
    map.setView([lat, lon], Math.min(map.getZoom() + (count === 1 ? 4 : 2), DEEPEST), { animate: !calm });
  });
  place(key, lat, lon, control);
  return key;
}

// ---- the feed -------------------------------------------------------------------------------------------------------

let request = null;
let loaded = "";

/** The window, rounded outwards to whole tiles: the same request for everybody who looks at the same part. */
function asked() {
  const zoom = map.getZoom();
  const pixels = map.getPixelBounds();
  const low = pixels.min.divideBy(256).floor().multiplyBy(256);
  const high = pixels.max.divideBy(256).ceil().multiplyBy(256);
  const northWest = map.unproject(low, zoom);
  const southEast = map.unproject(high, zoom);
  const bbox = [northWest.lng, southEast.lat, southEast.lng, northWest.lat].map((value) => value.toFixed(6));
  return `bbox=${bbox.join(",")}&zoom=${zoom}`;
}

async function load() {
  const query = asked();
  if (query === loaded) {
    showInWindow();
    tellCount();
    return;
  }
  request?.abort();
  request = new AbortController();
  const glue = settings.feed.includes("?") ? "&" : "?";
  try {
    const answer = await fetch(`${settings.feed}${glue}${query}`, { signal: request.signal });
    if (!answer.ok) throw new Error(`feed: ${answer.status}`);
    draw(await answer.json());
    loaded = query;
  } catch (problem) {
    if (problem.name === "AbortError") return;
    say(words.failed);
  }
}

let feed = { entries: [], clusters: [], exact: true };

function draw(data) {
  feed = data;
  const wanted = new Set([...data.entries.map(entryMarker), ...data.clusters.map(clusterMarker)]);
  const hadFocus = container.contains(document.activeElement) && document.activeElement.closest(".m-marker");
  for (const [key, { marker }] of shown) {
    if (wanted.has(key)) continue;
    markers.removeLayer(marker);
    shown.delete(key);
  }
  if (hadFocus && !document.activeElement.closest(".m-marker")) container.focus({ preventScroll: true });
  shapes.clearLayers();
  for (const entry of data.entries) {
    if (!entry.shape) continue;
    const className = entry.shape.type.endsWith("LineString") ? "m-shape m-shape--line" : "m-shape";
    L.geoJSON(entry.shape, { interactive: false, className }).addTo(shapes);
  }
  showInWindow();
  tellCount();
}

// A popup may move the map to have room; what was said with it is not to be talked over by a count.
let moved = false;
map.on("autopanstart", () => { moved = true; });

function tellCount() {
  if (moved) {
    moved = false;
    return;
  }
  const bounds = map.getBounds();
  let count = feed.entries.filter((entry) => bounds.contains([entry.lat, entry.lon])).length;
  for (const [lon, lat, each] of feed.clusters) if (bounds.contains([lat, lon])) count += each;
  if (count === 0) say(words.none);
  else if (count === 1) say(words.one);
  else say((feed.exact ? words.many : words.about).replace("{}", number(count)));
}

if (settings.feed) {
  map.on("moveend", load);
  load();
}

// What the list sent us here to see.
if (settings.focus) {
  const entry = JSON.parse(settings.focus);
  showPin(entry.lat, entry.lon);
  openPopup([entry.lat, entry.lon], contributionPopup(entry), entry.title, container, false);
}

// ---- the plan area, or all plans ------------------------------------------------------------------------------------

async function geojson(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  return answer.json();
}

if (settings.planArea) {
  geojson(settings.planArea)
    .then((area) => L.geoJSON(area, { interactive: false, className: "m-area" }).addTo(map))
    .catch(() => say(words.failed));
}

/** Pixels between the middles of two pins, so that none lies on another and each can be hit (WCAG 2.5.8 asks for 24). */
const APART = 31;

/** Pins that would lie on each other move apart, those that come later, around where they belong. */
function spread(pins) {
  const taken = [];
  for (const { control, at } of pins) {
    const here = map.project(at);
    let by = L.point(0, 0);
    const isTaken = () => taken.some((other) => other.distanceTo(here.add(by)) < APART);
    for (let turn = 1; isTaken() && turn < 200; turn += 1) {
      by = L.point(Math.cos(turn * 2.4), Math.sin(turn * 2.4)).multiplyBy(5 * Math.sqrt(turn));
    }
    taken.push(here.add(by));
    control.style.translate = `calc(${by.x.toFixed(1)}px - 50%) calc(${by.y.toFixed(1)}px - 50%)`;
  }
}

function drawPlans(collection) {
  const pins = [];
  for (const { geometry, properties } of collection.features) {
    if (geometry) L.geoJSON(geometry, { interactive: false, className: `m-area m-area--${properties.standing}` }).addTo(map);
    const label = `${properties.number}: ${properties.title} (${properties.state})`;
    const control = link(String(properties.number), properties.url, `m-cluster m-cluster--s m-plan-pin--${properties.standing}`);
    control.setAttribute("aria-label", label);
    control.title = label;
    place(`p ${properties.number}`, properties.lat, properties.lon, control);
    pins.push({ control, at: L.latLng(properties.lat, properties.lon) });
  }
  map.on("zoomend", () => spread(pins));
  spread(pins);
  map.on("moveend", showInWindow);
  showInWindow();
}

if (settings.plans) geojson(settings.plans).then(drawPlans).catch(() => say(words.failed));

// ---- choosing a place -----------------------------------------------------------------------------------------------

function showPin(lat, lon) {
  if (pin) map.removeLayer(pin);
  const mark = element("span", "m-chosen-pin");
  mark.setAttribute("aria-hidden", "true");
  const icon = L.divIcon({ className: "m-marker", html: mark, iconSize: null });
  pin = L.marker([lat, lon], { icon, keyboard: false, interactive: false, zIndexOffset: 1000 }).addTo(map);
}

let asking = null;

/** Who takes what is said about a place, and what can be done there (`participation.pages.belonging.Taken`): where parts may
 *  take it, the server says so. Null where another place was chosen meanwhile. */
async function takenAt(parameters) {
  asking?.abort();
  if (!settings.taken) {
    const withPlace = ways.map(([text, url]) => {
      const address = new URL(url, location.href);
      for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value);
      return { text, url: address.pathname + address.search };
    });
    return { ways: withPlace, ways_of_whole: [] };
  }
  asking = new AbortController();
  const { signal } = asking;
  const { geometry, lon, lat } = parameters;
  const address = new URL(settings.taken, location.href);
  address.searchParams.set(...(geometry ? ["geometry", geometry] : ["ort", `${lon},${lat}`]));
  try {
    const answer = await fetch(address, { signal });
    if (!answer.ok) throw new Error(`taken: ${answer.status}`);
    return await answer.json();
  } catch {
    return signal.aborted ? null : { goes: words.unknown, ways: [], ways_of_whole: [] };
  }
}

/** Who takes it, in words: with a link to the part that it belongs to. */
function belongs(taken) {
  const said = element("p");
  if (taken.part) said.append(`${words.belongs} `, link(taken.part, taken.part_url), ". ");
  said.append(taken.goes);
  return said;
}

function listOf(offers, className, linkOf) {
  const list = element("ul", className);
  for (const each of offers) {
    const item = element("li");
    item.append(linkOf(each));
    list.append(item);
  }
  return list;
}

const NOTHING = { where: "", objects: [] };

/** What can be done at a place: as a popup beside it, and in the panel below the map, which is part of the page. What is said
 *  with it; null where another place was chosen meanwhile. `found`: what else is known of the place, see `known`. */
export async function offer(at, name, parameters, focus, said, found = NOTHING) {
  const taken = await takenAt(parameters);
  if (!taken) return null;
  const plain = (way) => link(way.text, way.url, "m-popup__link");
  const large = (way) => {
    const action = link("", way.url, "kern-btn kern-btn--primary");
    action.append(element("span", "kern-label", way.text));
    return action;
  };
  /** The same in two sizes: template `maps/_taken.html` for where no script runs. */
  const told = (look, className) => [
    ...(taken.part || taken.goes ? [belongs(taken)] : []),
    ...(taken.ways.length ? [listOf(taken.ways, className, look)] : []),
    ...(takes && !taken.ways.length && !taken.goes ? [element("p", "", words.nothing)] : []),
    ...(taken.whole ? [element("p", "", taken.whole), listOf(taken.ways_of_whole, "m-popup__ways", plain)] : []),
  ];
  chosenPanel.querySelector("[data-chosen-name]").textContent = name;
  if (takes) chosenPanel.querySelector("[data-chosen-taken]").replaceChildren(...told(large, "d-buttons m-ways"));
  chosenPanel.hidden = false;
  const content = element("div");
  content.append(element("p", "m-popup__title", words.place));
  if (found.where) content.append(element("p", "m-popup__text", found.where));
  content.append(...told(plain, "m-popup__ways"));
  if (found.objects.length) {
    content.append(element("p", "m-popup__title", words.here), listOf(found.objects, "m-popup__ways", (each) => {
      const named = new DocumentFragment();
      named.append(link(each.name, each.url, "m-popup__link"), ` ${each.layer}`);
      return named;
    }));
  }
  openPopup(at, content, words.place, container, focus);
  const offers = taken.ways.length || taken.ways_of_whole.length;
  const sentence = [
    taken.part || taken.goes ? belongs(taken).textContent : "",
    offers ? said : taken.goes ? "" : words.nothing, // nobody is asked what to say where nobody takes it
  ].filter(Boolean).join(" ");
  if (takes) say(sentence);
  return sentence;
}

// ---- what is here ---------------------------------------------------------------------------------------------------

const objectsList = chosenPanel?.querySelector("[data-chosen-objects]");
/** Milliseconds that a popup waits for what it is to tell of its place: once open it stays as it is, under pointer and focus. */
const PATIENCE = 500;
let looking = null;

/** Where a place is, in words, and the objects there; null where another place was chosen meanwhile. */
async function known(lon, lat) {
  looking?.abort();
  looking = new AbortController();
  const { signal } = looking;
  const address = new URL(settings.objects, location.href);
  for (const [name, value] of [["ort", `${lon},${lat}`], ["zoom", map.getZoom()], ["ebenen", shownLayers()]]) {
    address.searchParams.set(name, value);
  }
  try {
    const answer = await fetch(address, { signal });
    return answer.ok ? await answer.json() : NOTHING;
  } catch {
    return signal.aborted ? null : NOTHING;
  }
}

/** The objects at a place, in the panel of the page with what they say. */
function tellObjects(found, said) {
  objectsList.replaceChildren(...found.map((each) => {
    const entry = element("li", "m-object");
    entry.append(element("h3", "m-object__name", each.name), element("p", "d-muted", each.layer));
    const says = element("dl", "m-object__words");
    for (const [name, value] of each.words) says.append(element("dt", "", name), element("dd", "", value));
    if (each.words.length) entry.append(says);
    const more = link(words.aboutIt, each.url);
    more.setAttribute("aria-label", `${words.aboutIt}: ${each.name}`);
    entry.append(more);
    return entry;
  }));
  if (!found.length) return;
  const count = found.length === 1 ? words.oneHere : words.manyHere.replace("{}", number(found.length));
  say(takes ? `${count}. ${said}` : count);
}

async function choose(latlng, byKeyboard) {
  const at = latlng.wrap();
  const [lon, lat] = [at.lng.toFixed(6), at.lat.toFixed(6)];
  showPin(at.lat, at.lng);
  const short = (value) => value.toLocaleString(document.documentElement.lang, { maximumFractionDigits: 5 });
  const spelled = words.spelled.replace("{lat}", short(at.lat)).replace("{lon}", short(at.lng));
  const asked = settings.objects ? known(lon, lat) : NOTHING;
  const soon = await Promise.race([asked, new Promise((go) => setTimeout(go, PATIENCE, NOTHING))]);
  if (!soon || pointer.take !== choose) return;
  const said = await offer(at, soon.where || spelled, { lon, lat }, byKeyboard, words.chosen, soon);
  const found = said === null ? null : await asked;
  if (found) tellObjects(found.objects, said);
}

/** Who takes clicks and Enter on the map: choosing a place, or drawing. */
export const pointer = { take: choose };

if (takes || settings.objects) {
  map.on("click", (event) => pointer.take(event.latlng, false));
  container.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== container) return;
    event.preventDefault();
    pointer.take(map.getCenter(), true);
  });
  container.classList.add("m-canvas--chooses");
}

const tools = document.querySelector("[data-map-tools]");
if (takes && tools) {
  tools.hidden = false;
  tools.addEventListener("click", async (event) => {
    const shape = event.target.closest("[data-draw]")?.dataset.draw;
    if (!shape) return;
    const { start } = await import(settings.draw);
    start({ L, map, container, shape, words, say, number, pointer, choose, offer, tools });
  });
}

if (settings.chosen) {
  const [lon, lat] = settings.chosen.split(",").map(Number);
  showPin(lat, lon);
}

container.dataset.ready = "yes";
