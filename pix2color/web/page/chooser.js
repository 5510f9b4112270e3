// The choice of a colour: swatches of what people know by name, a wheel, a pipette.

import { GROUPS, hex, levels, nameOf } from "./colors.js";
import { text } from "./strings.js";

const WHEEL = 168, LIGHTNESS = 0.52, STRONGEST = 0.85;

/** Fires "color" (detail {color, done}) as a colour is chosen, "pipette", "delete" and "close". */
export class Chooser extends EventTarget {
  #root;
  #hue = 0;
  #strength = 0.6;

  constructor(root) {
    super();
    this.#root = root;
    root.role = "group";
    root.setAttribute("aria-labelledby", "ask");
    root.innerHTML = `
      <div class="row head"><p class="ask" id="ask"></p><button type="button" class="primary close"></button></div>
      <div class="groups"></div>
      <div class="row">
        <canvas class="wheel" width="${WHEEL}" height="${WHEEL}" tabindex="0" role="slider"
          aria-valuemin="0" aria-valuemax="359"></canvas>
        <div class="ways">
          <label class="exact"><input type="color"> <span></span></label>
          <button type="button" class="quiet pipette"></button>
          <button type="button" class="quiet delete"></button>
        </div>
      </div>`;
    const find = name => root.querySelector(name);
    find(".exact span").textContent = text("exact");
    find(".pipette").textContent = text("pipette");
    find(".delete").textContent = text("deleteMark");
    find(".close").textContent = text("done");
    find(".wheel").ariaLabel = text("wheel");
    for (const type of ["pipette", "delete", "close"]) find(`.${type}`).addEventListener("click", () => this.#fire(type));
    const exact = find("input[type=color]");
    exact.addEventListener("input", () => this.#choose(exact.value, false));
    exact.addEventListener("change", () => this.#choose(exact.value, true));
    this.#addSwatches(find(".groups"));
    this.#addWheel(find(".wheel"));
  }

  /** Show a colour: the one that was chosen, or the one that is there so far. */
  show(color, chosen) {
    for (const swatch of this.#root.querySelectorAll(".swatch")) {
      swatch.ariaPressed = String(chosen && swatch.value === color);
    }
    this.#root.querySelector(".ask").textContent = chosen ? text("markIs", { color: nameOf(color) }) : text("markAsk");
    this.#root.querySelector("input[type=color]").value = color;
    const [hue, strength] = hueAndStrength(color);
    if (strength > 0.02) this.#hue = hue; // gray has none: the last one counts when it gets stronger
    this.#strength = strength;
    this.#drawWheel(chosen);
  }

  /** Come into view, and take the keyboard. */
  focus() {
    this.#root.scrollIntoView({ block: "nearest" });
    if (getComputedStyle(this.#root).position === "fixed") document.getElementById("viewer").scrollIntoView();
    this.#root.querySelector(".swatch").focus({ preventScroll: true });
  }

  #addSwatches(place) {
    for (const [group, colors] of Object.entries(GROUPS)) {
      const row = document.createElement("div");
      row.role = "group";
      row.ariaLabel = text(`groups.${group}`);
      const label = document.createElement("span");
      label.className = "small";
      label.textContent = text(`groups.${group}`);
      row.append(label);
      for (const [name, color] of Object.entries(colors)) {
        const swatch = document.createElement("button");
        swatch.type = "button";
        swatch.className = "swatch";
        swatch.value = color;
        swatch.title = swatch.ariaLabel = text(`colors.${name}`);
        swatch.style.backgroundColor = color;
        swatch.addEventListener("click", () => this.#choose(color, true));
        row.append(swatch);
      }
      place.append(row);
    }
  }

  #addWheel(wheel) {
    const pick = (event, done) => {
      const x = (event.offsetX / wheel.clientWidth) * 2 - 1, y = (event.offsetY / wheel.clientHeight) * 2 - 1;
      this.#hue = (Math.atan2(y, x) * 180) / Math.PI;
      this.#strength = Math.min(1, Math.hypot(x, y));
      this.#chooseFromWheel(done);
    };
    wheel.addEventListener("pointerdown", event => {
      wheel.setPointerCapture(event.pointerId);
      pick(event, false);
    });
    wheel.addEventListener("pointermove", event => {
      if (wheel.hasPointerCapture(event.pointerId)) pick(event, false);
    });
    wheel.addEventListener("pointerup", event => pick(event, true));
    wheel.addEventListener("keydown", event => {
      const change = { ArrowLeft: [-6, 0], ArrowRight: [6, 0], ArrowUp: [0, 0.06], ArrowDown: [0, -0.06] }[event.key];
      if (!change) return;
      event.preventDefault();
      this.#hue += change[0];
      this.#strength = Math.min(1, Math.max(0, this.#strength + change[1]));
      this.#chooseFromWheel(true);
    });
  }

  #chooseFromWheel(done) {
    this.#choose(fromHue(this.#hue, this.#strength), done);
  }

  #choose(color, done) {
    this.#fire("color", { color, done });
  }

  #drawWheel(marked) {
    const wheel = this.#root.querySelector(".wheel"), context = wheel.getContext("2d"), half = WHEEL / 2;
    const hues = context.createConicGradient(0, half, half);
    for (let i = 0; i <= 24; i++) hues.addColorStop(i / 24, fromHue(i * 15, 1));
    const fade = context.createRadialGradient(half, half, 0, half, half, half);
    fade.addColorStop(0, fromHue(0, 0));
    fade.addColorStop(1, `${fromHue(0, 0)}00`);
    context.clearRect(0, 0, WHEEL, WHEEL);
    for (const fill of [hues, fade]) {
      context.fillStyle = fill;
      context.beginPath();
      context.arc(half, half, half - 1, 0, 2 * Math.PI);
      context.fill();
    }
    wheel.ariaValueNow = String(Math.round((this.#hue + 360) % 360));
    wheel.ariaValueText = nameOf(fromHue(this.#hue, this.#strength));
    if (!marked) return;
    const angle = (this.#hue * Math.PI) / 180, far = this.#strength * (half - 8);
    context.beginPath();
    context.arc(half + Math.cos(angle) * far, half + Math.sin(angle) * far, 6, 0, 2 * Math.PI);
    context.lineWidth = 4;
    context.strokeStyle = "#0008";
    context.stroke();
    context.lineWidth = 2;
    context.strokeStyle = "#fff";
    context.stroke();
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Return "#rrggbb" of a hue in degrees and a strength in [0, 1], neither light nor dark. */
function fromHue(hue, strength) {
  const spread = Math.min(LIGHTNESS, 1 - LIGHTNESS) * STRONGEST * strength;
  const channel = turn => {
    const k = (turn + ((hue + 360) % 360) / 30) % 12;
    return LIGHTNESS - spread * Math.max(-1, Math.min(k - 3, 9 - k, 1));
  };
  return hex([0, 8, 4].map(turn => 255 * channel(turn)));
}

function hueAndStrength(color) {
  const [red, green, blue] = levels(color).map(level => level / 255);
  const most = Math.max(red, green, blue), least = Math.min(red, green, blue), spread = most - least;
  if (!spread) return [0, 0];
  const turns = most === red ? (green - blue) / spread : most === green ? 2 + (blue - red) / spread : 4 + (red - green) / spread;
  const room = 1 - Math.abs(most + least - 1);
  return [(60 * turns + 360) % 360, Math.min(1, spread / room / STRONGEST)];
}
