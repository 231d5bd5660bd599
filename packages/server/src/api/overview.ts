/**
 * The overview page: what arrived in the last hour, for a browser that opens the main port. One static file that asks
 * `/v0/sql` like everybody else; it knows no secret and needs none while authentication is open.
 */

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Exchange, Handler } from '../http/router.ts';

/** Answers a browser with the page, and everybody else as `otherwise` does: `/` is also ClickHouse's interface. */
export function overviewOr(otherwise: Handler): Handler {
  const page = readFileSync(new URL('../../assets/overview.html', import.meta.url));
  const script = /<script>([^]*?)<\/script>/.exec(page.toString('utf8'))?.[1] ?? '';
  const hash = createHash('sha256').update(script).digest('base64');
  const headers = {
    'Content-Type': 'text/html; charset=utf-8',
    'Content-Length': page.length,
    'Content-Security-Policy': `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${hash}'; connect-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'`,
    'X-Content-Type-Options': 'nosniff',
    'Referrer-Policy': 'no-referrer',
  };
  return (exchange: Exchange) => {
    const { request, response, query } = exchange;
    if (query.has('query') || !/text\/html/.test(request.headers.accept ?? '')) return otherwise(exchange);
    response.writeHead(200, headers);
    response.end(page);
    return undefined;
  };
}
