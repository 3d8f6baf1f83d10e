// Moving about in a scene: a point that one looks at, a distance, a bearing and a tilt. Mouse, fingers, keyboard.

const clamp = (value, low, high) => Math.min(Math.max(value, low), high);

/** Bearing in degrees from north, clockwise; tilt in degrees below the horizon. East is x, up is y, south is z. */
export class Moves {
  constructor(camera, element, groundAt, changed) {
    Object.assign(this, { camera, element, groundAt, changed });
    this.target = { x: 0, y: 0, z: 0 };
    this.distance = 300;
    this.bearing = 0;
    this.tilt = 35;
    this.limit = 700;
    this.#listen();
  }

  /** Look from one point at another; both as [east, north, up]. */
  look([ex, ny, up], [tx, ty, tup]) {
    const [dx, dy, dz] = [tx - ex, ty - ny, tup - up];
    const flat = Math.hypot(dx, dy);
    this.distance = Math.hypot(flat, dz);
    this.bearing = (Math.atan2(dx, dy) * 180) / Math.PI;
    this.tilt = (Math.atan2(-dz, flat) * 180) / Math.PI;
    this.target = { x: tx, y: tup, z: -ty };
    this.apply();
  }

  get eye() {
    const [bearing, tilt] = [this.bearing, this.tilt].map((degrees) => (degrees * Math.PI) / 180);
    const flat = this.distance * Math.cos(tilt);
    return {
      x: this.target.x - flat * Math.sin(bearing),
      y: this.target.y + this.distance * Math.sin(tilt),
      z: this.target.z + flat * Math.cos(bearing),
    };
  }

  apply() {
    const eye = this.eye;
    const floor = this.groundAt(eye.x, -eye.z) + 1.2;
    this.camera.position.set(eye.x, Math.max(eye.y, floor), eye.z);
    this.camera.lookAt(this.target.x, this.target.y, this.target.z);
    this.camera.updateMatrixWorld(); // whoever chooses something before the next picture chooses it from here
    this.camera.near = clamp(this.distance / 80, 0.2, 4);
    this.camera.updateProjectionMatrix();
    this.changed();
  }

  turn(bearing, tilt) {
    this.bearing = (this.bearing + bearing + 360) % 360;
    this.tilt = clamp(this.tilt + tilt, -20, 89);
    this.apply();
  }

  /** To the right and forwards, in parts of the distance. */
  move(right, forwards) {
    const bearing = (this.bearing * Math.PI) / 180;
    const step = Math.max(this.distance, 25);
    const east = (right * Math.cos(bearing) + forwards * Math.sin(bearing)) * step;
    const north = (forwards * Math.cos(bearing) - right * Math.sin(bearing)) * step;
    const before = this.groundAt(this.target.x, -this.target.z);
    this.target.x = clamp(this.target.x + east, -this.limit, this.limit);
    this.target.z = clamp(this.target.z - north, -this.limit, this.limit);
    this.target.y += this.groundAt(this.target.x, -this.target.z) - before;
    this.apply();
  }

  zoom(factor) {
    this.distance = clamp(this.distance * factor, 4, 1600);
    this.apply();
  }

  key(event) {
    const step = event.shiftKey ? 6 : 0.12;
    const acts = event.shiftKey
      ? { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }
      : { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] };
    if (event.altKey || event.ctrlKey || event.metaKey) return false;
    if (acts[event.key]) this[event.shiftKey ? "turn" : "move"](...acts[event.key]);
    else if (event.key === "+" || event.key === "=") this.zoom(0.8);
    else if (event.key === "-") this.zoom(1.25);
    else if (event.key === "PageUp") this.turn(0, 6);
    else if (event.key === "PageDown") this.turn(0, -6);
    else return false;
    return true;
  }

  #listen() {
    const { element } = this;
    const down = new Map();
    let spread = 0;
    element.addEventListener("pointerdown", (event) => {
      element.setPointerCapture(event.pointerId);
      down.set(event.pointerId, event);
      spread = 0;
    });
    element.addEventListener("pointermove", (event) => {
      const before = down.get(event.pointerId);
      if (!before) return;
      const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
      down.set(event.pointerId, event);
      if (down.size === 2) {
        const [a, b] = [...down.values()];
        const now = Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);
        if (spread) this.zoom(spread / Math.max(now, 1));
        spread = now;
        this.move(-dx / 1400, dy / 1400);
      } else if (before.buttons === 2 || event.buttons === 2 || event.ctrlKey) {
        this.move(-dx / 700, dy / 700);
      } else {
        this.turn(dx * 0.25, dy * 0.2);
      }
    });
    for (const name of ["pointerup", "pointercancel"]) element.addEventListener(name, (event) => down.delete(event.pointerId));
    element.addEventListener("contextmenu", (event) => event.preventDefault());
    element.addEventListener("wheel", (event) => {
      event.preventDefault();
      this.zoom(Math.exp(clamp(event.deltaY, -120, 120) * 0.0015));
    }, { passive: false });
  }
}
