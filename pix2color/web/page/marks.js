// The colour marks of the photo in view: set, painted, moved, removed, picked, kept in files.

import { given } from "./album.js";
import { text } from "./strings.js";

const ENDING = ".hints.json";
const SOON = 700; // milliseconds in which steps of the keyboard are one for undo

/**
 * Marks are the album's hints, with an id; one that has no colour yet is open. Fires "change" when
 * the selection or the pipette has changed, and "message" (detail: a text).
 */
export class Marks extends EventTarget {
  selected = null; // id of the mark whose colour is being chosen
  pipette = null; // {photo, id} of the mark that is to take a colour from a photo
  #album;
  #count = 0;
  #before = null; // the marks as they were before a change that is not done
  #timer = 0;

  constructor(album) {
    super();
    this.#album = album;
  }

  /** The mark that is selected, if it is of the photo in view. */
  get current() {
    return this.#album.current?.hints.find(hint => hint.id === this.selected) ?? null;
  }

  /** Set an open mark. */
  add({ x, y }) {
    const photo = this.#album.current, hint = { id: ++this.#count, x, y, color: null };
    this.dropOpen(photo);
    photo.hints = [...photo.hints, hint];
    this.select(hint.id);
  }

  select(id) {
    this.#settle();
    this.selected = id;
    const mark = this.current;
    if (!mark || mark.color) this.dropOpen(this.#album.current);
    this.#fire("change");
  }

  /** Forget a mark that never got a colour. */
  dropOpen(photo) {
    if (photo?.hints.some(hint => !hint.color)) photo.hints = photo.hints.filter(hint => hint.color);
  }

  /** Start or end picking a colour from a photo. */
  pick(on) {
    this.pipette = on ? { photo: this.#album.current, id: this.selected } : null;
    this.#fire("change");
  }

  /** Give the mark that the pipette is for a colour. */
  picked(color) {
    const { photo, id } = this.pipette;
    this.pipette = null;
    if (photo.gone) return;
    if (photo !== this.#album.current) this.#album.select(photo);
    this.select(id);
    this.paint(color, true);
  }

  /** Give the selected mark a colour; all until one is `done` are one step for undo. */
  paint(color, done) {
    this.#change(this.selected, { color }, done);
  }

  move({ hint, x, y, done }) {
    this.#change(hint.id, x === undefined ? {} : { x, y }, done);
  }

  /** Move by the keyboard: steps that follow soon are one for undo. */
  nudge({ hint, x, y }) {
    this.#change(hint.id, { x, y }, false);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#settle(), SOON);
  }

  remove(id) {
    this.#settle();
    const photo = this.#album.current, was = photo.hints.find(hint => hint.id === id);
    this.selected = this.pipette = null;
    if (was?.color) this.#album.setHints(photo, photo.hints.filter(hint => hint.id !== id && hint.color));
    else this.dropOpen(photo);
    this.#fire("change");
  }

  undo(back = true) {
    this.#settle();
    this.#album.undo(this.#album.current, back);
  }

  /** Return the file of a photo's marks. */
  file(photo) {
    const blob = new Blob([JSON.stringify(given(photo), null, 1)], { type: "application/json" });
    return { name: stemOf(photo.name) + ENDING, blob };
  }

  /** Take marks from a file, for a photo or for the one of the file's name. */
  async load(file, photo = null) {
    const stem = file.name.replace(/(\.hints)?( ?\(\d+\))?\.json$/i, "");
    const { photos, current } = this.#album;
    photo ??= photos.find(one => stemOf(one.name) === stem) ?? (photos.length === 1 ? current : null);
    if (!photo) return this.#fire("message", text("marksNoPhoto", { name: file.name }));
    let hints;
    try {
      hints = JSON.parse(await file.text()).map(({ x, y, color }) => {
        if (!Number.isFinite(x) || !Number.isFinite(y) || !/^#[0-9a-f]{6}$/i.test(color)) throw new TypeError();
        return { id: ++this.#count, x, y, color: color.toLowerCase() };
      });
    } catch {
      return this.#fire("message", text("marksWrong", { name: file.name }));
    }
    const outside = photo.width && hints.some(({ x, y }) => x < 0 || y < 0 || x >= photo.width || y >= photo.height);
    if (outside) return this.#fire("message", text("marksOutside", { name: file.name }));
    this.#album.setHints(photo, hints);
    if (photo !== current) this.#album.select(photo);
  }

  #change(id, changes, done) {
    const photo = this.#album.current;
    this.#before ??= { photo, hints: photo.hints.filter(hint => hint.color) };
    photo.hints = photo.hints.map(hint => (hint.id === id ? { ...hint, ...changes } : hint));
    if (done) this.#settle();
    this.#album.refresh(photo);
  }

  /** End a change: from here undo goes back to before it. */
  #settle() {
    clearTimeout(this.#timer);
    if (!this.#before) return;
    const { photo, hints } = this.#before;
    this.#before = null;
    if (JSON.stringify(hints) === JSON.stringify(photo.hints)) return;
    photo.past.push(hints);
    photo.future = [];
    this.#fire("change");
  }

  #fire(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

/** Return a file's name without its ending. */
export function stemOf(name) {
  return name.replace(/\.[^.]*$/, "");
}
