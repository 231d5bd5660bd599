/**
 * The administrator's long jobs. All need the admin scope.
 *
 *   POST /api/v1/admin/backup {path?}   → lines of JSON: {progress, done, total} while it runs, then {result} or {error}
 *   POST /api/v1/admin/restore {path}   → the same
 *   POST /api/v1/admin/reset {dataSources?}  → {"reset": true, "dataSources": false}
 */

import { AppError, toAppError } from '@glasshouse/model';
import type { Maintenance, OnProgress } from '../control/maintenance.ts';
import type { Principals } from '../control/principals.ts';
import { readBody } from '../http/body.ts';
import { credentialOf } from '../http/credential.ts';
import type { Exchange, Route } from '../http/router.ts';
import { failJson, sendJson } from '../http/router.ts';

const MAX_BODY_BYTES = 64 << 10;

/** Told how a job ended, because the status of an answer that has begun does not say it. */
export type OnEnd = (outcome: 'error' | 'ok', message?: string) => void;

export function maintenanceRoutes(
  maintenance: Maintenance,
  principals: Principals,
  onEnd: OnEnd = () => undefined,
): Route[] {
  const route = (name: string, act: (exchange: Exchange, wanted: Wanted) => Promise<void>): Route => ({
    method: 'POST',
    path: `/api/v1/admin/${name}`,
    fail: failJson,
    handle: async (exchange) => {
      await principals.resolve(credentialOf(exchange.request.headers), 'admin');
      await act(exchange, await readWanted(exchange));
    },
  });
  return [
    route('backup', (exchange, { path }) =>
      stream(exchange, 'copying', onEnd, (report) => maintenance.backup(path, report)),
    ),
    route('restore', (exchange, { path }) => {
      if (path === undefined)
        throw new AppError('bad_request', 'cannot restore: give the path of a backup as {"path": "…"}');
      return stream(exchange, 'reading', onEnd, (report) => maintenance.restore(path, report));
    }),
    route('reset', async ({ response }, { dataSources }) => {
      await maintenance.reset({ dataSources });
      sendJson(response, 200, { reset: true, dataSources });
    }),
  ];
}

/** What a body asks for. */
interface Wanted {
  readonly path: string | undefined;
  readonly dataSources: boolean;
}

async function readWanted({ request }: Exchange): Promise<Wanted> {
  const body = (await readBody(request, MAX_BODY_BYTES)).toString('utf8').trim();
  let value: unknown;
  try {
    value = body === '' ? {} : JSON.parse(body);
  } catch (cause) {
    throw new AppError('bad_request', 'cannot read the body: it is not JSON', { cause });
  }
  const { path, dataSources = false } = (value ?? {}) as { path?: unknown; dataSources?: unknown };
  if (path !== undefined && (typeof path !== 'string' || path === ''))
    throw new AppError('bad_request', 'cannot read path: it must be a text');
  if (typeof dataSources !== 'boolean')
    throw new AppError('bad_request', 'cannot read dataSources: it must be true or false');
  return { path, dataSources };
}

/** Runs a job and sends a line for each step. Once lines are out an error is one as well. */
async function stream(
  { response }: Exchange,
  progress: string,
  onEnd: OnEnd,
  run: (report: OnProgress) => Promise<object>,
): Promise<void> {
  const begin = (): void => {
    if (!response.headersSent) response.writeHead(200, { 'Content-Type': 'application/x-ndjson' });
  };
  const line = (value: object): string => `${JSON.stringify(value)}\n`;
  let last: string;
  try {
    const result = await run((step) => {
      begin();
      response.write(line({ progress, ...step }));
    });
    last = line({ result });
  } catch (thrown) {
    if (!response.headersSent) throw thrown;
    const error = toAppError(thrown).message;
    onEnd('error', error);
    last = line({ error });
  }
  begin();
  response.end(last);
}
