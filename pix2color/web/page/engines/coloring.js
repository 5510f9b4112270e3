/** Photos in colour: what the Worker does for the page, apart from talking to it. */

import { adjusted, statisticsOfRgb } from "./adjust.js";
import { doubtSpots, expectedError, VIEWS } from "./doubt.js";
import { resultKind, withMetadata } from "./files.js";
import { correctedByHints } from "./hint-correction.js";
import { halved, networkInputs, reducedPhoto } from "./network-input.js";
import { read, readThumbnail } from "./photo.js";
import { encoded, encodedBitmap } from "./pictures.js";
import { chromaMaps, Recomposed } from "./recompose.js";
import { BICUBIC, reduced, rounded } from "./resize.js";
import { UserError } from "./user-error.js";

const PREVIEW_SIDE = 1280;
const PREVIEW_KIND = "image/jpeg";

/** Colours photos by a network; of each it keeps what a preview takes, until it is forgotten. */
export class Coloring {
  #photos = new Map(); // by the page's number
  #latest = null; // {number, gray, alpha}: one photo at full size

  constructor(network) {
    this.network = network;
  }

  /** Decode a photo; return what the page needs to know of it. */
  async look(number, file) {
    const { gray, hasColor, colors, notes, bitmap } = await this.#decode(number, file);
    const { width, height } = gray;
    const small = this.#photos.get(number).small;
    const preview = hasColor
      ? await encodedBitmap(bitmap, small, PREVIEW_KIND)
      : await encoded(small, null, PREVIEW_KIND);
    bitmap.close();
    return { width, height, hasColor, colors, notes, preview };
  }

  /** Return the small version of a photo in colour. */
  async preview(number, file, options, hints) {
    const maps = await this.#maps(number, file, options, hints);
    const { small } = this.#photos.get(number);
    return encoded(small, new Recomposed(small, maps), PREVIEW_KIND);
  }

  /** Return the places of a photo that the network doubts most. */
  async doubts(number, file, hints) {
    if (!this.network.model.givesDoubt) return [];
    const views = [];
    for (const view of VIEWS) views.push(await this.#view(number, file, hints, view));
    return doubtSpots(expectedError(views), this.#photos.get(number).size, hints);
  }

  /** Return the colour version of a photo's file. */
  async result(number, file, options, hints) {
    const maps = await this.#maps(number, file, options, hints);
    const { gray, alpha } = await this.#full(number, file);
    const original = new Uint8Array(await file.arrayBuffer());
    const kind = resultKind(original);
    const blob = await encoded(gray, new Recomposed(gray, maps), kind, alpha);
    const colored = new Uint8Array(await blob.arrayBuffer());
    return new Blob([withMetadata(colored, original)], { type: kind });
  }

  /** Return the statistics of a colour photo that others are to be like. */
  async statistics(file) {
    const found = statisticsOfRgb(await readThumbnail(file));
    if (!found) throw new UserError("A gray picture has no colours to take over.");
    return found;
  }

  /** Free what is kept of a photo. */
  forget(number) {
    this.#photos.delete(number);
    if (this.#latest?.number === number) this.#latest = null;
  }

  async #maps(number, file, options, hints) {
    const { picture, ab } = await this.#predicted(number, file, options.renderSize, hints);
    const seen = halved(picture.data, 1, picture.width, picture);
    const [width, height] = [picture.width, picture.height].map((side) => Math.ceil(side / 2));
    const gray = { data: Uint8Array.from(seen, Math.floor), width, height };
    return chromaMaps(gray, adjusted(ab, options));
  }

  /** Return what the network saw of a photo and said to it; the last answer is kept. */
  async #predicted(number, file, renderSize, hints) {
    const size = renderSize ?? this.network.model.renderSize;
    const picture = await this.#reduced(number, file, size);
    const photo = this.#photos.get(number);
    const asked = JSON.stringify([size, hints]);
    if (photo.answer?.asked !== asked) {
      const inputs = networkInputs(picture, photo.size, hints);
      const { ab } = await this.#answer(inputs);
      photo.answer = { asked, picture, ab: halved(ab, 2, inputs.width, picture) };
    }
    return photo.answer;
  }

  async #answer(inputs) {
    const { ab, doubt } = await this.network.run(inputs);
    return { ab: correctedByHints(ab, inputs), doubt };
  }

  /** Return what the network says of a smaller, larger or mirrored version: {a, b, doubt, L}. */
  async #view(number, file, hints, { share, mirrored }) {
    const picture = await this.#reduced(number, file, this.network.model.renderSize);
    const size = Math.min(picture.width, picture.height);
    let seen = picture;
    if (share !== 1) seen = await this.#reduced(number, file, rounded(share * size));
    const { size: photo } = this.#photos.get(number);
    const inputs = mirrored
      ? networkInputs(mirror(seen), photo, hints.map((hint) => mirrorHint(hint, photo)))
      : networkInputs(seen, photo, hints);
    const { ab, doubt } = await this.#answer(inputs);
    const planes = [ab.subarray(0, ab.length / 2), ab.subarray(ab.length / 2), doubt, inputs.L];
    const [a, b, said, L] = planes.map((plane) => {
      const shown = cropped(plane, inputs.width, seen);
      return mirrored ? mirror(shown) : shown;
    });
    return { a, b, doubt: said, L };
  }

  async #reduced(number, file, renderSize) {
    if (!this.#photos.get(number)?.reduced.has(renderSize)) {
      const { gray } = await this.#full(number, file);
      this.#photos.get(number).reduced.set(renderSize, reducedPhoto(gray, renderSize));
    }
    return this.#photos.get(number).reduced.get(renderSize);
  }

  async #full(number, file) {
    if (this.#latest?.number !== number) (await this.#decode(number, file)).bitmap.close();
    return this.#latest;
  }

  async #decode(number, file) {
    this.#latest = null; // so that its memory is free for the next
    const photo = await read(file);
    const { gray, alpha } = photo;
    this.#latest = { number, gray, alpha };
    const { width, height } = gray;
    const { renderSize } = this.network.model;
    if (!this.#photos.has(number)) {
      this.#photos.set(number, {
        size: { width, height },
        small: reducedTo(gray, PREVIEW_SIDE),
        reduced: new Map([[renderSize, reducedPhoto(gray, renderSize)]]),
      });
    }
    return photo;
  }
}

/** Return the part of a padded plane that belongs to the picture. */
function cropped(plane, stride, { width, height }) {
  const data = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    data.set(plane.subarray(y * stride, y * stride + width), y * width);
  }
  return { data, width, height };
}

/** Return a plane as it is in a mirror. */
function mirror({ data, width, height }) {
  const flipped = data.slice();
  for (let y = 0; y < height; y++) flipped.subarray(y * width, (y + 1) * width).reverse();
  return { data: flipped, width, height };
}

function mirrorHint({ x, ...hint }, { width }) {
  return { ...hint, x: Math.max(0, width - 1 - x) };
}

/** Return a gray picture whose longer side is at most `side`. */
function reducedTo(gray, side) {
  const scale = side / Math.max(gray.width, gray.height);
  if (scale >= 1) return gray;
  const [width, height] = [gray.width, gray.height].map((s) => Math.max(1, rounded(s * scale)));
  return reduced(gray, width, height, BICUBIC);
}
