/**
 * Node's `http` module, as a value. Separate because of what `import … from 'node:http'` does: it reads every export for its
 * namespace, and those of `WebSocket` and `fetch` load a client of 760 KB of source: 5 MB of each process, for nothing here.
 */

export const nodeHttp = process.getBuiltinModule('node:http');
