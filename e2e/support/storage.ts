/**
 * Somebody else's storage: files behind HTTP addresses of this machine, for imports by URL. A server reads them only if its
 * settings name this storage, because its address is not public.
 */

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Storage {
  /** Host and port, as `GLASSHOUSE_IMPORT_ALLOW` takes them. */
  readonly place: string;
  /** Keeps a file and returns its URL. */
  put(name: string, body: string): string;
  close(): Promise<void>;
}

/** Starts a storage without files on a free port. */
export async function startStorage(): Promise<Storage> {
  const files = new Map<string, string>();
  const server = createServer(({ url = '' }, response) => {
    const body = files.get(url);
    response.writeHead(body === undefined ? 404 : 200).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const place = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    place,
    put: (name, body) => {
      files.set(`/${name}`, body);
      return `http://${place}/${name}`;
    },
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}
