// SPDX-License-Identifier: Apache-2.0
// A Web Worker that holds one core: questions in, answers out, one at a time.
import { start, type Core } from "./core";

export interface Request {
  id: number;
  text: string;
}
export interface Reply {
  id: number;
  answer?: string;
  progress?: number;
  failed?: string;
}

let core: Promise<Core> | undefined;
let asked = 0;
let quiet = 0; // until when no progress is told
const post = (reply: Reply) => (self as unknown as Worker).postMessage(reply);

self.onmessage = async ({ data }: MessageEvent<WebAssembly.Module | Request>) => {
  if (data instanceof WebAssembly.Module) {
    core = start(data, (progress) => {
      if (performance.now() < quiet) return;
      quiet = performance.now() + 100;
      post({ id: asked, progress });
    });
    return;
  }
  try {
    const ready = await core!;
    asked = data.id;
    post({ id: data.id, answer: data.text === "tables" ? ready.tables() : ready.ask(data.text) });
  } catch (error) {
    post({ id: data.id, failed: String(error) });
  }
};
