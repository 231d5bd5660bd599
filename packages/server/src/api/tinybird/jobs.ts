/** Jobs of a workspace (https://www.tinybird.co/docs/api-reference/jobs-api): listed, shown, cancelled. */

import type { Job } from '../../platform/jobs.ts';
import type { Platform } from '../../platform/platform.ts';
import { demand } from '../../platform/principal.ts';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import { baseUrl, guarded } from './call.ts';
import { timeText } from './times.ts';

export function jobRoutes(platform: Platform): Route[] {
  const { jobs } = platform;
  return [
    guarded(platform, 'GET', '/v0/jobs', async (call) => {
      const { principal, response, query } = call;
      demand(principal, 'ADMIN');
      const kind = query.get('kind');
      const status = query.get('status');
      const found = (await jobs.list(principal.tenant)).filter(
        (job) => (kind === null || job.kind === kind) && (status === null || job.status === status),
      );
      sendJson(response, 200, { jobs: found.map((job) => shownJob(job, baseUrl(call))) });
    }),
    // Whoever knows the id was told it, or may list it.
    guarded(platform, 'GET', '/v0/jobs/:id', async (call) => {
      const { principal, response, params } = call;
      const job = await jobs.get(principal.tenant, params['id'] ?? '');
      sendJson(response, 200, shownJob(job, baseUrl(call)));
    }),
    guarded(platform, 'POST', '/v0/jobs/:id/cancel', async (call) => {
      const { principal, response, params } = call;
      demand(principal, 'ADMIN');
      const job = await jobs.cancel(principal.tenant, params['id'] ?? '');
      sendJson(response, 200, shownJob(job, baseUrl(call)));
    }),
  ];
}

/** A job as clients read it. */
export function shownJob(job: Job, base: string): Readonly<Record<string, unknown>> {
  const { id, kind, status, progress, details, error } = job;
  return {
    kind,
    id,
    job_id: id,
    job_url: `${base}/v0/jobs/${id}`,
    status,
    created_at: timeText(job.createdAt),
    updated_at: timeText(job.updatedAt),
    started_at: timeText(job.createdAt),
    is_cancellable: status === 'waiting' || status === 'working',
    progress_percentage: Math.round(progress),
    ...details,
    ...(kind === 'import' ? importFields(job) : job.result),
    ...(error === '' ? {} : { error, errors: [error] }),
  };
}

function importFields({ status, result }: Job): object {
  const counts = result as Partial<ImportCounts>;
  return {
    block_log: [],
    blocks: status === 'done' ? blocksOf(counts) : [],
    ...(status === 'done' ? countFields(counts) : {}),
  };
}

export interface ImportCounts {
  readonly successfulRows: number;
  readonly quarantinedRows: number;
  readonly bytes: number;
  readonly seconds: number;
}

/** Rows of an import, under every name that clients look for. */
export function countFields({ successfulRows = 0, quarantinedRows = 0 }: Partial<ImportCounts>): object {
  return {
    successful_rows: successfulRows,
    quarantined_rows: quarantinedRows,
    quarantine_rows: quarantinedRows,
    invalid_lines: 0,
  };
}

/** An import as one block: clients add the blocks up. */
export function blocksOf({
  successfulRows = 0,
  quarantinedRows = 0,
  bytes = 0,
  seconds = 0,
}: Partial<ImportCounts>): object[] {
  const counts = { lines: successfulRows, quarantine: quarantinedRows, bytes, invalid_lines: 0, empty_lines: 0 };
  return [
    { block_id: '0', process_return: [{ ...counts, parser: 'native', time: seconds }], processing_time: seconds },
  ];
}
