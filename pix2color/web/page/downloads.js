// Files that go out: one photo, all of them, marks.

import { given } from "./album.js";
import { stemOf } from "./marks.js";
import { freeName, zip } from "./zip.js";

const ENDINGS = {
  "image/jpeg": [/\.jpe?g$/i, ".jpg"],
  "image/png": [/\.png$/i, ".png"],
  "image/tiff": [/\.tiff?$/i, ".tif"],
  "image/webp": [/\.webp$/i, ".webp"],
};

/** Save the finished photo. */
export async function savePhoto(album, photo) {
  const blob = await album.result(photo);
  save(blob, resultName(photo.name, blob.type));
}

/** Save all that is coloured in one ZIP file, with the files of their marks. */
export async function saveAll(album, marks) {
  const files = [], taken = new Set();
  for (const photo of album.photos.filter(photo => photo.afterURL && photo.state === "done")) {
    const blob = await album.result(photo);
    const name = freeName(resultName(photo.name, blob.type), taken);
    files.push({ name, blob });
    if (given(photo).length) files.push(marks.file({ ...photo, name }));
  }
  save(await zip(files), "pix2color.zip");
}

/** Hand a file to the browser's downloads. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** Return the photo's name; its ending may have to change with the format. */
function resultName(name, type) {
  const [usual, ending] = ENDINGS[type] ?? [/$/, ""];
  return usual.test(name) ? name : stemOf(name) + ending;
}
