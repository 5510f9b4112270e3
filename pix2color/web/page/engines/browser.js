// The engine that colours photos inside the browser; they do not leave it.

const FILE_BYTES = 100_000_000;
const PIXELS = 50_000_000;

export class Engine {
  local = true; // photos stay in the browser
  #worker = new Worker(new URL("worker.js", import.meta.url), { type: "module" });
  #waiting = new Map();
  #numbers = new WeakMap(); // of photos, by their previews, which belong to them alone
  #statistics = new WeakMap(); // of reference photos
  #last = 0;

  /** Load the network; `onProgress(loadedBytes, totalBytes)` is told how far it is. */
  static async start(onProgress = () => {}) {
    const engine = new Engine();
    engine.#listen(onProgress);
    const { name, renderSize, takesHints, givesDoubt } = await engine.#ask("start");
    engine.model = { name, renderSize, takesHints, givesDoubt };
    engine.limits = { fileBytes: FILE_BYTES, pixels: PIXELS };
    engine.#ask("keep").then(workOffline, console.warn);
    return engine;
  }

  /** Return size, colour and a small upright version of a photo. */
  async look(file) {
    const number = ++this.#last;
    const found = await this.#ask("look", number, file);
    this.#numbers.set(found.preview, number);
    return found;
  }

  /** Return the small version in colour. */
  async preview(photo, options, hints) {
    return this.#ask("preview", ...this.#known(photo), await this.#adjustments(options), hints);
  }

  /** Return where the model is least sure of its colours, in pixels of the photo. */
  async doubts(photo, hints) {
    return this.#ask("doubts", ...this.#known(photo), hints);
  }

  /** Return the photo's file in colour. */
  async result(photo, options, hints) {
    return this.#ask("result", ...this.#known(photo), await this.#adjustments(options), hints);
  }

  /** Free what is kept of a photo. */
  forget(photo) {
    const number = this.#numbers.get(photo.preview);
    if (number) this.#ask("forget", number);
  }

  #known(photo) {
    if (!this.#numbers.has(photo.preview)) this.#numbers.set(photo.preview, ++this.#last);
    return [this.#numbers.get(photo.preview), photo.file];
  }

  async #adjustments({ saturation = 1, temperature = 0, renderSize = null, like = null }) {
    if (like && !this.#statistics.has(like)) {
      this.#statistics.set(like, await this.#ask("statistics", like));
    }
    const statistics = like && this.#statistics.get(like);
    return { saturation, temperature, renderSize, statistics };
  }

  #ask(task, ...given) {
    return new Promise((resolve, reject) => {
      const id = ++this.#last;
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, task, given });
    });
  }

  #listen(onProgress) {
    this.#worker.onmessage = ({ data: { id, value, error, progress } }) => {
      if (progress) return void onProgress(...progress);
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error) waiting?.reject(new Error(error));
      else waiting?.resolve(value);
    };
    this.#worker.onerror = () => {
      const error = new Error("This browser cannot colour photos by itself; a newer one can.");
      for (const { reject } of this.#waiting.values()) reject(error);
      this.#waiting.clear();
    };
  }
}

/** Let the page work without a network from the next visit on. */
function workOffline() {
  const address = new URL("../service-worker.js", import.meta.url);
  navigator.serviceWorker?.register(address).catch((error) => console.warn(error.message));
}
