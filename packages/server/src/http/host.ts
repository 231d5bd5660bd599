/**
 * The guard of open authentication against web pages. A listener on loopback is out of reach for other machines, but not for
 * a browser on this one: a page can have its own name resolve to 127.0.0.1 and then read what is served there as if it were
 * its own (DNS rebinding). Such a request still says the page's name in its Host header.
 */

import type { RequestListener } from 'node:http';
import { sendJson } from './router.ts';

const LOOPBACK = /^(localhost|.*\.localhost|127(\.\d{1,3}){3}|\[::1\]|::1)$/i;

/** Passes on requests that were meant for this machine by name, or name no host at all. */
export function loopbackHostOnly(listener: RequestListener): RequestListener {
  return (request, response) => {
    const host = request.headers.host;
    const name = host?.replace(/:\d*$/, '') ?? '';
    if (name === '' || LOOPBACK.test(name)) {
      listener(request, response);
      return;
    }
    sendJson(response, 421, {
      error: `cannot answer for Host=${host}: without API keys this server answers for localhost and 127.0.0.1 only; set GLASSHOUSE_AUTH=keys to use other names`,
    });
    request.resume();
  };
}
