/** The files that the network takes: fetched with progress, checked, and kept for later visits. */

import { UserError } from "./user-error.js";

const SITE = new URL("../", import.meta.url);
const CACHE = "pix2color"; // that of the service worker, which has these files from here
const CHANGED = "The model was not loaded as it should be; load the page again.";

/** Return {model, files}: what model.json says, and bytes by name; `onProgress(loaded, total)`. */
export async function loaded(onProgress) {
  const model = await (await fetched("model.json")).json();
  const names = Object.keys(model.files);
  const total = names.reduce((sum, name) => sum + model.files[name].bytes, 0);
  let done = 0;
  const more = (bytes) => onProgress((done += bytes), total);
  const contents = await Promise.all(names.map((name) => whole(name, model.files[name], more)));
  return { model, files: new Map(names.map((name, i) => [name, contents[i]])) };
}

/** Keep files that were loaded, so that the service worker need not fetch them once more. */
export async function keep(model, files) {
  try {
    const cache = await caches.open(CACHE);
    for (const [name, content] of files) {
      const address = new URL(`${name}?${model.files[name].sha256}`, SITE);
      if (!(await cache.match(address))) await cache.put(address, new Response(content));
    }
  } catch (error) {
    console.debug("nothing is kept:", error); // no room, or not allowed: it works without
  }
}

async function whole(name, { bytes, sha256 }, more) {
  const content = await bytesOf(name, bytes, more);
  // A file of an older version may still be in the browser. Only https has `crypto`.
  if (self.crypto.subtle && (await hashOf(content)) !== sha256) throw new UserError(CHANGED);
  return content;
}

async function bytesOf(name, size, more) {
  const reader = (await fetched(name)).body.getReader();
  const content = new Uint8Array(size);
  let at = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    if (at + value.length > size) throw new UserError(CHANGED);
    content.set(value, at);
    at += value.length;
    more(value.length);
  }
  if (at < size) throw new UserError(CHANGED);
  return content;
}

async function fetched(name) {
  let answer = null;
  try {
    answer = await fetch(new URL(name, SITE));
  } catch {} // the network is away
  if (!answer?.ok) throw new UserError("The model could not be loaded. Is there a connection?");
  return answer;
}

async function hashOf(content) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
