// The page: what is on the screen follows the album, and what people do changes it.

import { Album, PLAIN, given } from "./album.js";
import { Chooser } from "./chooser.js";
import { Engine } from "./engine.js";
import { Film } from "./film.js";
import { text } from "./strings.js";
import { Viewer } from "./viewer.js";
import { freeName, zip } from "./zip.js";

const $ = id => document.getElementById(id);
const SPOTS = ".hints.json";
let album, chooser, engine, film, viewer;
let selected = null; // id of the hint whose colour is being chosen
let pipette = null; // {photo, id} of the hint that is to take a colour from a photo
let count = 0; // of hints

function start() {
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const name of ["zoomIn", "zoomOut", "zoomFit"]) {
    const button = document.querySelector(`[data-name=${name}]`);
    button.ariaLabel = button.title = text(name);
  }
  $("compare").ariaLabel = text("compare");
  $("view").ariaLabel = text("picture");
  $("film").ariaLabel = text("photos");
  for (const id of ["add", "choose"]) $(id).addEventListener("click", () => $("files").click());
  takeFiles();
  begin();
}

async function begin() {
  const say = message => ($("starting").textContent = message);
  say(text("loading"));
  try {
    const megabytes = bytes => (bytes / 1e6).toFixed(1);
    engine = await Engine.start((done, all) => say(text("loadingSize", { done: megabytes(done), all: megabytes(all) })));
  } catch (error) {
    say(text("noStart", { reason: error.message }));
    return;
  }
  say("");
  $("privacy").textContent = text(engine.local ? "privacyBrowser" : "privacyServer");
  album = new Album(engine);
  viewer = new Viewer();
  chooser = new Chooser($("chooser"));
  film = new Film($("film"), album);
  if (!engine.model.takesHints) $("known-help").textContent = text("noHints");
  listen();
  draw();
  document.body.classList.add("ready");
  const early = waiting.splice(0);
  if (early.length) takeIn(early);
}

// ---- Photos and spots come in -------------------------------------------------------------

const waiting = []; // files that came before the engine was ready

function takeFiles() {
  for (const input of [$("files"), $("spots-file")]) {
    input.addEventListener("change", () => {
      takeIn([...input.files]);
      input.value = "";
    });
  }
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
}

function takeIn(files) {
  if (!album) {
    waiting.push(...files);
    return;
  }
  const spots = files.filter(file => file.name.endsWith(".json"));
  const photos = files.filter(file => !spots.includes(file));
  if (photos.length) album.add(photos);
  for (const file of spots) readSpots(file);
}

async function readSpots(file) {
  const stem = file.name.slice(0, -SPOTS.length);
  const named = album.photos.find(photo => stemOf(photo.name) === stem);
  const photo = named ?? (album.photos.length === 1 ? album.current : null);
  if (!photo) return tell(text("spotsNoPhoto", { name: file.name }));
  try {
    const hints = JSON.parse(await file.text()).map(({ x, y, color }) => {
      if (!Number.isFinite(x) || !Number.isFinite(y) || !/^#[0-9a-f]{6}$/i.test(color)) throw new TypeError();
      return { id: ++count, x, y, color };
    });
    album.setHints(photo, hints);
    album.select(photo);
  } catch {
    tell(text("spotsWrong", { name: file.name }));
  }
}

function tell(message) {
  $("progress").textContent = message;
}

const stemOf = name => name.replace(/\.[^.]*$/, "");

// ---- What people do -----------------------------------------------------------------------

function listen() {
  album.addEventListener("list", draw);
  album.addEventListener("change", event => {
    film.update(event.detail);
    if (event.detail === album.current) drawPhoto();
    drawProgress();
  });
  viewer.addEventListener("tap", event => tap(event.detail));
  viewer.addEventListener("doubt", event => addSpot(event.detail));
  viewer.addEventListener("spot", event => select(event.detail.id));
  viewer.addEventListener("delete", event => removeSpot(event.detail.id));
  viewer.addEventListener("move", event => moveSpot(event.detail));
  chooser.addEventListener("color", event => paint(event.detail.color, event.detail.done));
  chooser.addEventListener("delete", () => removeSpot(selected));
  chooser.addEventListener("close", () => select(null));
  chooser.addEventListener("pipette", () => {
    pipette = { photo: album.current, id: selected };
    drawPhoto();
  });
  addEventListener("keydown", event => {
    if (event.key === "Escape") {
      pipette = null;
      select(null);
    } else if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z" && album.current) {
      event.preventDefault();
      album.undo(album.current, !event.shiftKey);
    }
  });
  $("undo").addEventListener("click", () => album.undo(album.current));
  $("redo").addEventListener("click", () => album.undo(album.current, false));
  $("load-spots").addEventListener("click", () => $("spots-file").click());
  $("save-spots").addEventListener("click", () => save(spotsFile(album.current), stemOf(album.current.name) + SPOTS));
  $("download").addEventListener("click", () => downloading($("download"), downloadOne));
  $("download-all").addEventListener("click", () => downloading($("download-all"), downloadAll));
  listenToLook();
}

function listenToLook() {
  const change = changes => album.setOptions(scope(), changes);
  $("saturation").addEventListener("input", () => change({ saturation: Number($("saturation").value) }));
  $("temperature").addEventListener("input", () => change({ temperature: Number($("temperature").value) }));
  $("render-size").addEventListener("input", () => change({ renderSize: Number($("render-size").value) }));
  $("reset").addEventListener("click", () => change(PLAIN));
  $("like").addEventListener("click", () => $("like-file").click());
  $("unlike").addEventListener("click", () => change({ like: null }));
  $("like-file").addEventListener("change", () => {
    if ($("like-file").files.length) change({ like: $("like-file").files[0] });
    $("like-file").value = "";
  });
}

function scope() {
  return document.querySelector("[name=scope]:checked").value === "all" ? album.photos : [album.current];
}

function tap(place) {
  if (pipette) {
    const { photo, id } = pipette, color = viewer.colorAt(place);
    pipette = null;
    if (photo !== album.current) album.select(photo);
    select(id);
    paint(color, true);
  } else if (engine.model.takesHints && ["waiting", "coloring", "done"].includes(album.current.state)) addSpot(place);
}

let beforeDrag = null; // the hints as they were before a colour or a spot began to move

function addSpot({ x, y }) {
  const photo = album.current, hint = { id: ++count, x, y, color: null };
  dropOpenSpot();
  photo.doubts = photo.doubts.filter(doubt => doubt.x !== x || doubt.y !== y);
  photo.hints = [...photo.hints, hint];
  select(hint.id);
}

/** Forget a spot that never got a colour. */
function dropOpenSpot(photo = album.current) {
  if (photo) photo.hints = photo.hints.filter(hint => hint.color);
}

function select(id) {
  if (id !== selected) beforeDrag = null;
  selected = id;
  if (album.current && !album.current.hints.some(hint => hint.id === id && !hint.color)) dropOpenSpot();
  drawPhoto();
  if (id !== null) chooser.focus();
}

function paint(color, done) {
  change(selected, { color }, done);
}

function moveSpot({ hint, x, y, done }) {
  change(hint.id, x === undefined ? {} : { x, y }, done);
}

/** Change a hint; all changes until one is `done` are one step for undo. */
function change(id, changes, done) {
  const photo = album.current;
  beforeDrag ??= photo.hints.filter(hint => hint.color);
  const hints = photo.hints.map(hint => (hint.id === id ? { ...hint, ...changes } : hint));
  if (done) {
    photo.hints = beforeDrag;
    beforeDrag = null;
  }
  album.setHints(photo, hints, done);
}

function removeSpot(id) {
  const photo = album.current;
  selected = null;
  beforeDrag = null;
  album.setHints(photo, photo.hints.filter(hint => hint.id !== id && hint.color), photo.hints.some(hint => hint.id === id && hint.color));
  $("view").focus({ preventScroll: true });
}

// ---- Files go out -------------------------------------------------------------------------

async function downloading(button, work) {
  const label = button.textContent;
  button.textContent = text("preparing");
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    tell(error.message);
  } finally {
    button.textContent = label;
    button.disabled = false;
    drawProgress();
  }
}

async function downloadOne() {
  const photo = album.current;
  const blob = await album.result(photo);
  save(blob, resultName(photo.name, blob.type));
}

async function downloadAll() {
  const files = [], taken = new Set();
  for (const photo of album.photos.filter(photo => photo.afterURL && photo.state !== "failed")) {
    const blob = await album.result(photo);
    const name = freeName(resultName(photo.name, blob.type), taken);
    files.push({ name, blob });
    if (given(photo).length) files.push({ name: stemOf(name) + SPOTS, blob: spotsFile(photo) });
  }
  save(await zip(files), "pix2color.zip");
}

/** Return the photo's name; its ending may have to change with the format. */
function resultName(name, type) {
  const endings = { "image/jpeg": /\.jpe?g$/i, "image/png": /\.png$/i, "image/tiff": /\.tiff?$/i, "image/webp": /\.webp$/i };
  const ending = { "image/jpeg": ".jpg", "image/png": ".png", "image/tiff": ".tif", "image/webp": ".webp" }[type];
  return !ending || endings[type].test(name) ? name : stemOf(name) + ending;
}

function spotsFile(photo) {
  return new Blob([JSON.stringify(given(photo), null, 1)], { type: "application/json" });
}

function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

// ---- What is on the screen ----------------------------------------------------------------

function draw() {
  document.body.classList.toggle("empty", !album.photos.length);
  film.draw();
  drawPhoto();
  drawProgress();
}

function drawProgress() {
  const all = album.photos.length, done = album.photos.filter(photo => photo.state === "done").length;
  $("progress").textContent = all ? text("progress", { done, all }) : "";
  const working = album.photos.some(photo => ["reading", "waiting", "coloring"].includes(photo.state));
  $("download-all").hidden = all < 2;
  if (!$("download-all").textContent.startsWith(text("preparing"))) $("download-all").disabled = working || !done;
}

let drawn = null; // the photo that was in view before

function drawPhoto() {
  const photo = album.current;
  if (drawn !== photo && !pipette) dropOpenSpot(drawn);
  drawn = photo;
  if (photo && !photo.hints.some(hint => hint.id === selected)) selected = null;
  viewer.show(photo, selected);
  $("view").classList.toggle("picking", Boolean(pipette));
  if (!photo) return;
  drawNotice(photo);
  $("busy").hidden = !["reading", "waiting", "coloring"].includes(photo.state);
  drawSpotList(photo);
  const chosen = photo.hints.find(hint => hint.id === selected);
  $("chooser").hidden = !chosen;
  if (chosen) chooser.show(chosen.color);
  $("undo").disabled = !photo.past.length;
  $("redo").disabled = !photo.future.length;
  $("save-spots").disabled = !given(photo).length;
  if (!$("download").textContent.startsWith(text("preparing"))) $("download").disabled = photo.state !== "done";
  drawLook(photo.options);
  $("photo-notes").textContent = (photo.notes ?? []).map(note => text("notes", { text: note })).join(" ");
}

function drawNotice(photo) {
  const notice = $("notice"), lines = [];
  let action = null;
  if (pipette) lines.push(text("pipetteHelp"));
  else if (photo.state === "color") {
    lines.push(text("hasColor"));
    action = text("colorAnyway");
  } else if (photo.state === "failed") {
    lines.push(text("failed"), photo.error);
    action = text("tryAgain");
  }
  notice.hidden = !lines.length;
  const children = lines.map(line => Object.assign(document.createElement("p"), { textContent: line }));
  if (action) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: action, className: "primary" });
    button.addEventListener("click", () => album.insist(photo));
    children.push(button);
  }
  notice.replaceChildren(...children);
}

function drawSpotList(photo) {
  const items = photo.hints.map((hint, index) => {
    const item = document.createElement("li"), button = document.createElement("button");
    button.type = "button";
    button.className = "chip";
    button.classList.toggle("selected", hint.id === selected);
    button.classList.toggle("open", !hint.color);
    if (hint.color) button.style.backgroundColor = hint.color;
    button.ariaLabel = hint.color ? text("spot", { number: index + 1, color: hint.color }) : text("spotAsk");
    button.addEventListener("click", () => select(hint.id));
    item.append(button);
    return item;
  });
  $("spot-list").replaceChildren(...items);
}

function drawLook(options) {
  const show = (id, value, words) => {
    $(id).value = value;
    document.querySelector(`output[for=${id}]`).textContent = words;
  };
  show("saturation", options.saturation, `${Math.round(100 * options.saturation)} %`);
  show("temperature", options.temperature, String(options.temperature));
  show("render-size", options.renderSize ?? engine.model.renderSize, `${options.renderSize ?? engine.model.renderSize}`);
  $("unlike").hidden = !options.like;
  $("like").textContent = options.like?.name ?? text("likeChoose");
}

start();
