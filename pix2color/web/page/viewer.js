// The large view: before and after, zoom and pan, and the spots on the photo.

import { hex, nameOf } from "./colors.js";
import { text } from "./strings.js";

const MOST_ENLARGED = 3; // times the preview's own pixels: more is a blur
const AT_FIRST = 20; // percent of the view that show the photo as it was
const TAP = 6; // pixels that a finger may move in a tap
const $ = id => document.getElementById(id);

/**
 * Shows one photo. Fires "tap" (detail {x, y}: in pixels of the photo), "spot" (detail: a hint that
 * was chosen), "move" (detail {hint, x, y, done}: by the pointer), "nudge" (detail {hint, x, y}: by the
 * keyboard), "delete" (detail: a hint), "doubt" (detail {x, y}).
 */
export class Viewer extends EventTarget {
  #view = $("view");
  #photo = null;
  #zoom = 1;
  #center = { x: 0.5, y: 0.5 }; // of the view, as shares of the photo
  #pointers = new Map();
  #pinched = null;

  constructor() {
    super();
    new ResizeObserver(() => this.#place()).observe(this.#view);
    this.#view.addEventListener("pointerdown", event => this.#down(event));
    this.#view.addEventListener("pointermove", event => this.#move(event));
    for (const type of ["pointerup", "pointercancel"]) this.#view.addEventListener(type, event => this.#up(event));
    this.#view.addEventListener("wheel", event => this.#wheel(event), { passive: false });
    this.#view.addEventListener("keydown", event => this.#key(event));
    $("spots").addEventListener("click", event => {
      if (event.detail === 0) this.#press(event.target); // by keyboard or screen reader
    });
    $("compare").addEventListener("input", () => this.#compare($("compare").value));
    $("zoom-in").addEventListener("click", () => this.zoom(1.5));
    $("zoom-out").addEventListener("click", () => this.zoom(1 / 1.5));
    $("zoom-fit").addEventListener("click", () => this.fit());
    for (const image of this.#view.querySelectorAll("img")) image.addEventListener("load", () => this.#place());
    this.#compare(AT_FIRST);
  }

  /** Show a photo, or nothing; `selected` is the id of the hint whose colour is being chosen. */
  show(photo, selected) {
    if (photo !== this.#photo) {
      this.#zoom = 1;
      this.#center = { x: 0.5, y: 0.5 };
    }
    this.#photo = photo;
    this.#source("before", photo?.beforeURL);
    this.#source("after", photo?.afterURL ?? photo?.beforeURL);
    const pair = Boolean(photo?.afterURL);
    for (const id of ["before", "divider", "tag-before", "tag-after", "compare"]) $(id).hidden = !pair;
    this.#drawSpots(selected);
    this.#place();
  }

  fit() {
    this.#zoom = 1;
    this.#center = { x: 0.5, y: 0.5 };
    this.#place();
  }

  zoom(factor, at = { x: this.#view.clientWidth / 2, y: this.#view.clientHeight / 2 }) {
    if (!this.#photo?.width) return;
    const fixed = this.#share(at);
    const most = (MOST_ENLARGED * this.#pixels() * this.#zoom) / this.#box().width;
    this.#zoom = Math.max(1, Math.min(most, this.#zoom * factor));
    const box = this.#box();
    this.#center.x += fixed.x - (at.x - box.x) / box.width;
    this.#center.y += fixed.y - (at.y - box.y) / box.height;
    this.#place();
  }

  /** Return the colour, "#rrggbb", that can be seen at a place of the photo. */
  colorAt({ x, y }) {
    const box = this.#box(), left = box.x + (x / this.#photo.width) * box.width;
    const before = left < (Number($("compare").value) / 100) * this.#view.clientWidth;
    const shown = this.#view.querySelector(before && !$("before").hidden ? "#before img" : "#after img");
    const canvas = new OffscreenCanvas(1, 1), context = canvas.getContext("2d");
    const scale = shown.naturalWidth / this.#photo.width;
    if (scale) context.drawImage(shown, -Math.floor(x * scale), -Math.floor(y * scale));
    return hex([...context.getImageData(0, 0, 1, 1).data.subarray(0, 3)]);
  }

  /** Take the keyboard to a mark, or to the photo. */
  focus(id) {
    const spot = [...$("spots").children].find(one => one.hint?.id === id);
    (spot ?? this.#view).focus({ preventScroll: true });
  }

  #source(id, url) {
    const image = $(id).querySelector("img");
    image.hidden = !url;
    if (url && image.src !== url) image.src = url;
  }

  /** Width of the picture that is shown, in its own pixels. */
  #pixels() {
    return $("after").querySelector("img").naturalWidth || this.#photo.width;
  }

  /** Where the photo lies in the view. */
  #box() {
    const { clientWidth: width, clientHeight: height } = this.#view;
    const photo = this.#photo, most = (this.#pixels() * MOST_ENLARGED) / photo.width;
    const scale = Math.min(width / photo.width, height / photo.height, most) * this.#zoom;
    const box = { width: photo.width * scale, height: photo.height * scale };
    const keep = (share, size, room) => (size <= room ? 0.5 : Math.min(1 - room / size / 2, Math.max(room / size / 2, share)));
    this.#center = { x: keep(this.#center.x, box.width, width), y: keep(this.#center.y, box.height, height) };
    box.x = width / 2 - this.#center.x * box.width;
    box.y = height / 2 - this.#center.y * box.height;
    return box;
  }

  #place() {
    if (!this.#photo?.width) return;
    const box = this.#box();
    for (const image of this.#view.querySelectorAll("img")) {
      image.style.left = `${box.x}px`;
      image.style.top = `${box.y}px`;
      image.style.width = `${box.width}px`;
      image.style.height = `${box.height}px`;
    }
    for (const spot of $("spots").children) {
      spot.style.left = `${box.x + (spot.place.x / this.#photo.width) * box.width}px`;
      spot.style.top = `${box.y + (spot.place.y / this.#photo.height) * box.height}px`;
    }
    this.#view.classList.toggle("zoomed", this.#zoom > 1);
  }

  #compare(value) {
    $("compare").value = value;
    this.#view.style.setProperty("--at", `${value}%`);
  }

  #share(at) {
    const box = this.#box();
    return { x: (at.x - box.x) / box.width, y: (at.y - box.y) / box.height };
  }

  #at(event) {
    const edge = this.#view.getBoundingClientRect();
    return { x: event.clientX - edge.left, y: event.clientY - edge.top };
  }

  /** Return the place in the photo, in its pixels; null outside of it. */
  #inPhoto(at) {
    const share = this.#share(at), { width, height } = this.#photo;
    const inside = share.x >= 0 && share.y >= 0 && share.x < 1 && share.y < 1;
    return inside ? { x: Math.floor(share.x * width), y: Math.floor(share.y * height) } : null;
  }

  /** Elements stay the same as long as their spot is there: one may have the focus, or be dragged. */
  #drawSpots(selected) {
    const photo = this.#photo, old = new Map([...$("spots").children].map(spot => [spot.key, spot]));
    const element = key => old.get(key) ?? Object.assign(document.createElement("button"), { type: "button", key });
    const ready = photo?.preview && photo.state !== "color";
    const hints = (ready ? photo.hints : []).map((hint, index) => {
      const spot = element(`hint ${hint.id}`);
      spot.className = "spot";
      spot.classList.toggle("selected", hint.id === selected);
      spot.classList.toggle("open", !hint.color);
      spot.style.backgroundColor = hint.color ?? "";
      spot.ariaLabel = hint.color ? text("mark", { number: index + 1, color: nameOf(hint.color) }) : text("markAsk");
      return Object.assign(spot, { place: hint, hint });
    });
    const doubts = (ready ? photo.doubts : []).map(place => {
      const spot = element(`doubt ${place.x} ${place.y}`);
      spot.className = "spot doubt";
      spot.textContent = "?";
      spot.ariaLabel = text("doubt");
      return Object.assign(spot, { place, doubt: true });
    });
    const wanted = [...hints, ...doubts];
    for (const spot of old.values()) if (!wanted.includes(spot)) spot.remove();
    for (const spot of wanted) if (!spot.isConnected) $("spots").append(spot);
  }

  #down(event) {
    if (event.button || !this.#photo?.width || event.target.closest("#notice")) return;
    const spot = event.target.closest(".spot");
    const at = this.#at(event);
    this.#view.setPointerCapture(event.pointerId);
    const held = event.target.closest("#divider") ? "divider" : spot ? "spot" : "photo";
    this.#pointers.set(event.pointerId, { at, start: at, held, spot, moved: false });
    if (this.#pointers.size > 1) for (const pointer of this.#pointers.values()) pointer.held = "photo";
    this.#pinched = this.#pinch();
  }

  #move(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) return;
    const before = pointer.at;
    pointer.at = this.#at(event);
    pointer.moved ||= Math.hypot(pointer.at.x - pointer.start.x, pointer.at.y - pointer.start.y) > TAP;
    if (!pointer.moved) return;
    if (pointer.held === "divider") {
      this.#compare(Math.min(100, Math.max(0, (100 * pointer.at.x) / this.#view.clientWidth)));
    } else if (pointer.held === "spot" && pointer.spot.hint) {
      this.#moveSpot(pointer, false);
    } else if (this.#pointers.size === 2) {
      const now = this.#pinch();
      this.zoom(now.apart / this.#pinched.apart, now.middle);
      this.#pinched = now;
    } else {
      const box = this.#box();
      this.#center.x -= (pointer.at.x - before.x) / box.width;
      this.#center.y -= (pointer.at.y - before.y) / box.height;
      this.#place();
    }
  }

  #up(event) {
    const pointer = this.#pointers.get(event.pointerId);
    if (!pointer) return;
    const alone = this.#pointers.size === 1;
    this.#pointers.delete(event.pointerId);
    this.#pinched = this.#pinch();
    if (pointer.held === "spot" && pointer.moved && pointer.spot.hint) this.#moveSpot(pointer, true);
    if (pointer.moved || !alone || event.type === "pointercancel") return;
    if (pointer.held === "spot") this.#press(pointer.spot);
    else { // a tap on the divider is one on the photo under it
      const place = this.#inPhoto(pointer.at);
      if (place) this.#fire("tap", place);
    }
  }

  #press(spot) {
    if (spot.doubt) this.#fire("doubt", spot.place);
    else this.#fire("spot", spot.hint);
  }

  #moveSpot({ at, spot }, done) {
    const place = this.#inPhoto(at);
    if (place || done) this.#fire("move", { hint: spot.hint, ...(place ?? {}), done });
  }

  #pinch() {
    if (this.#pointers.size !== 2) return null;
    const [a, b] = [...this.#pointers.values()].map(pointer => pointer.at);
    return { apart: Math.hypot(a.x - b.x, a.y - b.y) || 1, middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 } };
  }

  #wheel(event) {
    if (!this.#photo?.width) return;
    event.preventDefault();
    this.zoom(Math.exp(-event.deltaY / 300), this.#at(event));
  }

  #key(event) {
    const photo = this.#photo, spot = event.target.closest(".spot");
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!photo?.width) return;
    if (spot?.hint && step) {
      const size = Math.max(photo.width, photo.height) / 100;
      const x = Math.min(photo.width - 1, Math.max(0, Math.round(spot.hint.x + step[0] * size)));
      const y = Math.min(photo.height - 1, Math.max(0, Math.round(spot.hint.y + step[1] * size)));
      this.#fire("nudge", { hint: spot.hint, x, y });
      this.#bringIntoView({ x, y });
    } else if (step && event.target === this.#view) {
      const box = this.#box();
      this.#center.x += (step[0] * this.#view.clientWidth) / 10 / box.width;
      this.#center.y += (step[1] * this.#view.clientHeight) / 10 / box.height;
      this.#place();
    } else if (spot?.hint && ["Delete", "Backspace"].includes(event.key)) this.#fire("delete", spot.hint);
    else if (event.key === "+" || event.key === "=") this.zoom(1.5);
    else if (event.key === "-") this.zoom(1 / 1.5);
    else if (event.key === "0") this.fit();
    else if (event.key === "Enter" && event.target === this.#view) {
      this.#fire("tap", { x: Math.floor(this.#center.x * photo.width), y: Math.floor(this.#center.y * photo.height) });
    } else return;
    event.preventDefault();
  }

  #bringIntoView({ x, y }) {
    const box = this.#box(), { width, height } = this.#photo;
    const left = box.x + (x / width) * box.width, top = box.y + (y / height) * box.height;
    const inside = left > 0 && top > 0 && left < this.#view.clientWidth && top < this.#view.clientHeight;
    if (!inside) this.#center = { x: x / width, y: y / height };
    this.#place();
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
