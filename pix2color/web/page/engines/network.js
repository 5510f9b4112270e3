/** The network, run by onnxruntime-web. */

import * as ort from "../onnxruntime/ort.wasm.bundle.min.mjs";
import { UserError } from "./user-error.js";

const MOST_THREADS = 8; // more wait for each other

/** A network that was started; `model` is what the site's model.json says of it. */
export class Network {
  /** Start it from the bytes of its files, by name; the runtime is given as bytes, too. */
  static async start(model, files) {
    const many = self.crossOriginIsolated ? (navigator.hardwareConcurrency ?? 1) : 1;
    ort.env.wasm.numThreads = Math.min(MOST_THREADS, many);
    ort.env.wasm.wasmBinary = files.get(model.runtime);
    ort.env.logLevel = "error";
    const externalData = model.weights
      ? [{ path: model.weights.split("/").pop(), data: files.get(model.weights) }]
      : [];
    const session = await ort.InferenceSession.create(files.get(model.graph), {
      executionProviders: ["wasm"],
      externalData,
    });
    return new Network(model, session);
  }

  constructor(model, session) {
    this.model = model;
    this.session = session;
  }

  /** Return {ab, doubt} of the tensors that `networkInputs` makes; doubt only if there is one. */
  async run({ L, hints, width, height }) {
    const feeds = { L: new ort.Tensor("float32", L, [1, 1, height, width]) };
    if (this.model.takesHints) {
      feeds.hints = new ort.Tensor("float32", hints, [1, 3, height, width]);
    }
    let found;
    try {
      found = await this.session.run(feeds);
    } catch (error) {
      console.error(error);
      throw new UserError("This browser has too little memory for that; choose less detail.");
    }
    if (!Number.isFinite(found.ab.data.reduce((sum, value) => sum + value, 0))) {
      throw new UserError("The model gave no colours for this photo.");
    }
    return { ab: found.ab.data, doubt: found.doubt?.data };
  }
}
