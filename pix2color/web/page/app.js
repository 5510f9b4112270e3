// The page: what people do changes the album and the marks; the screen follows them.

import { Album, PLAIN } from "./album.js";
import { Chooser } from "./chooser.js";
import { save, saveAll, savePhoto } from "./downloads.js";
import { Engine } from "./engine.js";
import { Film } from "./film.js";
import { Marks } from "./marks.js";
import { tell } from "./message.js";
import { Screen } from "./screen.js";
import { text } from "./strings.js";
import { Viewer } from "./viewer.js";

const $ = id => document.getElementById(id);
const REMEMBERED = 10_000; // milliseconds in which a photo that was removed can come back
const waiting = []; // files that came before the engine was ready
let album, chooser, engine, film, marks, screen, viewer;

function start() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-name]")) element.ariaLabel = text(element.dataset.name);
  for (const button of document.querySelectorAll("#zoom button")) button.title = button.ariaLabel;
  for (const id of ["add", "choose"]) onClick(id, () => $("files").click());
  onClick("start-again", begin);
  takeFiles();
  begin();
}

async function begin() {
  const say = message => ($("starting").textContent = message);
  say(text("loading"));
  $("start-again").hidden = true;
  try {
    const megabytes = bytes => (bytes / 1e6).toFixed(1);
    engine = await Engine.start((done, all) => say(text("loadingSize", { done: megabytes(done), all: megabytes(all) })));
  } catch (error) {
    say(text("noStart", { reason: error.message }));
    $("start-again").hidden = false;
    return;
  }
  say("");
  $("privacy").textContent = text(engine.local ? "privacyBrowser" : "privacyServer");
  album = new Album(engine);
  viewer = new Viewer();
  marks = new Marks(album);
  chooser = new Chooser($("chooser"));
  film = new Film($("film"), album);
  screen = new Screen(album, marks, { chooser, film, viewer }, engine.model.renderSize, remove);
  if (!engine.model.takesHints) $("known-help").textContent = text("noHints");
  listen();
  screen.draw();
  document.body.classList.add("ready");
  takeIn(waiting.splice(0));
}

// ---- Files come in ------------------------------------------------------------------------

function takeFiles() {
  const chosen = (id, take) => $(id).addEventListener("change", () => {
    const files = [...$(id).files];
    $(id).value = "";
    if (files.length) take(files);
  });
  chosen("files", takeIn);
  chosen("marks-file", ([file]) => marks.load(file, album.current));
  chosen("like-file", ([file]) => borrow(file));
  let depth = 0;
  addEventListener("dragenter", event => {
    event.preventDefault();
    depth++;
    document.body.classList.add("dragging");
  });
  addEventListener("dragleave", () => --depth || document.body.classList.remove("dragging"));
  addEventListener("dragover", event => event.preventDefault());
  addEventListener("drop", event => {
    event.preventDefault();
    depth = 0;
    document.body.classList.remove("dragging");
    takeIn([...event.dataTransfer.files]);
  });
  addEventListener("paste", event => takeIn([...event.clipboardData.files]));
  addEventListener("beforeunload", event => album?.photos.length && event.preventDefault());
}

function takeIn(files) {
  if (!album) {
    waiting.push(...files);
    return;
  }
  const isMarks = file => file.name.toLowerCase().endsWith(".json");
  const photos = files.filter(file => !isMarks(file));
  if (photos.length) album.add(photos);
  for (const file of files.filter(isMarks)) marks.load(file);
}

/** Take over the colours of a photo, if it has any. */
async function borrow(file) {
  try {
    const found = await engine.look(file);
    if (!found.colors) throw new Error(text("likeGray"));
    album.setOptions(album.current, { like: file });
  } catch (error) {
    tell(`${file.name}: ${error.message}`);
  }
}

// ---- What people do -----------------------------------------------------------------------

function listen() {
  album.addEventListener("list", () => screen.draw());
  album.addEventListener("change", event => {
    film.update(event.detail);
    if (event.detail === album.current) screen.drawPhoto();
    screen.drawProgress();
  });
  film.addEventListener("remove", event => remove(event.detail));
  viewer.addEventListener("tap", event => tap(event.detail));
  viewer.addEventListener("doubt", event => marks.add(event.detail));
  viewer.addEventListener("spot", event => marks.select(event.detail.id));
  viewer.addEventListener("delete", event => closeChooser(() => marks.remove(event.detail.id)));
  viewer.addEventListener("move", event => marks.move(event.detail));
  viewer.addEventListener("nudge", event => marks.nudge(event.detail));
  marks.addEventListener("message", event => tell(event.detail));
  marks.addEventListener("change", () => screen.drawPhoto());
  chooser.addEventListener("color", event => marks.paint(event.detail.color, event.detail.done));
  chooser.addEventListener("delete", () => closeChooser(() => marks.remove(marks.selected)));
  chooser.addEventListener("close", () => closeChooser(() => marks.select(null)));
  chooser.addEventListener("pipette", () => marks.pick(true));
  addEventListener("keydown", shortcut);
  onClick("undo", () => marks.undo());
  onClick("redo", () => marks.undo(false));
  onClick("save-marks", () => {
    const { name, blob } = marks.file(album.current);
    save(blob, name);
  });
  onClick("load-marks", () => $("marks-file").click());
  onClick("download", () => downloading($("download"), () => savePhoto(album, album.current)));
  onClick("download-all", () => downloading($("download-all"), () => saveAll(album, marks)));
  onClick("retry", () => album.retry());
  onClick("message-close", () => ($("message").hidden = true));
  $("show-marks").addEventListener("change", () => $("view").classList.toggle("plain", !$("show-marks").checked));
  listenToLook();
}

function listenToLook() {
  const change = changes => album.setOptions(album.current, changes);
  $("saturation").addEventListener("input", () => change({ saturation: Number($("saturation").value) }));
  $("temperature").addEventListener("input", () => change({ temperature: Number($("temperature").value) }));
  $("render-size").addEventListener("input", () => change({ renderSize: Number($("render-size").value) }));
  onClick("reset", () => change(PLAIN));
  onClick("look-for-all", () => {
    album.setOptionsOfAll(album.current.options);
    tell(text("lookForAllDone"));
  });
  onClick("like", () => $("like-file").click());
  onClick("unlike", () => {
    change({ like: null });
    $("like").focus();
  });
}

function shortcut(event) {
  const photo = album.current, key = event.key.toLowerCase();
  if (event.key === "Escape") closeChooser(() => (marks.pipette ? marks.pick(false) : marks.select(null)));
  else if ((event.ctrlKey || event.metaKey) && "zy".includes(key) && photo && event.target.type !== "range") {
    event.preventDefault();
    marks.undo(key === "z" && !event.shiftKey);
  }
}

/** Do what may close the chooser; the keyboard then goes on at the photo. */
function closeChooser(close) {
  const inside = $("chooser").contains(document.activeElement) || document.activeElement.closest("#spots, #mark-list");
  const mark = marks.selected;
  close();
  if (inside && $("chooser").hidden) viewer.focus(mark);
}

function tap(place) {
  if (marks.pipette) marks.picked(viewer.colorAt(place));
  else if (engine.model.takesHints && album.current.preview && album.current.state !== "color") marks.add(place);
}

function remove(photo) {
  const place = album.photos.indexOf(photo);
  const bring = album.remove(photo, REMEMBERED);
  film.focus(album.photos[Math.min(place, album.photos.length - 1)]);
  tell(text("removed", { name: photo.name }), text("undo"), bring, REMEMBERED);
}

async function downloading(button, work) {
  const label = button.textContent;
  button.textContent = text("preparing");
  button.ariaBusy = "true";
  try {
    await work();
  } catch (error) {
    tell(error.message);
  } finally {
    button.textContent = label;
    button.ariaBusy = "false";
  }
}

/** Call `work` on a click, unless the button says that it cannot be used now. */
function onClick(id, work) {
  $(id).addEventListener("click", () => {
    if ($(id).ariaDisabled !== "true" && $(id).ariaBusy !== "true") work();
  });
}

start();
