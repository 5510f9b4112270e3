/** The Worker in which photos are coloured, so that the page stays quick. */

import { Coloring } from "./coloring.js";
import { keep, loaded } from "./load.js";
import { Network } from "./network.js";
import { checkPixels } from "./photo.js";
import { UserError } from "./user-error.js";

const UNEXPECTED = "This browser could not do it; another one, or a newer version, may.";

let coloring = null;
let fresh = null; // what was loaded, until it is kept
let turn = Promise.resolve(); // one task after another: each takes all cores, and much memory

const tasks = {
  start: async () => {
    checkPixels();
    const { model, files } = await loaded((...bytes) => self.postMessage({ progress: bytes }));
    coloring = new Coloring(await Network.start(model, files));
    fresh = { model, files };
    return model;
  },
  keep: async () => {
    await keep(fresh.model, fresh.files);
    fresh = null; // they take as much memory as the network
  },
  look: (...given) => coloring.look(...given),
  preview: (...given) => coloring.preview(...given),
  doubts: (...given) => coloring.doubts(...given),
  result: (...given) => coloring.result(...given),
  statistics: (...given) => coloring.statistics(...given),
  forget: (...given) => coloring.forget(...given),
};

self.onmessage = ({ data: { id, task, given } }) => {
  turn = turn.then(() => answer(id, task, given));
};

async function answer(id, task, given) {
  try {
    self.postMessage({ id, value: await tasks[task](...given) });
  } catch (error) {
    if (!(error instanceof UserError)) console.error(error);
    self.postMessage({ id, error: error instanceof UserError ? error.message : UNEXPECTED });
  }
}
