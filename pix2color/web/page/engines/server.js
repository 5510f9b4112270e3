// The engine that sends photos to the server which gave this page; nothing is kept there.

const page = crypto.randomUUID?.() ?? String(Math.random()); // so that each page has its turn

export class Engine {
  /** Ask the server what it can do. */
  static async start() {
    const found = await (await call("api/model")).json();
    const engine = new Engine();
    engine.model = {
      name: found.name,
      renderSize: found.render_size,
      takesHints: found.takes_hints,
      givesDoubt: found.gives_doubt,
    };
    engine.limits = { fileBytes: found.file_bytes, pixels: found.pixels };
    return engine;
  }

  /** Return size, colour and a small upright version of a photo. */
  async look(file) {
    const found = await (await post("api/look", { photo: file })).json();
    const bytes = Uint8Array.from(atob(found.preview), c => c.charCodeAt(0));
    return {
      width: found.width,
      height: found.height,
      hasColor: found.has_color,
      colors: found.colors,
      notes: found.notes,
      preview: new Blob([bytes], { type: "image/jpeg" }),
    };
  }

  /** Return the small version in colour. */
  async preview(photo, options, hints) {
    const scale = await previewScale(photo);
    const small = hints.map(hint => ({ ...hint, x: hint.x * scale, y: hint.y * scale }));
    return this.#colorize(photo.preview, "preview.jpg", options, small);
  }

  /** Return the photo's file in colour. */
  async result(photo, options, hints) {
    return this.#colorize(photo.file, photo.name, options, hints);
  }

  /** Return where the model is least sure of its colours, in pixels of the photo. */
  async doubts(photo, hints) {
    const scale = await previewScale(photo);
    const small = hints.map(hint => ({ ...hint, x: hint.x * scale, y: hint.y * scale }));
    const fields = { photo: photo.preview, hints: JSON.stringify(small) };
    const spots = await (await post("api/doubt", fields)).json();
    return spots.map(spot => ({ x: spot.x / scale, y: spot.y / scale }));
  }

  /** Nothing is held for a photo. */
  forget() {}

  async #colorize(file, name, options, hints) {
    const fields = {
      photo: new File([file], name),
      saturation: options.saturation,
      temperature: options.temperature,
    };
    if (options.renderSize) fields.render_size = options.renderSize;
    if (options.like) fields.like = options.like;
    if (hints.length) fields.hints = JSON.stringify(hints);
    return (await post("api/colorize", fields)).blob();
  }
}

async function previewScale(photo) {
  photo.previewWidth ??= await createImageBitmap(photo.preview).then(picture => picture.width);
  return photo.previewWidth / photo.width;
}

async function post(address, fields) {
  const body = new FormData();
  for (const [name, value] of Object.entries(fields)) body.append(name, value);
  return call(address, { method: "POST", body, headers: { "X-Page": page } });
}

async function call(address, request) {
  let answer;
  try {
    answer = await fetch(address, request);
  } catch {
    throw new Error("The program that colours the photos has stopped. Start it again, then press Try again: your photos are still here.");
  }
  if (answer.ok) return answer;
  const text = await answer.text();
  let reason = text;
  try {
    reason = JSON.parse(text).error;
  } catch {} // refused before it came to the photos: plain text
  reason = reason.replace(/^[^:]*\.\w+: /, ""); // the photo's name, beside which it is shown
  throw new Error(reason.charAt(0).toUpperCase() + reason.slice(1));
}
