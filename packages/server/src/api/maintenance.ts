/**
 * The administrator's long jobs. All need the admin scope.
 *
 *   POST /api/v1/admin/backup {path?}   → lines of JSON: {progress, done, total} while it runs, then {result} or {error}
 *   POST /api/v1/admin/restore {path}   → the same
 *   POST /api/v1/admin/reset {}         → {"reset": true}
 */

import { AppError, toAppError } from '@glasshouse/model';
import type { Maintenance, OnProgress } from '../control/maintenance.ts';
import type { Principals } from '../control/principals.ts';
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson, sendJson } from '../http/router.ts';

const MAX_BODY_BYTES = 64 << 10;

export function maintenanceRoutes(maintenance: Maintenance, principals: Principals): Route[] {
  const route = (name: string, act: (exchange: Exchange, path: string | undefined) => Promise<void>): Route => ({
    method: 'POST',
    path: `/api/v1/admin/${name}`,
    fail: failJson,
    handle: async (exchange) => {
      await principals.resolve(credentialOf(exchange.request.headers), 'admin');
      await act(exchange, await readPath(exchange));
    },
  });
  return [
    route('backup', (exchange, path) => stream(exchange, 'copying', (report) => maintenance.backup(path, report))),
    route('restore', (exchange, path) => {
      if (path === undefined)
        throw new AppError('bad_request', 'cannot restore: give the path of a backup as {"path": "…"}');
      return stream(exchange, 'reading', (report) => maintenance.restore(path, report));
    }),
    route('reset', async ({ response }) => {
      await maintenance.reset();
      sendJson(response, 200, { reset: true });
    }),
  ];
}

async function readPath({ request }: Exchange): Promise<string | undefined> {
  const body = (await readBody(request, MAX_BODY_BYTES)).toString('utf8').trim();
  let value: unknown;
  try {
    value = body === '' ? {} : JSON.parse(body);
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  const path = (value as { path?: unknown } | null)?.path;
  if (path === undefined) return undefined;
  if (typeof path === 'string' && path !== '') return path;
  throw new AppError('bad_request', 'cannot read path: it must be a text');
}

/** Runs a job and sends a line for each step. Once lines are out an error is one as well. */
async function stream(
  { response }: Exchange,
  progress: string,
  run: (report: OnProgress) => Promise<object>,
): Promise<void> {
  const line = (value: object): void => {
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
    response.write(`${JSON.stringify(value)}\n`);
  };
  try {
    line({ result: await run((step) => line({ progress, ...step })) });
  } catch (error) {
    if (!response.headersSent) throw error;
    line({ error: toAppError(error).message });
  }
  response.end();
}
