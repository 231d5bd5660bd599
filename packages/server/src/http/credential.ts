/**
 * Finding the credential in a request: every way that existing clients send one. What it may do is decided elsewhere.
 *
 * Must stay true: a secret is returned to the caller and to nobody else; it goes into no log and no error.
 */

import type { IncomingHttpHeaders } from 'node:http';

/**
 * The secret of a request: `Authorization: Bearer`, Basic (the password), `X-API-Key`, ClickHouse's `X-ClickHouse-Key` header
 * and `password` parameter, or Tinybird's `token` parameter. Undefined if there is none, or only an empty one.
 */
export function credentialOf(headers: IncomingHttpHeaders, query?: URLSearchParams): string | undefined {
  const authorization = headers.authorization;
  if (authorization !== undefined) {
    const [scheme = '', value = ''] = authorization.split(' ', 2);
    if (scheme.toLowerCase() === 'bearer') return value || undefined;
    if (scheme.toLowerCase() === 'basic') {
      const decoded = Buffer.from(value, 'base64').toString();
      return decoded.slice(decoded.indexOf(':') + 1) || undefined;
    }
  }
  for (const name of ['x-api-key', 'x-clickhouse-key']) {
    const value = headers[name];
    if (typeof value === 'string' && value !== '') return value;
  }
  return query?.get('token') || query?.get('password') || undefined;
}
