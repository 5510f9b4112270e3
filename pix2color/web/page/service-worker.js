/**
 * Keeps the page's files, so that it works without a network after the first visit.
 *
 * It also adds headers, which not every host can send: they let the page use several threads, and
 * keep it from asking any other machine for anything.
 */

const SITE = { policy: "", files: {} }; // hashes by name; written by pix2color/web/site.py
const CACHE = "pix2color"; // files under name and hash: those that stay the same are kept
const HEADERS = {
  "Content-Security-Policy": SITE.policy,
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

self.addEventListener("install", (event) => event.waitUntil(keepAll()));
self.addEventListener("activate", (event) => event.waitUntil(dropOthers()));
self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && url.startsWith(self.registration.scope)) {
    event.respondWith(answer(new URL(url)));
  }
});

async function keepAll() {
  const cache = await caches.open(CACHE);
  await Promise.all(Object.keys(SITE.files).map((name) => keep(cache, name)));
}

async function keep(cache, name) {
  if (await cache.match(key(name))) return;
  const found = await fetch(name, { cache: "no-cache" });
  if (!found.ok) throw new Error(`${name}: ${found.status}`);
  const sum = await crypto.subtle.digest("SHA-256", await found.clone().arrayBuffer());
  const hex = Array.from(new Uint8Array(sum), (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (hex !== SITE.files[name]) throw new Error(`${name}: is not what the site holds`);
  await cache.put(key(name), found);
}

/** Remove the files of older versions, which no page uses any more. */
async function dropOthers() {
  const cache = await caches.open(CACHE);
  const ours = new Set(Object.keys(SITE.files).map(key));
  const { scope } = self.registration; // another site may share the host, and so the cache
  const all = (await cache.keys()).filter(({ url }) => url.startsWith(scope));
  await Promise.all(all.filter(({ url }) => !ours.has(url)).map(({ url }) => cache.delete(url)));
}

async function answer(address) {
  const path = address.href.slice(self.registration.scope.length).split(/[?#]/)[0];
  const name = path || "index.html";
  const cache = await caches.open(CACHE);
  const found = (SITE.files[name] && (await cache.match(key(name)))) ?? (await fetch(address));
  const headers = new Headers(found.headers);
  headers.set("Content-Type", typeOf(name) ?? headers.get("Content-Type"));
  for (const [header, value] of Object.entries(HEADERS)) headers.set(header, value);
  return new Response(found.body, { status: found.status, statusText: found.statusText, headers });
}

/** Return the type of a file that the page itself has kept, without the host's headers. */
function typeOf(name) {
  if (name.endsWith(".wasm")) return "application/wasm";
  return /\.(onnx|safetensors)$/.test(name) ? "application/octet-stream" : null;
}

function key(name) {
  return new URL(`${name}?${SITE.files[name]}`, self.registration.scope).href;
}
