// The strip of all photos with their state.

import { text } from "./strings.js";

/** Fires "remove" (detail: a photo) when one is to go. */
export class Film extends EventTarget {
  #root;
  #album;
  #frames = new Map(); // by photo

  constructor(root, album) {
    super();
    this.#root = root;
    this.#album = album;
    root.addEventListener("keydown", event => this.#key(event));
  }

  /** Show the photos that there are now. */
  draw() {
    for (const photo of this.#album.photos) if (!this.#frames.has(photo)) this.#frames.set(photo, this.#frame(photo));
    for (const photo of [...this.#frames.keys()]) if (photo.gone) this.#frames.delete(photo);
    const frames = this.#album.photos.map(photo => this.#frames.get(photo));
    const changed = frames.some((frame, i) => frame !== this.#root.children[i]) || frames.length !== this.#root.children.length;
    if (changed) this.#root.replaceChildren(...frames);
    this.#album.photos.forEach(photo => this.update(photo));
  }

  /** Show the state that a photo has now. */
  update(photo) {
    const frame = this.#frames.get(photo);
    if (!frame) return;
    const current = photo === this.#album.current, state = text(`state.${photo.state}`);
    const button = frame.querySelector(".open"), image = frame.querySelector("img");
    frame.dataset.state = photo.state;
    button.ariaLabel = text("photoOf", { name: photo.name, state });
    button.title = photo.state === "failed" ? `${photo.name}: ${photo.error}` : photo.name;
    button.ariaCurrent = String(current);
    button.tabIndex = frame.querySelector(".remove").tabIndex = current ? 0 : -1;
    const url = photo.afterURL ?? photo.beforeURL;
    image.hidden = !url;
    if (url && image.src !== url) image.src = url;
    if (current && this.#shown !== photo) frame.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (current) this.#shown = photo;
  }

  #shown = null;

  #frame(photo) {
    const frame = document.createElement("li");
    const open = Object.assign(document.createElement("button"), { type: "button", className: "open" });
    const image = Object.assign(document.createElement("img"), { alt: "", draggable: false });
    const mark = Object.assign(document.createElement("span"), { className: "mark" });
    const name = Object.assign(document.createElement("span"), { className: "name", textContent: photo.name });
    open.append(image, mark, name);
    open.addEventListener("click", () => this.#album.select(photo));
    const remove = Object.assign(document.createElement("button"), { type: "button", className: "remove", textContent: "×" });
    remove.ariaLabel = text("removeNamed", { name: photo.name });
    remove.addEventListener("click", () => this.#remove(photo));
    frame.append(open, remove);
    return frame;
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    const photos = this.#album.photos, place = photos.indexOf(this.#album.current);
    if (event.key === "Delete") this.#remove(photos[[...this.#root.children].indexOf(event.target.closest("li"))]);
    else if (step && photos[place + step]) {
      this.#album.select(photos[place + step]);
      this.focus(this.#album.current);
    } else return;
    event.preventDefault();
  }

  /** Take the keyboard to a photo. */
  focus(photo) {
    this.#frames.get(photo)?.querySelector(".open").focus();
  }

  #remove(photo) {
    this.dispatchEvent(new CustomEvent("remove", { detail: photo }));
  }
}
