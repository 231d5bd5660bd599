/**
 * `POST /v0/analyze`: the schema that would hold the rows of a file, and what the first of them would look like
 * (https://www.tinybird.co/docs/api-reference/analyze-api). The file comes as the body, in a form, or from a URL.
 *
 * Must stay true: nothing is made, and nothing stays. Who may make no data source is refused before the body is read, and the
 * server fetches nothing for them.
 */

import { AppError } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import { parseUrl } from '../../platform/fetch-guard.ts';
import type { FileDescription } from '../../platform/import-describe.ts';
import { describeFile } from '../../platform/import-describe.ts';
import type { Imports } from '../../platform/import.ts';
import type { Platform } from '../../platform/platform.ts';
import { demand } from '../../platform/principal.ts';
import type { Call } from './call.ts';
import { guarded } from './call.ts';
import { dialectOf, receiveUpload, saidFormat } from './upload.ts';

export interface AnalyzeParts {
  readonly platform: Platform;
  readonly imports: Imports;
  /** Largest upload. */
  readonly maxImportBytes: number;
}

export function analyzeRoutes(parts: AnalyzeParts): Route[] {
  return [guarded(parts.platform, 'POST', '/v0/analyze', (call) => analyze(parts, call))];
}

async function analyze(parts: AnalyzeParts, call: Call): Promise<void> {
  demand(call.principal, 'DATASOURCES:CREATE');
  const gone = new AbortController();
  call.response.once('close', () => gone.abort());
  sendJson(call.response, 200, await analysisOf(parts, call, gone.signal));
}

/** The answer; what was sent or fetched for it is gone when it is there. */
async function analysisOf(
  { imports: { samples }, maxImportBytes }: AnalyzeParts,
  call: Call,
  signal: AbortSignal,
): Promise<object> {
  const upload = await receiveUpload(call, { spool: samples, maxBytes: maxImportBytes, jsonIsData: true });
  let { file } = upload;
  try {
    const { fields, filename } = upload;
    const url = fields.get('url') || undefined;
    const form = { format: saidFormat(fields.get('format'), url ?? filename), dialect: dialectOf(fields) };
    const startedAt = performance.now();
    if (url !== undefined) {
      await file?.dispose();
      file = await samples.fetch(parseUrl(url).href, signal);
    }
    if (file === undefined)
      throw new AppError('bad_request', 'cannot guess a schema: there is no data; send a file, or url=');
    const description = await describeFile(samples, file, form, signal);
    const elapsed = (performance.now() - startedAt) / 1000;
    return answerOf(description, { elapsed, rows_read: description.rows, bytes_read: file.bytes });
  } finally {
    await file?.dispose();
  }
}

/** In Tinybird's shape. Its command lines make a data file of `schema`: a line ends where a comma and a blank stand. */
function answerOf({ columns, schema, preview }: FileDescription, statistics: object): object {
  return {
    analysis: {
      columns: columns.map(({ name, type, jsonPath, present }) => ({
        path: jsonPath ?? null,
        recommended_type: type,
        present_pct: present,
        name,
      })),
      schema,
    },
    preview: {
      meta: columns.map(({ name, type }) => ({ name, type })),
      data: preview,
      rows: preview.length,
      statistics,
    },
  };
}
