// SPDX-License-Identifier: Apache-2.0
// The core: fareline compiled to WebAssembly. In: a question as text; out: its answer as text, the same bytes as the command line's.

interface Exports {
  memory: WebAssembly.Memory;
  _initialize(): void;
  room(bytes: number): number;
  ask(question: number, bytes: number, watched: number): number;
  tables(): number;
  answered(): number;
}

export interface Core {
  ask(question: string): string;
  tables(): string;
}

// The system calls that Debian's C library links: nothing is read, written or known of the machine.
const unavailable = 52; // ENOSYS of WASI
const system = (memory: () => DataView): Record<string, (...args: number[]) => number> => ({
  environ_sizes_get(count, bytes) {
    memory().setUint32(count!, 0, true);
    memory().setUint32(bytes!, 0, true);
    return 0;
  },
  environ_get: () => 0,
  proc_exit(code) {
    throw new Error(`the core stopped with ${code}`);
  },
});

// `progress` is told, while a long question is answered, what share of the answer is there.
export async function start(code: WebAssembly.Module | BufferSource, progress?: (done: number) => void): Promise<Core> {
  let exports: Exports;
  const calls = system(() => new DataView(exports.memory.buffer));
  const any = new Proxy(calls, { get: (known, name: string) => known[name] ?? (() => unavailable) });
  const module = code instanceof WebAssembly.Module ? code : await WebAssembly.compile(code);
  const instance = await WebAssembly.instantiate(module, {
    wasi_snapshot_preview1: any,
    page: { progress: progress ?? (() => {}) },
  } as unknown as WebAssembly.Imports);
  exports = instance.exports as unknown as Exports;
  exports._initialize();
  const read = (at: number) => new TextDecoder().decode(new Uint8Array(exports.memory.buffer, at, exports.answered()));
  return {
    ask(question) {
      const bytes = new TextEncoder().encode(question);
      const at = exports.room(bytes.length);
      new Uint8Array(exports.memory.buffer, at, bytes.length).set(bytes);
      return read(exports.ask(at, bytes.length, progress ? 1 : 0));
    },
    tables: () => read(exports.tables()),
  };
}
