// A plan in three dimensions: three.js over tiles of our own making, drawn only when something has changed.
//
// What it shows is described in szene.json (participation/pages/city.py). x is east, y is up, z is south, in metres
// from the origin. Everything the picture says is said in words too: the status line, the view, what is in sight.

import { boxesOf, readGlb, readGround, withoutBuildings } from "./city-tiles.js";
import { Moves } from "./city-moves.js";

const root = document.querySelector("[data-city]");
const holder = root.querySelector("[data-canvas]");
const status = root.querySelector("[data-status]");
const words = JSON.parse(root.dataset.words);
const winds = JSON.parse(root.dataset.winds);
const language = document.documentElement.lang;
const part = (name) => root.querySelector(`[data-${name}]`);
const fill = (text, ...values) => text.replace(/\{(\d?)\}/g, (_, n) => values[Number(n || 0)]);
const number = (value, digits = 0) => value.toLocaleString(language, { maximumFractionDigits: digits });
const wind = (degrees) => winds[((Math.round(degrees / 45) % 8) + 8) % 8];
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const darkDevice = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => {
  const { theme } = document.documentElement.dataset;
  return theme === "dark" || (theme !== "light" && darkDevice.matches);
};

root.hidden = false;
status.textContent = words.loading;

let drawsSlowly = false;
try {
  // Asked first, so that a device that cannot draw it need not fetch it.
  const probe = document.createElement("canvas").getContext("webgl2");
  if (!probe) throw new Error("no WebGL");
  const named = probe.getExtension("WEBGL_debug_renderer_info");
  // Drawn by the processor, as in many offices: without smoothed edges it takes half the time.
  drawsSlowly = /swiftshader|llvmpipe|software|basic render/i.test(named ? probe.getParameter(named.UNMASKED_RENDERER_WEBGL) : "");
  probe.getExtension("WEBGL_lose_context")?.loseContext();
  await begin();
} catch (problem) {
  console.info(problem);
  status.textContent = words.failed;
  root.dataset.state = "failed";
}

/** Everything a scene is made of, asked for at once: the ground, the squares of the town, the variants, as they come. */
async function fetchScene() {
  const told = await fetch(root.dataset.scene).then((answer) => answer.json());
  const octets = (url) => fetch(url).then((answer) => answer.arrayBuffer());
  const address = new URL(told.tileset, location.href);
  const squares = fetch(address).then((answer) => answer.json()).then((list) => Promise.all(
    list.root.children.filter((child) => !child.extras.ground).map((child) => octets(new URL(child.content.uri, address)))));
  const variants = Promise.all(told.variants.map((variant) => octets(variant.url)));
  [told.ground.heights, told.squares, told.bodies] = await Promise.all([octets(told.ground.url).then(readGround), squares, variants]);
  return told;
}

async function begin() {
  const [THREE, scene] = await Promise.all([import(root.dataset.three), fetchScene()]);
  performance.mark("city:fetched");
  const city = new City(THREE, scene);
  await city.load();
  performance.mark("city:loaded");
  status.textContent = fill(words.ready, number(city.count));
  root.dataset.state = "ready";
  setTimeout(() => { if (status.textContent.startsWith(words.ready.slice(0, 8))) status.textContent = ""; }, 6000);
}

function City(THREE, told) {
  const COLOURS = {
    light: { sky: 0xdfe8ec, roof: 0xb98e7c, wall: 0xf1ebe0, planned: 0xe08a5c, plannedRoof: 0xc2542d, tree: 0x6f9a5c, trunk: 0x8b7355, land: 0xf3efe6, fog: 0xe6edf0 },
    dark: { sky: 0x10181b, roof: 0x6e5a54, wall: 0x59666b, planned: 0xe08a5c, plannedRoof: 0xf0a078, tree: 0x35563a, trunk: 0x3c342c, land: 0x1b2326, fog: 0x131c20 },
  };
  let renderer;
  renderer = new THREE.WebGLRenderer({ antialias: !drawsSlowly, powerPreference: "low-power" });
  renderer.setPixelRatio(drawsSlowly ? 1 : Math.min(devicePixelRatio, 1.5));
  renderer.shadowMap.enabled = true;
  renderer.shadowMap.type = THREE.PCFShadowMap;
  renderer.debug.checkShaderErrors = false;
  renderer.shadowMap.autoUpdate = false;
  renderer.domElement.setAttribute("aria-hidden", "true");
  holder.append(renderer.domElement);

  const world = new THREE.Scene();
  const camera = new THREE.PerspectiveCamera(55, 1, 1, 4000);
  const sky = new THREE.HemisphereLight(0xffffff, 0xb8ad9c, 1.5);
  const sun = new THREE.DirectionalLight(0xfff4e0, 2.4);
  sun.castShadow = false; // until the first picture stands
  sun.shadow.mapSize.set(2048, 2048);
  sun.shadow.normalBias = 0.35;
  world.add(sky, sun, sun.target);

  // ---- drawing, only when something has changed --------------------------------------------------------------------

  let asked = false;
  let begun = false;
  const draw = () => {
    if (asked || !begun) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      performance.mark("city:draw");
      renderer.render(world, camera);
      performance.mark("city:drawn");
      root.dataset.frames = String(Number(root.dataset.frames || 0) + 1);
    });
  };
  const shadowsChanged = () => { renderer.shadowMap.needsUpdate = true; draw(); };

  function resize() {
    const { clientWidth, clientHeight } = holder;
    if (!clientWidth) return;
    renderer.setSize(clientWidth, clientHeight, false);
    camera.aspect = clientWidth / clientHeight;
    camera.updateProjectionMatrix();
    draw();
  }
  new ResizeObserver(resize).observe(holder);

  // ---- the ground --------------------------------------------------------------------------------------------------

  const { west, south, step, columns, heights } = told.ground;
  const rows = heights.length / columns;
  const groundAt = (x, y) => {
    const column = Math.min(Math.max((x - west) / step, 0), columns - 1.001);
    const row = Math.min(Math.max((y - south) / step, 0), rows - 1.001);
    const [c, r] = [Math.floor(column), Math.floor(row)];
    const [u, v] = [column - c, row - r];
    const at = (dr, dc) => heights[(r + dr) * columns + c + dc];
    return (at(0, 0) * (1 - u) + at(0, 1) * u) * (1 - v) + (at(1, 0) * (1 - u) + at(1, 1) * u) * v;
  };
  // How much it rises in a metre at most: ground that is steeper than the sun hides itself and what lies behind.
  const steepest = heights.reduce((most, high, n) => Math.max(
    most, n % columns ? Math.abs(high - heights[n - 1]) : 0, n >= columns ? Math.abs(high - heights[n - columns]) : 0), 0) * Math.SQRT2 / step;
  const moves = new Moves(camera, holder, groundAt, () => { draw(); describeSoon(); });
  moves.limit = Math.max(...told.box.map(Math.abs));

  const draped = [];
  function drape({ url, corners: [nw, ne, se, sw] }) {
    // As fine as the ground is known, within reason: a tile is about 200 m wide.
    const pieces = Math.min(48, Math.max(8, Math.ceil(Math.hypot(ne[0] - nw[0], ne[1] - nw[1]) / step)));
    const geometry = new THREE.PlaneGeometry(1, 1, pieces, pieces);
    const position = geometry.getAttribute("position");
    const uv = geometry.getAttribute("uv");
    for (let n = 0; n < position.count; n += 1) {
      const [u, v] = [uv.getX(n), 1 - uv.getY(n)];
      const [x, y] = [0, 1].map((axis) =>
        (nw[axis] * (1 - u) + ne[axis] * u) * (1 - v) + (sw[axis] * (1 - u) + se[axis] * u) * v);
      position.setXYZ(n, x, groundAt(x, y), -y);
    }
    geometry.computeVertexNormals();
    // Both sides, as buildings have them: so all of the first picture is one program for the graphics card.
    const material = new THREE.MeshLambertMaterial({ color: COLOURS.light.land, side: THREE.DoubleSide });
    const mesh = new THREE.Mesh(geometry, material);
    mesh.receiveShadow = true;
    world.add(mesh);
    draped.push({ url, mesh, material });
  }
  told.draped.forEach(drape);

  async function paint({ url, material }, look) {
    const image = new Image();
    image.src = url.replace("{look}", look);
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 512;
    canvas.getContext("2d").drawImage(image, 0, 0, 512, 512);
    const texture = new THREE.CanvasTexture(canvas);
    texture.colorSpace = THREE.SRGBColorSpace;
    texture.anisotropy = 4;
    material.map?.dispose();
    material.map = texture;
    material.color.set(0xffffff);
    material.needsUpdate = true;
  }
  /** The map is laid on the ground; a picture that is slow to draw is drawn once for all of its tiles. */
  async function paintAll(look) {
    const painted = draped.map((each) => paint(each, look).catch(() => {}));
    if (!drawsSlowly) painted.forEach((each) => each.then(draw));
    await Promise.all(painted);
    draw();
  }

  // ---- buildings ---------------------------------------------------------------------------------------------------

  const material = (colour) => new THREE.MeshLambertMaterial({ color: colour, side: THREE.DoubleSide, shadowSide: THREE.BackSide });
  const standing = [material(0xffffff), material(0xffffff)];
  const planned = [material(0xffffff), material(0xffffff)];
  const tiles = []; // those of the town
  const variants = new Map(); // id → tile
  let chosen = []; // the tiles of what is shown, of each consultation one at most

  function tileOf(octets, materials) {
    const tile = readGlb(THREE, octets);
    if (!tile) return null;
    tile.boxes = boxesOf(tile);
    tile.mesh = new THREE.Mesh(tile.geometry, materials);
    tile.mesh.scale.setScalar(tile.scale);
    tile.mesh.position.set(...tile.translation);
    tile.mesh.castShadow = tile.mesh.receiveShadow = true;
    tile.mesh.userData.tile = tile;
    return tile;
  }

  this.load = async () => {
    tiles.push(...told.squares.map((octets) => tileOf(octets, standing)).filter(Boolean));
    world.add(...tiles.map((tile) => tile.mesh));
    told.variants.forEach((variant, n) => {
      const tile = tileOf(told.bodies[n], planned);
      if (!tile) return;
      tile.variant = variant;
      variants.set(String(variant.id), tile);
    });
    this.count = tiles.reduce((sum, tile) => sum + tile.ids.length, 0);
    // First the houses, the ground and the plan's edge, in the light of the hour; then all that takes longer.
    outlineArea();
    colour();
    resize();
    start();
    choose();
    setDay();
    begun = true;
    draw();
    await shown();
    root.dataset.first = "yes";
    await idle();
    plantTrees();
    pinContributions();
    describeSoon(); // what is in sight names the pins too
    colour();
    sun.castShadow = true;
    shadowsChanged();
    await shown();
    paintAll(look()).catch(() => {});
  };

  const idle = () => new Promise((done) => {
    if ("requestIdleCallback" in window) requestIdleCallback(done, { timeout: 500 });
    else setTimeout(done, 100);
  });
  /** Until what was asked for stands on the screen: the browser asks for no further frame before. */
  const shown = () => new Promise((done) => { requestAnimationFrame(() => requestAnimationFrame(done)); });

  const inputs = [...root.querySelectorAll("input[data-variant]")];
  const gone = new Set(); // the buildings that give way to it

  /** Show what is chosen of every consultation. */
  function choose() {
    world.remove(...chosen.map((tile) => tile.mesh));
    chosen = inputs.filter((input) => input.checked && variants.has(input.value)).map((input) => variants.get(input.value));
    gone.clear();
    for (const tile of chosen) {
      world.add(tile.mesh);
      tile.variant.replaces.forEach((id) => gone.add(id));
    }
    for (const each of tiles) withoutBuildings(THREE, each, gone);
    shadowsChanged();
    showNewly();
    describeSoon();
    status.textContent = fill(words.shown, chosen.map((tile) => tile.variant.title).join(", ") || words.none);
  }
  for (const input of inputs) input.addEventListener("change", choose);
  for (const button of root.querySelectorAll("[data-all]")) {
    button.addEventListener("click", () => {
      for (const input of inputs.filter((each) => each.matches(button.dataset.all))) input.checked = true;
      choose();
    });
  }

  function plantTrees() {
    const { trees } = told;
    if (!trees.length) return;
    const crown = new THREE.InstancedMesh(new THREE.IcosahedronGeometry(1, 1), new THREE.MeshLambertMaterial({ flatShading: true }), trees.length);
    const trunk = new THREE.InstancedMesh(new THREE.CylinderGeometry(0.5, 0.7, 1, 5), new THREE.MeshLambertMaterial(), trees.length);
    const matrix = new THREE.Matrix4();
    trees.forEach(([x, y, high, wide], n) => {
      const low = groundAt(x, y);
      const stem = high * 0.28;
      crown.setMatrixAt(n, matrix.makeScale(wide / 2, (high - stem) / 2, wide / 2).setPosition(x, low + (high + stem) / 2, -y));
      trunk.setMatrixAt(n, matrix.makeScale(high * 0.04, stem * 1.3, high * 0.04).setPosition(x, low + stem * 0.65, -y));
    });
    // Trees are there to be recognised; shadows are those of buildings, as the page says.
    this_trees = [crown, trunk];
    world.add(crown, trunk);
  }
  let this_trees = [];

  function ribbon(ring, wide, colour, lift) {
    const points = [];
    for (let n = 0; n + 1 < ring.length; n += 1) {
      const [[ax, ay], [bx, by]] = [ring[n], ring[n + 1]];
      const long = Math.hypot(bx - ax, by - ay) || 1;
      const count = Math.ceil(long / 8);
      const [nx, ny] = [(-(by - ay) / long) * wide / 2, ((bx - ax) / long) * wide / 2];
      for (let k = 0; k < count; k += 1) {
        const corner = (t, side) => {
          const [x, y] = [ax + (bx - ax) * t + nx * side, ay + (by - ay) * t + ny * side];
          return [x, groundAt(x, y) + lift, -y];
        };
        const [s, t] = [k / count, (k + 0.62) / count];
        points.push(...corner(s, 1), ...corner(s, -1), ...corner(t, -1), ...corner(s, 1), ...corner(t, -1), ...corner(t, 1));
      }
    }
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.Float32BufferAttribute(points, 3));
    return new THREE.Mesh(geometry, new THREE.MeshBasicMaterial({ color: colour, side: THREE.DoubleSide }));
  }
  function outlineArea() {
    for (const rings of told.area) for (const ring of rings) world.add(ribbon(ring, 1.6, 0xa8481f, 0.25));
  }

  // ---- pins --------------------------------------------------------------------------------------------------------

  const pins = [];
  function pinPicture(fillColour) {
    const canvas = document.createElement("canvas");
    canvas.width = 64; canvas.height = 84;
    const pen = canvas.getContext("2d");
    pen.beginPath();
    pen.arc(32, 32, 28, Math.PI * 0.8, Math.PI * 0.2);
    pen.lineTo(32, 82);
    pen.closePath();
    pen.fillStyle = fillColour; pen.strokeStyle = "#fff"; pen.lineWidth = 5;
    pen.fill(); pen.stroke();
    pen.beginPath(); pen.arc(32, 31, 10, 0, 7); pen.fillStyle = "#fff"; pen.fill();
    const texture = new THREE.CanvasTexture(canvas);
    texture.colorSpace = THREE.SRGBColorSpace;
    return texture;
  }
  function pinAt([x, y, high], texture) {
    const sprite = new THREE.Sprite(new THREE.SpriteMaterial({ map: texture, sizeAttenuation: false, depthTest: false }));
    sprite.center.set(0.5, 0.02);
    sprite.scale.set(0.036, 0.047, 1);
    sprite.position.set(x, high, -y);
    sprite.renderOrder = 5;
    world.add(sprite);
    return sprite;
  }
  function pinContributions() {
    const texture = pinPicture("#1d5661");
    for (const pin of told.pins) {
      const sprite = pinAt(pin.at, texture);
      sprite.userData.pin = pin;
      pins.push(sprite);
    }
  }

  // ---- look --------------------------------------------------------------------------------------------------------

  const look = () => (isDark() ? "dark" : "light");
  function colour() {
    const colours = COLOURS[look()];
    world.background = new THREE.Color(colours.sky);
    world.fog = new THREE.Fog(colours.fog, 500, 1500);
    standing[0].color.set(colours.roof);
    standing[1].color.set(colours.wall);
    planned[0].color.set(colours.plannedRoof);
    planned[1].color.set(colours.planned);
    sky.intensity = isDark() ? 1.0 : 1.6;
    this_trees[0]?.material.color.set(colours.tree);
    this_trees[1]?.material.color.set(colours.trunk);
    for (const each of draped) {
      each.material.color.set(each.material.map ? 0xffffff : colours.land);
    }
    draw();
  }
  darkDevice.addEventListener("change", () => { colour(); paintAll(look()).catch(() => {}); });

  // ---- sun ---------------------------------------------------------------------------------------------------------

  const day = part("day");
  const time = part("time");
  told.days.forEach(({ key, title }) => day.add(new Option(title, key)));
  const clockOf = (minutes) => `${String(Math.floor(minutes / 60)).padStart(2, "0")}:${String(minutes % 60).padStart(2, "0")}`;
  const suns = () => told.days.find(({ key }) => key === day.value)?.suns ?? [];

  function setDay() {
    const found = suns();
    if (!found.length) return;
    Object.assign(time, { min: found[0][0], max: found.at(-1)[0] });
    time.value = Math.min(Math.max(Number(time.value) || 900, found[0][0]), found.at(-1)[0]);
    if (!time.dataset.touched) time.value = 900;
    setTime();
  }

  function setTime() {
    const found = suns();
    const now = found.reduce((best, each) => (Math.abs(each[0] - time.value) < Math.abs(best[0] - time.value) ? each : best));
    setSun(now.slice(1));
    const clock = clockOf(now[0]);
    part("clock").textContent = clock;
    time.setAttribute("aria-valuetext", clock);
    const [east, north, up] = now.slice(1);
    const bearing = (Math.atan2(east, north) * 180) / Math.PI;
    part("sun").textContent = fill(words.time, day.selectedOptions[0].text, clock, wind(bearing + 360), number((Math.asin(up) * 180) / Math.PI));
    showNewlySoon();
  }

  /** The sun in the direction (east, north, up); its shadows reach over all of the plan's surroundings. */
  function setSun([east, north, up]) {
    const reach = Math.min(moves.limit, 420);
    sun.position.set(east * 900, up * 900, -north * 900);
    sun.target.position.set(0, 0, 0);
    const shadow = sun.shadow.camera;
    Object.assign(shadow, { left: -reach, right: reach, top: reach, bottom: -reach, near: 100, far: 1900 });
    shadow.updateProjectionMatrix();
    for (const { mesh } of draped) mesh.castShadow = steepest * Math.hypot(east, north) >= up;
    shadowsChanged();
  }
  day.addEventListener("change", setDay);
  time.addEventListener("input", () => { time.dataset.touched = "yes"; setTime(); });

  // What is newly shaded, as the server computes it, laid on the ground.
  const newly = part("newly");
  let tinted = null;
  let waiting = null;
  let running = null;
  const showNewlySoon = () => { clearTimeout(waiting); waiting = setTimeout(showNewly, 200); };

  async function showNewly() {
    if (tinted) { world.remove(tinted); tinted = null; draw(); }
    part("newly-words").textContent = "";
    if (!newly.checked || !chosen.length) return;
    running?.abort();
    running = new AbortController();
    const key = told.days.find((each) => each.key === day.value);
    const asked = new URLSearchParams({ tag: key.date, uhr: clockOf(Number(time.value)) });
    for (const input of inputs) if (input.checked) asked.set(input.name, input.value || "heute");
    try {
      const shown = await fetch(`${told.shadow}?${asked}`, { signal: running.signal }).then((answer) => answer.json());
      const shapes = (shown.new ?? []).map(([outer, ...holes]) => {
        const shape = new THREE.Shape(outer.map(([x, y]) => new THREE.Vector2(x, y)));
        shape.holes = holes.map((ring) => new THREE.Path(ring.map(([x, y]) => new THREE.Vector2(x, y))));
        return shape;
      });
      const geometry = new THREE.ShapeGeometry(shapes);
      const position = geometry.getAttribute("position");
      for (let n = 0; n < position.count; n += 1) {
        const [x, y] = [position.getX(n), position.getY(n)];
        position.setXYZ(n, x, groundAt(x, y) + 0.3, -y);
      }
      tinted = new THREE.Mesh(geometry, new THREE.MeshBasicMaterial({ color: 0x7b3fa8, transparent: true, opacity: 0.6, depthWrite: false, side: THREE.DoubleSide }));
      world.add(tinted);
      part("newly-words").textContent = shown.chosen;
      draw();
    } catch (problem) {
      if (problem.name !== "AbortError") throw problem;
    }
  }
  newly.addEventListener("change", showNewly);

  // ---- views -------------------------------------------------------------------------------------------------------

  function start() {
    const above = told.views.at(-1);
    if (above) moves.look(above.eye, above.look);
    else {
      // All of the plan area, from the south.
      const wide = Math.max(...told.area.flat(2).map(([x, y]) => Math.max(Math.abs(x), Math.abs(y) * 1.4)));
      const far = Math.min(wide * 1.1 + 60, moves.limit);
      moves.look([0, -far, far * 0.65], [0, 0, 0]);
    }
  }

  function go(view) {
    const button = root.querySelector(`[data-view="${view.id}"]`);
    for (const each of root.querySelectorAll("[data-view]")) each.setAttribute("aria-pressed", String(each === button));
    const from = { eye: moves.eye, target: { ...moves.target } };
    const done = () => { moves.look(view.eye, view.look); status.textContent = fill(words.view, view.title); seen = view; describeSoon(); };
    if (calm.matches) { done(); return; }
    const begun = performance.now();
    const glide = (now) => {
      const t = Math.min((now - begun) / 700, 1);
      const s = t * t * (3 - 2 * t);
      const mix = (a, b) => a + (b - a) * s;
      moves.look(
        [mix(from.eye.x, view.eye[0]), mix(-from.eye.z, view.eye[1]), mix(from.eye.y, view.eye[2])],
        [mix(from.target.x, view.look[0]), mix(-from.target.z, view.look[1]), mix(from.target.y, view.look[2])],
      );
      if (t < 1) requestAnimationFrame(glide);
      else done();
    };
    requestAnimationFrame(glide);
  }
  let seen = null;
  for (const button of root.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", "false");
    button.addEventListener("click", () => go(told.views.find(({ id }) => String(id) === button.dataset.view)));
  }
  const DO = {
    "turn-left": () => moves.turn(-15, 0), "turn-right": () => moves.turn(15, 0),
    nearer: () => moves.zoom(0.75), farther: () => moves.zoom(1.33), start,
  };
  for (const button of root.querySelectorAll("[data-do]")) button.addEventListener("click", DO[button.dataset.do]);

  holder.addEventListener("keydown", (event) => {
    if (event.key === "Enter") pick(0, 0);
    else if (event.key === "Home") start();
    else if (/^[1-9]$/.test(event.key) && told.views[event.key - 1]) go(told.views[event.key - 1]);
    else if (!moves.key(event)) return;
    event.preventDefault();
  });

  // ---- in words ----------------------------------------------------------------------------------------------------

  let describing = null;
  function describeSoon() { clearTimeout(describing); describing = setTimeout(describe, 350); }

  function describe() {
    const eye = camera.position;
    const above = eye.y - groundAt(eye.x, -eye.z);
    const text = fill(words.looking, wind(moves.bearing), number(above, above < 10 ? 1 : 0));
    const at = seen && Math.hypot(eye.x - seen.eye[0], eye.z + seen.eye[1]) < 2 ? seen : null;
    part("words").textContent = at ? `${at.title}. ${at.text} ${text}` : text;
    const [east, north] = told.origin;
    part("place").textContent = fill(words.place, ...[eye.x + east, north - eye.z, moves.target.x + east, north - moves.target.z].map(Math.round));
    const frustum = new THREE.Frustum().setFromProjectionMatrix(
      new THREE.Matrix4().multiplyMatrices(camera.projectionMatrix, camera.matrixWorldInverse));
    const found = [];
    const all = [...tiles, ...chosen];
    const box = new THREE.Box3();
    const point = new THREE.Vector3();
    for (const tile of all) {
      tile.boxes.forEach(([ax, ay, az, bx, by, bz], row) => {
        if (!tile.labels[row] || (gone.has(tile.ids[row]) && !tile.variant)) return;
        const [x, z] = [(ax + bx) / 2, (az + bz) / 2];
        const away = Math.hypot(x - eye.x, z - eye.z);
        if (away > 400) return;
        box.min.set(ax, ay, az); box.max.set(bx, by, bz);
        if (!frustum.intersectsBox(box)) return;
        found.push([away, tile.variant ? `${tile.labels[row]} (${tile.variant.title})` : tile.labels[row], (Math.atan2(x - eye.x, eye.z - z) * 180) / Math.PI]);
      });
    }
    for (const sprite of pins) {
      const { x, z } = sprite.position;
      if (!frustum.containsPoint(sprite.position)) continue;
      found.push([Math.hypot(x - eye.x, z - eye.z), fill(words.contribution, sprite.userData.pin.title), (Math.atan2(x - eye.x, eye.z - z) * 180) / Math.PI, sprite.userData.pin.url]);
    }
    found.sort((a, b) => a[0] - b[0]);
    const items = found.slice(0, 15).map(([away, label, bearing, url]) => {
      const item = document.createElement("li");
      const sentence = fill(words.sight, label, number(away), wind(bearing + 360));
      if (url) item.append(Object.assign(document.createElement("a"), { href: url, textContent: sentence }));
      else item.textContent = sentence;
      return item;
    });
    const seenTrees = told.trees.filter(([x, y, high]) => Math.hypot(x - eye.x, y + eye.z) <= 400
      && frustum.containsPoint(point.set(x, groundAt(x, y) + high / 2, -y))).length;
    if (seenTrees) items.push(Object.assign(document.createElement("li"), { textContent: fill(words.trees, number(seenTrees)) }));
    if (!items.length) items.push(Object.assign(document.createElement("li"), { textContent: words.closer }));
    part("sight").replaceChildren(...items);
  }

  // ---- choosing ----------------------------------------------------------------------------------------------------

  const ray = new THREE.Raycaster();
  const pinned = { sprite: null };

  /** Choose what is at a place of the picture, from -1 to 1 to the right and upwards. */
  function pick(x, y) {
    world.updateMatrixWorld(); // what was put there after the last picture can be chosen too
    ray.setFromCamera(new THREE.Vector2(x, y), camera);
    const pin = ray.intersectObjects(pins)[0];
    if (pin) { showPin(pin.object.userData.pin); return; }
    const meshes = [...tiles, ...chosen].map((tile) => tile.mesh);
    const hit = ray.intersectObjects([...meshes, ...draped.map((each) => each.mesh)])[0];
    if (!hit) { status.textContent = words.nothing; return; }
    const [east, north, high] = [hit.point.x, -hit.point.z, hit.point.y];
    const { tile } = hit.object.userData;
    const at = [east + told.origin[0], north + told.origin[1], high + told.origin[2]].map((value) => Math.round(value * 100) / 100);
    const choice = { at };
    let text = words.spot;
    if (tile) {
      const row = tile.geometry.getAttribute("building").getX(hit.face.a);
      choice.b = tile.ids[row];
      if (tile.variant) choice.v = tile.variant.id;
      const label = tile.labels[row] || words.building;
      const above = number(Math.max(at[2] - tile.ground[row], 0));
      const { normal } = hit.face;
      const up = normal.y > 0.3;
      const eye = camera.position;
      const outwards = normal.x * (eye.x - hit.point.x) + normal.y * (eye.y - hit.point.y) + normal.z * (eye.z - hit.point.z) >= 0 ? 1 : -1;
      text = up ? fill(words.roof, label, above)
        : fill(words.picked, label, above, wind((Math.atan2(normal.x * outwards, -normal.z * outwards) * 180) / Math.PI + 360));
    }
    if (pinned.sprite) world.remove(pinned.sprite);
    pinned.sprite = pinAt([east, north, high], (pinned.texture ??= pinPicture("#a8481f")));
    draw();
    showPicked(text, told.comment && [words.comment, `${told.comment}?${new URLSearchParams({ was: JSON.stringify(choice) })}`]);
  }

  function showPin({ kind, title, where, part: of, url }) {
    showPicked([`${kind}: ${title}`, where, of].filter(Boolean).join(" – "), [title, url]);
  }

  function showPicked(text, way) {
    const panel = part("picked");
    panel.hidden = false;
    part("picked-words").textContent = text;
    const line = part("picked-way");
    line.replaceChildren();
    if (way) line.append(Object.assign(document.createElement("a"), { textContent: way[0], href: way[1], className: "kern-btn kern-btn--primary" }));
    status.textContent = text;
  }

  let pressed = null;
  holder.addEventListener("pointerdown", (event) => { pressed = [event.clientX, event.clientY, event.button]; });
  holder.addEventListener("pointerup", (event) => {
    if (!pressed || pressed[2] !== 0 || Math.hypot(event.clientX - pressed[0], event.clientY - pressed[1]) > 5) return;
    const { left, top, width, height } = holder.getBoundingClientRect();
    pick(((event.clientX - left) / width) * 2 - 1, 1 - ((event.clientY - top) / height) * 2);
    if (!part("picked").hidden) part("picked").focus({ preventScroll: true });
  });

  // For whoever measures the picture: the same things that the keys and buttons do.
  root.city = { moves, setSun, pick, choose, draw, world, renderer, camera, THREE };
}
