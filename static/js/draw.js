// Drawing an area on a map: corners by click, or by Enter in the middle of the map. Fills a text field with GeoJSON;
// the field works without this script, and so do files.

/* global L */

const NEEDED = 3;

/** A button of ours beside the map. */
function button(words, action) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "kern-btn kern-btn--secondary";
  const label = document.createElement("span");
  label.className = "kern-label";
  label.textContent = words;
  made.append(label);
  made.addEventListener("click", action);
  return made;
}

/** The outer rings of a GeoJSON geometry as lists of [lat, lon], each without its closing corner. */
function rings(geometry) {
  const polygons = { Polygon: [geometry.coordinates], MultiPolygon: geometry.coordinates }[geometry.type] || [];
  return polygons.map((polygon) => polygon[0].slice(0, -1).map(([lon, lat]) => [lat, lon]));
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "dark" || (chosen !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
}

function set(frame) {
  const words = JSON.parse(frame.dataset.words);
  const field = document.getElementById(frame.dataset.draw);
  const canvas = document.createElement("div");
  canvas.className = "d-draw__map";
  canvas.setAttribute("role", "application");
  canvas.setAttribute("aria-label", words.label);
  const tools = document.createElement("div");
  tools.className = "d-draw__tools";
  const status = document.createElement("p");
  status.className = "d-draw__status";
  status.setAttribute("role", "status");
  frame.append(canvas, tools, status);
  frame.hidden = false;

  const map = L.map(canvas, { zoomControl: false, attributionControl: true });
  map.attributionControl.setPrefix(false);
  L.control.zoom({ zoomInTitle: words.zoomIn, zoomOutTitle: words.zoomOut }).addTo(map);
  const attribution = document.createElement("span");
  attribution.textContent = frame.dataset.attribution;
  L.tileLayer(isDark() ? frame.dataset.darkTiles : frame.dataset.tiles, {
    attribution: attribution.innerHTML, maxZoom: 19, minZoom: 5,
  }).addTo(map);
  const aim = document.createElement("div");
  aim.className = "d-draw__aim";
  aim.setAttribute("aria-hidden", "true");
  canvas.append(aim);

  const colour = getComputedStyle(document.documentElement).getPropertyValue("--accent").trim();
  const saved = L.layerGroup().addTo(map);
  const shape = L.polygon([], { color: colour, weight: 3, fillOpacity: 0.15, interactive: false }).addTo(map);
  const line = L.polyline([], { color: colour, weight: 3, dashArray: "6 6", interactive: false }).addTo(map);
  const handles = L.layerGroup().addTo(map);
  let corners = [];
  let isDrawing = false;

  const say = (text) => { status.textContent = text; };
  const numbered = (text, number) => text.replace("{}", number);

  function write() {
    const ring = [...corners, corners[0]].map(({ lat, lng }) => [Number(lng.toFixed(7)), Number(lat.toFixed(7))]);
    field.value = JSON.stringify({ type: "Polygon", coordinates: [ring] });
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function show() {
    line.setLatLngs(isDrawing ? corners : []);
    shape.setLatLngs(isDrawing ? [] : corners);
    handles.clearLayers();
    corners.forEach((corner, at) => {
      const handle = L.marker(corner, {
        draggable: true, keyboard: false, title: numbered(words.corner, at + 1), alt: numbered(words.corner, at + 1),
        icon: L.divIcon({ className: "d-draw__handle", iconSize: [18, 18] }),
      });
      handle.on("drag", (event) => {
        corners[at] = event.target.getLatLng();
        (isDrawing ? line : shape).setLatLngs(corners);
      });
      handle.on("dragend", () => { if (!isDrawing) write(); });
      handles.addLayer(handle);
    });
    canvas.classList.toggle("d-draw__map--drawing", isDrawing);
    undo.disabled = !isDrawing || corners.length === 0;
    finish.disabled = !isDrawing;
    clear.disabled = corners.length === 0;
  }

  function put(corner) {
    if (!isDrawing) return;
    corners.push(corner);
    say(numbered(words.drawing, corners.length));
    show();
  }

  const start = button(words.start, () => {
    corners = [];
    isDrawing = true;
    saved.clearLayers();
    say(words.idle);
    show();
    canvas.focus();
  });
  const undo = button(words.undo, () => { corners.pop(); show(); });
  const finish = button(words.finish, () => {
    if (corners.length < NEEDED) { say(words.few); return; }
    isDrawing = false;
    write();
    say(words.done);
    show();
  });
  const clear = button(words.clear, () => {
    corners = [];
    isDrawing = false;
    field.value = "";
    say(words.cleared);
    show();
  });
  tools.append(start, undo, finish, clear);

  map.on("click", (event) => put(event.latlng));
  canvas.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.target !== canvas) return;
    event.preventDefault();
    put(map.getCenter());
  });

  const [west, south, east, north] = frame.dataset.bounds.split(",").map(Number);
  map.fitBounds([[south, west], [north, east]], { padding: [24, 24], maxZoom: 18 });
  const known = field.value || frame.dataset.current;
  if (known) {
    try {
      const found = rings(JSON.parse(known));
      if (field.value && found.length === 1) corners = found[0].map(([lat, lon]) => L.latLng(lat, lon));
      else found.forEach((ring) => saved.addLayer(L.polygon(ring, { color: colour, weight: 3, fillOpacity: 0.15, interactive: false })));
    } catch {
      // What is in the field is no GeoJSON: the server says so in words.
    }
  }
  say(words.idle);
  show();
}

for (const frame of document.querySelectorAll("[data-draw]")) set(frame);
