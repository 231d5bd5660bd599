/** Answers a browser that asks, before a page sends, whether it may. */

import type { Exchange } from './router.ts';

export function preflight({ request, response }: Exchange): void {
  response.writeHead(204, {
    'Access-Control-Allow-Origin': '*',
    'Access-Control-Allow-Methods': 'POST, OPTIONS',
    'Access-Control-Allow-Headers': request.headers['access-control-request-headers'] ?? 'content-type, authorization',
    'Access-Control-Max-Age': '86400',
  });
  response.end();
}
