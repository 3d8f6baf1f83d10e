// Drawing a line or an area: by clicks, or by keyboard with the middle of the map as the pencil.

const LIMIT = 100; // corners: the drawing travels in an address, and nobody says more with more

/** Whether two segments cross (not: share an end). Flat geometry will do within one town. */
function cross(a, b, c, d) {
  const side = (p, q, r) => Math.sign((q.lng - p.lng) * (r.lat - p.lat) - (q.lat - p.lat) * (r.lng - p.lng));
  return side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0;
}

export function crossesItself(points, closed) {
  const ends = closed ? [...points, points[0]] : points;
  for (let i = 0; i + 1 < ends.length; i += 1) {
    for (let j = i + 2; j + 1 < ends.length; j += 1) {
      if (cross(ends[i], ends[i + 1], ends[j], ends[j + 1])) return true;
    }
  }
  return false;
}

export function start({ L, map, container, shape, words, say, number, pointer, choose, offer, tools }) {
  const steps = document.querySelector("[data-map-drawing]");
  const area = shape === "area";
  const points = [];
  const line = (area ? L.polygon([], { className: "m-drawn" }) : L.polyline([], { className: "m-drawn m-drawn--line" })).addTo(map);
  const corners = L.layerGroup().addTo(map);
  const middle = document.createElement("span");
  middle.className = "m-crosshair";
  middle.setAttribute("aria-hidden", "true");
  container.append(middle);
  map.closePopup();
  tools.hidden = true;
  steps.hidden = false;
  steps.querySelector("[data-draw-step=add]").focus({ preventScroll: true });
  say(words.drawing);

  function show() {
    line.setLatLngs(points);
    corners.clearLayers();
    for (const point of points) L.circleMarker(point, { radius: 5, className: "m-corner", interactive: false }).addTo(corners);
  }

  function add(latlng) {
    if (points.length >= LIMIT) {
      say(words.tooMany);
      return;
    }
    points.push(latlng.wrap());
    show();
    const crossing = area && crossesItself(points, points.length > 3);
    say(crossing ? words.crossing : words.point.replace("{}", number(points.length)));
  }

  function end(removeDrawing) {
    pointer.take = choose;
    steps.removeEventListener("click", step);
    middle.remove();
    corners.remove();
    steps.hidden = true;
    tools.hidden = false;
    if (removeDrawing) line.remove();
    else map.once("popupclose", () => line.remove());
  }

  function finish() {
    if (points.length < (area ? 3 : 2)) {
      say(words.tooFew);
      return;
    }
    if (area && crossesItself(points, true)) {
      say(words.crossing);
      return;
    }
    const position = (point) => [Number(point.lng.toFixed(6)), Number(point.lat.toFixed(6))];
    const ring = points.map(position);
    const geometry = area
      ? { type: "Polygon", coordinates: [[...ring, ring[0]]] }
      : { type: "LineString", coordinates: ring };
    const at = area ? line.getBounds().getCenter() : points[Math.floor(points.length / 2)];
    end(false);
    const drawn = area ? words.area : words.line;
    offer(at, drawn, { geometry: JSON.stringify(geometry) }, true, drawn);
  }

  const acts = {
    add: () => add(map.getCenter()),
    undo: () => {
      if (points.pop()) say(words.removed);
      show();
    },
    finish,
    cancel: () => {
      end(true);
      say(words.cancelled);
      tools.querySelector(`[data-draw=${shape}]`).focus({ preventScroll: true });
    },
  };

  function step(event) {
    acts[event.target.closest("[data-draw-step]")?.dataset.drawStep]?.();
  }

  steps.addEventListener("click", step);
  pointer.take = add;
}
