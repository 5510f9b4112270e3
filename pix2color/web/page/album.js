// The photos on the page, their colours and what is known about them; it knows nothing of the screen.

import { text } from "./strings.js";

const AT_ONCE = 2;
const MOST_DOUBTS = 3; // more would cover the photo
export const PLAIN = { saturation: 1, temperature: 0, renderSize: null, like: null };

/**
 * All photos. Fires "change" (detail: the photo) whenever one has news, and "list" when photos come
 * or go. A photo: {id, name, file, state, error, width, height, hasColor, notes, preview,
 * beforeURL, afterURL, options, hints, doubts, past, future}.
 */
export class Album extends EventTarget {
  photos = [];
  current = null;
  #engine;
  #running = 0;
  #count = 0;
  #last = { ...PLAIN }; // set for all photos

  constructor(engine) {
    super();
    this.#engine = engine;
  }

  /** Add files; the first of them comes into view if nothing is. */
  add(files) {
    for (const file of files) {
      const photo = {
        id: ++this.#count,
        name: file.name || "photo.png",
        file,
        state: "reading",
        options: { ...this.#last },
        hints: [],
        doubts: [],
        past: [],
        future: [],
        wanted: 0, // version of what is asked for …
        shown: 0, // … and of what can be seen
      };
      this.photos.push(photo);
      this.current ??= photo;
    }
    this.#fire("list");
    this.#work();
  }

  /** Take a photo away; returns what brings it back within so many milliseconds. */
  remove(photo, milliseconds) {
    const place = this.photos.indexOf(photo);
    this.photos.splice(place, 1);
    if (this.current === photo) this.current = this.photos[Math.min(place, this.photos.length - 1)] ?? null;
    photo.gone = true;
    const forget = () => {
      for (const url of [photo.beforeURL, photo.afterURL]) if (url) URL.revokeObjectURL(url);
      this.#engine.forget(photo);
    };
    const timer = setTimeout(forget, milliseconds);
    this.#fire("list");
    return () => {
      clearTimeout(timer);
      photo.gone = false;
      this.photos.splice(place, 0, photo);
      if (photo.state === "coloring") photo.state = "waiting";
      this.select(photo);
    };
  }

  select(photo) {
    this.current = photo;
    this.#fire("list");
    this.#findDoubts(photo);
    this.#work();
  }

  /** Colour a photo that has colour, or try again what failed. */
  insist(photo) {
    if (photo.state === "color") photo.insisted = true;
    photo.state = photo.preview ? "waiting" : "reading";
    this.refresh(photo);
  }

  /** Try again all that failed. */
  retry() {
    for (const photo of this.photos) if (photo.state === "failed") this.insist(photo);
  }

  /** Change options of a photo; the picture changes when it is ready. */
  setOptions(photo, changes) {
    Object.assign(photo.options, changes);
    this.refresh(photo);
  }

  /** Give all photos these options, those too that come later. */
  setOptionsOfAll(options) {
    Object.assign(this.#last, options);
    for (const photo of this.photos) this.setOptions(photo, options);
  }

  /** Replace the hints of a photo; undo comes back to those before. */
  setHints(photo, hints) {
    photo.past.push(photo.hints.filter(hint => hint.color));
    photo.future = [];
    photo.hints = hints;
    this.refresh(photo);
  }

  undo(photo, back = true) {
    const [from, to] = back ? [photo.past, photo.future] : [photo.future, photo.past];
    if (!from.length) return;
    to.push(photo.hints.filter(hint => hint.color));
    photo.hints = from.pop();
    this.refresh(photo);
  }

  /** Ask for a photo's picture anew. */
  refresh(photo) {
    photo.wanted++;
    if (photo.state === "done" || (photo.state === "failed" && photo.preview)) photo.state = "waiting";
    this.#fire("change", photo);
    this.#work();
  }

  /** Return the finished file of a photo. */
  async result(photo) {
    return this.#engine.result(photo, photo.options, given(photo));
  }

  #work() {
    while (this.#running < AT_ONCE) {
      const photo = this.#next();
      if (!photo) return;
      this.#running++;
      photo.busy = true;
      this.#advance(photo).finally(() => {
        this.#running--;
        photo.busy = false;
        this.#work();
      });
    }
  }

  #next() {
    const due = photo => !photo.busy && ["reading", "waiting"].includes(photo.state);
    return this.current && due(this.current) ? this.current : this.photos.find(due);
  }

  async #advance(photo) {
    try {
      if (photo.state === "reading") await this.#read(photo);
      else await this.#color(photo);
    } catch (error) {
      if (photo.gone) return;
      photo.state = "failed";
      photo.error = error.message;
    }
    if (!photo.gone) this.#fire("change", photo);
  }

  async #read(photo) {
    const most = this.#engine.limits.fileBytes;
    if (photo.file.size > most) throw new Error(text("tooLarge", { size: most >> 20 }));
    Object.assign(photo, await this.#engine.look(photo.file));
    photo.beforeURL = URL.createObjectURL(photo.preview);
    photo.state = photo.hasColor && !photo.insisted ? "color" : "waiting";
  }

  async #color(photo) {
    photo.state = "coloring";
    this.#fire("change", photo);
    const version = photo.wanted, hints = given(photo);
    const picture = await this.#engine.preview(photo, photo.options, hints);
    if (photo.gone) return;
    if (photo.afterURL) URL.revokeObjectURL(photo.afterURL);
    photo.afterURL = URL.createObjectURL(picture);
    photo.shown = version;
    photo.state = version === photo.wanted ? "done" : "waiting";
    this.#findDoubts(photo);
  }

  /** Ask where a word would help, for the photo in view only. */
  async #findDoubts(photo) {
    const version = photo.wanted;
    if (!this.#engine.model.givesDoubt || photo !== this.current || photo.state !== "done") return;
    if (photo.doubted === version) return;
    photo.doubted = version;
    const doubts = await this.#engine.doubts(photo, given(photo)).catch(() => []);
    if (version !== photo.wanted || photo.gone) return;
    photo.doubts = doubts.slice(0, MOST_DOUBTS);
    this.#fire("change", photo);
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Return the hints of a photo that have a colour, as engines and files take them. */
export function given(photo) {
  return photo.hints.filter(hint => hint.color).map(({ x, y, color }) => ({ x, y, color }));
}
