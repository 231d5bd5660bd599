/** The data source that a file would need, told and not made. */

import type { Description } from '@glasshouse/language';
import { describeRows } from '@glasshouse/language';
import { schemaText } from './definition-form.ts';
import type { ImportFormat } from './import-convert.ts';
import type { CsvDialect } from './import-csv.ts';
import type { Samples } from './import-sample.ts';
import { formatOfFile } from './import-sample.ts';
import type { Spooled } from './import-spool.ts';

export interface FileDescription extends Description {
  /** The columns as the parameter `schema` takes them: in one line, a comma and a blank between two. */
  readonly schema: string;
  /** Rows that were looked at. */
  readonly rows: number;
}

/** How a file is written. Without a format it is found out. */
export interface FileForm {
  readonly format: ImportFormat | undefined;
  readonly dialect: CsvDialect;
}

const PREVIEW_ROWS = 10;

/** Describes a file by its first rows. Rejects with `bad_request` for one that has none, or cannot be read. */
export async function describeFile(
  samples: Samples,
  file: Spooled,
  { format: said, dialect }: FileForm,
  signal: AbortSignal,
): Promise<FileDescription> {
  const format = said ?? (await formatOfFile(file));
  const rows = await samples.rows(file, format, dialect, signal);
  const description = describeRows(rows, { named: format === 'csv', previewRows: PREVIEW_ROWS });
  return { ...description, schema: schemaText(description), rows: rows.length };
}
