// What is on the screen besides the large view and the film: it follows the album and the marks.

import { given } from "./album.js";
import { nameOf } from "./colors.js";
import { text } from "./strings.js";

const WORKING = ["reading", "waiting", "coloring"];
const $ = id => document.getElementById(id);

export class Screen {
  #album;
  #marks;
  #parts; // chooser, film, viewer
  #renderSize;
  #remove;
  #drawn = null; // the photo that was in view before
  #chosen = null; // id of the mark that the chooser was open for

  /** `remove` takes a photo off the page; `renderSize` is the model's own. */
  constructor(album, marks, parts, renderSize, remove) {
    this.#album = album;
    this.#marks = marks;
    this.#parts = parts;
    this.#renderSize = renderSize;
    this.#remove = remove;
  }

  draw() {
    document.body.classList.toggle("empty", !this.#album.photos.length);
    this.#parts.film.draw();
    this.drawPhoto();
    this.drawProgress();
  }

  drawProgress() {
    const { photos } = this.#album, all = photos.length, count = state => photos.filter(photo => photo.state === state).length;
    const done = count("done"), failed = count("failed");
    const words = !all ? "" : failed ? text("progressFailed", { done, all, failed }) : text("progress", { done, all });
    if ($("progress").textContent !== words) $("progress").textContent = words; // or it is read out again
    const working = photos.some(photo => WORKING.includes(photo.state));
    $("retry").hidden = failed < 2 || working;
    $("download-all").hidden = all < 2;
    enable("download-all", !working && done);
  }

  drawPhoto() {
    const photo = this.#album.current, marks = this.#marks;
    if (marks.pipette?.photo.gone) marks.pipette = null;
    if (this.#drawn !== photo && !marks.pipette) marks.dropOpen(this.#drawn);
    this.#drawn = photo;
    this.#parts.viewer.show(photo, marks.selected);
    document.body.classList.toggle("picking", Boolean(marks.pipette));
    if (!photo) return;
    this.#drawNotice(photo);
    $("busy").hidden = !WORKING.includes(photo.state);
    $("busy").textContent = text(photo.state === "reading" ? "reading" : "coloring");
    this.#drawMarkList(photo);
    this.#drawChooser();
    enable("undo", photo.past.length);
    enable("redo", photo.future.length);
    enable("save-marks", given(photo).length);
    enable("download", photo.state === "done");
    this.#drawLook(photo.options);
    $("look-for-all").hidden = this.#album.photos.length < 2;
    $("photo-name").textContent = photo.name;
    $("photo-notes").textContent = (photo.notes ?? []).map(note => text("notes", { text: note })).join(" ");
  }

  #drawChooser() {
    const { chooser, viewer } = this.#parts, chosen = this.#marks.pipette ? null : this.#marks.current;
    const opening = chosen && ($("chooser").hidden || chosen.id !== this.#chosen);
    $("chooser").hidden = !chosen;
    document.body.classList.toggle("choosing", Boolean(chosen));
    if (!chosen) return;
    chooser.show(chosen.color ?? viewer.colorAt(chosen), Boolean(chosen.color));
    if (opening) chooser.focus();
    this.#chosen = chosen.id;
  }

  #drawNotice(photo) {
    const lines = [];
    let actions = [];
    if (this.#marks.pipette) {
      lines.push(text("pipetteHelp"));
      actions = [[text("cancel"), () => this.#marks.pick(false)]];
    } else if (photo.state === "color") {
      lines.push(text("hasColor"));
      actions = [[text("colorAnyway"), () => this.#album.insist(photo)]];
    } else if (photo.state === "failed") {
      lines.push(text("failed"), photo.error);
      actions = [[text("tryAgain"), () => this.#album.insist(photo)], [text("remove"), () => this.#remove(photo)]];
    }
    $("notice").hidden = !lines.length;
    keep($("notice"), [photo.id, ...lines].join(), () => [...lines.map(paragraph), row(actions)]);
  }

  #drawMarkList(photo) {
    const list = $("mark-list");
    keep(list, photo.hints.map(hint => hint.id).join(), () => photo.hints.map(hint => {
      const item = document.createElement("li"), button = document.createElement("button");
      button.type = "button";
      button.className = "chip";
      button.addEventListener("click", () => this.#marks.select(hint.id));
      item.append(button);
      return item;
    }));
    photo.hints.forEach((hint, index) => {
      const button = list.children[index].firstChild;
      button.style.backgroundColor = hint.color ?? "";
      button.classList.toggle("selected", hint.id === this.#marks.selected);
      button.classList.toggle("open", !hint.color);
      button.ariaLabel = hint.color ? text("mark", { number: index + 1, color: nameOf(hint.color) }) : text("markAsk");
    });
  }

  #drawLook(options) {
    const show = (id, value, words) => {
      $(id).value = value;
      $(id).ariaValueText = words;
      document.querySelector(`[data-value=${id}]`).textContent = words;
    };
    const size = options.renderSize ?? this.#renderSize;
    show("saturation", options.saturation, `${Math.round(100 * options.saturation)} %`);
    show("temperature", options.temperature, String(options.temperature));
    show("render-size", size, String(size));
    $("unlike").hidden = !options.like;
    $("like").textContent = options.like?.name ?? text("likeChoose");
  }
}

/** Elements stay as they are while they say the same: one may have the focus, or be read out. */
function keep(root, key, make) {
  if (root.dataset.key === key) return;
  root.dataset.key = key;
  root.replaceChildren(...make());
}

function paragraph(line) {
  return Object.assign(document.createElement("p"), { textContent: line });
}

/** Return buttons side by side; the keyboard then goes on at the photo. */
function row(actions) {
  const made = Object.assign(document.createElement("div"), { className: "row" });
  made.append(...actions.map(([words, work], place) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: words });
    button.className = place ? "quiet" : "primary";
    button.addEventListener("click", () => {
      work();
      $("view").focus({ preventScroll: true });
    });
    return button;
  }));
  return made;
}

function enable(id, can) {
  $(id).ariaDisabled = String(!can);
}
