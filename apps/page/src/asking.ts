// SPDX-License-Identifier: Apache-2.0
// Asking: questions go to a core in a Web Worker and come back as answers, so that the page stays in the hand meanwhile.
import type { Reply } from "./worker";

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
export interface Quantity {
  value: number;
  unit: string;
  floor?: number;
  ceiling?: number;
  low?: number;
  high?: number;
  source?: string;
}
export interface Explained {
  name: string;
  value: Quantity;
  formula?: string;
  source?: string;
  inputs?: Explained[];
}
export interface Used {
  value: Json;
  unit?: string;
  chosen_by: string;
  source?: string;
}
export interface Failure {
  where: string;
  what: string;
  remedy: string;
}
export interface Answer {
  question: string;
  inputs: Record<string, Used>;
  answer: any;
  explain: any;
  warnings: string[];
  error?: Failure;
}
export interface Question {
  question: string;
  inputs: Record<string, Json>;
}

export interface InputRow {
  name: string;
  kind: "text" | "model" | "count" | "number" | "quantity" | "choice" | "document";
  value: string;
  reason: string;
  summary: string;
  group: string;
  unit?: string;
  choices?: string;
  least?: number;
  most?: number;
}
export interface Table {
  name: string;
  summary: string;
  example: string;
  inputs: InputRow[];
}

declare const WORKER: string; // the worker's script, put in by build.mjs

// The bytes of a script of the page that holds them compressed.
export async function embedded(id: string): Promise<ArrayBuffer> {
  const text = document.getElementById(id)!.textContent!;
  const bytes = Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}

let compiled: Promise<WebAssembly.Module> | undefined;
const code = () => (compiled ??= embedded("core").then((bytes) => WebAssembly.compile(bytes)));

export class Asker {
  #worker: Worker | undefined;
  #next = 1;
  #waiting = new Map<number, { resolve: (text: string) => void; reject: (reason: Error) => void; progress?: (done: number) => void }>();

  async #start(): Promise<Worker> {
    const module = await code();
    if (this.#worker) return this.#worker;
    const url = URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" }));
    const worker = new Worker(url);
    URL.revokeObjectURL(url);
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      const one = this.#waiting.get(data.id);
      if (!one) return;
      if (data.progress !== undefined) return one.progress?.(data.progress);
      this.#waiting.delete(data.id);
      if (data.failed) one.reject(new Error(data.failed));
      else one.resolve(data.answer!);
    };
    worker.postMessage(module);
    return (this.#worker = worker);
  }

  async text(text: string, progress?: (done: number) => void): Promise<string> {
    const worker = await this.#start();
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject, ...(progress && { progress }) });
      worker.postMessage({ id, text });
    });
  }

  async ask(question: Question, progress?: (done: number) => void): Promise<Answer> {
    return JSON.parse(await this.text(JSON.stringify(question), progress));
  }

  // Ends what runs; the next question starts a new core.
  cancel(): void {
    this.#worker?.terminate();
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(new Error("cancelled"));
    this.#waiting.clear();
  }
}

export const core = new Asker();

// Of many questions one after the other, as a drag asks them, the one under way and the newest: those between are dropped.
export class Latest {
  #busy = false;
  #next: (() => Promise<void>) | undefined;
  async run(job: () => Promise<void>): Promise<void> {
    if (this.#busy) return void (this.#next = job);
    this.#busy = true;
    try {
      for (let now: (() => Promise<void>) | undefined = job; now; now = this.#next, this.#next = undefined) await now();
    } finally {
      this.#busy = false;
    }
  }
}
