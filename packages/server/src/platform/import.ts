/**
 * Imports: files, from a request or a URL, whose rows go into a data source. They become events and go through the log like
 * all others, so that what is answered is durable, and what does not fit is in the quarantine with its reasons.
 *
 * Must stay true: a file is read in a thread that can be ended, a piece at a time. The numbers in the answer are those of the
 * table. What an import stops at is said; rows that were taken until then stay, unless they were to replace others.
 */

import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import type { DataSource, Placement } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Quotas } from '../control/quotas.ts';
import { keepsRows } from '@glasshouse/store';
import { openUrl } from './fetch-guard.ts';
import type { FetchOptions } from './fetch-guard.ts';
import { targetsOf } from './import-targets.ts';
import type { ImportFormat } from './import-convert.ts';
import type { CsvDialect } from './import-csv.ts';
import { decoded } from './import-decode.ts';
import { piecesOf } from './import-pieces.ts';
import type { ReplaceParts } from './import-replace.ts';
import { replaceRows } from './import-replace.ts';
import { Samples } from './import-sample.ts';
import { Slots } from './import-slots.ts';
import type { Spool, Spooled } from './import-spool.ts';
import type { Job, JobContext, JobFields, Jobs } from './jobs.ts';
import type { Outcomes } from './outcomes.ts';
import { reportsCalls } from './reports.ts';

/** Where rows go. */
export interface AppendTarget {
  readonly tenant: string;
  /** Id of the data source, or of a load. */
  readonly dataSource: string;
  readonly importId: string;
  /** Condition on the rows that may be written; empty for none. */
  readonly filter: string;
  /** Whether the rows report calls of models, which become generations besides. */
  readonly hasGenerations?: boolean;
  /** Whose the rows are, whatever they say; undefined where the credential does not tell. */
  readonly placement?: Placement | undefined;
  /** Only these of the rows are taken: by a hash of the field `key`, or of the line. */
  readonly share?: { readonly percent: number; readonly key: string } | undefined;
}

/** Lines, and where they go. */
export interface Lines extends AppendTarget {
  readonly lines: Uint8Array;
}

/** Sends lines for two data sources through the log, in one commit: all of them are stored, or none. Rejects as `Append` does. */
export type AppendBoth = (
  first: Lines,
  second: Lines,
) => Promise<{ readonly accepted: number; readonly rejected?: number }>;

/** Sends lines through the log. Rejects with `unavailable` when there is no room; nothing was stored then. */
export type Append = (
  target: AppendTarget,
  ndjson: Uint8Array,
) => Promise<{ readonly accepted: number; readonly rejected?: number; readonly segment: bigint | undefined }>;

export interface ImportsOptions extends ReplaceParts {
  readonly jobs: Jobs;
  readonly outcomes: Outcomes;
  readonly append: Append;
  readonly quotas: Pick<Quotas, 'admit' | 'count'>;
  /** Asks for what was appended to be handed over soon. */
  readonly hurry: () => void;
  readonly spool: Spool;
  readonly fetch: Omit<FetchOptions, 'signal'>;
  /** Longest row. */
  readonly rowBytes: number;
  /** Largest file after unpacking. */
  readonly maxBytes: number;
}

export interface ImportRequest {
  readonly tenant: string;
  /** Id of the data source. */
  readonly dataSource: string;
  readonly format: ImportFormat;
  readonly dialect: CsvDialect;
  /** Condition on the rows that the credential may write; empty for none. */
  readonly filter: string;
  /** Whose the rows are, whatever they say; undefined where the credential does not tell. */
  readonly placement?: Placement | undefined;
  /** Set where rows are replaced, with the condition on these, which has been judged. */
  readonly replace?: { readonly condition: string | undefined };
}

export interface ImportResult {
  readonly importId: string;
  readonly successfulRows: number;
  readonly quarantinedRows: number;
  /** Of the file as it came. */
  readonly bytes: number;
  readonly seconds: number;
}

/** Pieces go through the sink one by one; this large they cost little and hold up nobody. */
const PIECE_BYTES = 8 << 20;
/** How long the store may keep rows waiting until the import gives up on knowing what became of them. */
const OUTCOME_MS = 600_000;
/** How long a piece may wait for room in the log. */
const ROOM_MS = 300_000;
const CONCURRENT = 4;
const WAITING = 64;

export class Imports {
  private readonly options: ImportsOptions;
  private readonly slots = new Slots(CONCURRENT, WAITING);
  /** The first rows of files, read in the same slots. */
  readonly samples: Samples;

  constructor(options: ImportsOptions) {
    this.options = options;
    this.samples = new Samples({ ...options, slots: this.slots });
  }

  get spool(): Spool {
    return this.options.spool;
  }

  /**
   * Lets an import of a tenant begin, or throws `quota_exceeded`; to be asked before the data is read. Returns what a warning says.
   * What began is taken whole: of a file that was broken off nobody could send the rest.
   */
  admit(tenant: string): string | undefined {
    return this.options.quotas.admit(tenant);
  }

  /** Imports a file and removes it. Rejects with what is wrong with it, or `cancelled`. */
  async run(request: ImportRequest, file: Spooled, how: How = {}): Promise<ImportResult> {
    try {
      return await this.slots.within(how.signal, () => this.load(request, file, how));
    } finally {
      await file.dispose();
    }
  }

  /** Starts a job that imports a file, and removes it. */
  async startFile(request: ImportRequest, file: Spooled): Promise<Job> {
    try {
      const job = await this.start(request, {}, async ({ job, signal, progress }) => {
        const how = { importId: importIdOf(job), signal, onProgress: (share: number) => progress(share * 100) };
        return resultFields(await this.run(request, file, how));
      });
      // Also when it is cancelled before it begins.
      void this.options.jobs.ended(request.tenant, job.id).finally(() => void file.dispose());
      return job;
    } catch (error) {
      await file.dispose();
      throw error;
    }
  }

  /** Starts a job that fetches a URL and imports it. */
  startUrl(request: ImportRequest, url: string): Promise<Job> {
    return this.start(request, { url: url.split(/[?#]/u, 1)[0] ?? '' }, async ({ job, signal, progress }) => {
      // Again, because it may have waited.
      this.admit(request.tenant);
      const file = await this.fetch(url, signal);
      progress(50);
      const how = { importId: importIdOf(job), signal, onProgress: (share: number) => progress(50 + share * 50) };
      return resultFields(await this.run(request, file, how));
    });
  }

  /** Fetches a URL into a file. */
  private async fetch(url: string, signal: AbortSignal): Promise<Spooled> {
    const { fetch, spool, maxBytes } = this.options;
    const { stream, coding } = await openUrl(url, { ...fetch, signal });
    return spool.take(decoded(stream, coding, maxBytes), signal);
  }

  private start(
    { tenant, dataSource, format, replace }: ImportRequest,
    more: JobFields,
    run: (context: JobContext) => Promise<JobFields>,
  ): Promise<Job> {
    const { name } = this.options.registry.dataSource(tenant, dataSource);
    const mode = replace === undefined ? 'append' : 'replace';
    const details = { datasource: { id: dataSource, name }, import_id: randomUUID(), format, mode, ...more };
    return this.options.jobs.start(tenant, 'import', details, run);
  }

  private async load(request: ImportRequest, file: Spooled, how: How): Promise<ImportResult> {
    const { tenant, dataSource, replace } = request;
    const { definition } = this.options.registry.dataSource(tenant, dataSource);
    const { importId = randomUUID() } = how;
    const startedAt = this.options.now();
    const into = (id: string, filter: string): Promise<Counts> =>
      // Rows of a load replace others, whose calls were counted when they came.
      this.send(
        {
          tenant,
          dataSource: id,
          importId,
          filter,
          hasGenerations: id === dataSource && reportsCalls(definition, filter),
          placement: request.placement,
        },
        definition,
        request,
        file,
        how,
      );
    const counts =
      replace === undefined || !keepsRows(definition.engine)
        ? await into(dataSource, request.filter)
        : await replaceRows(
            this.options,
            { tenant, dataSource, condition: replace.condition, signal: how.signal },
            // Rows beside the condition would add to those that are kept.
            async (load) => complete(await into(load, both(request.filter, replace.condition))),
          );
    return {
      importId,
      successfulRows: counts.accepted - counts.quarantined,
      quarantinedRows: counts.quarantined,
      bytes: file.bytes,
      seconds: (this.options.now() - startedAt) / 1000,
    };
  }

  /** Sends all rows, and waits until they are in the table or the quarantine. */
  private async send(
    target: AppendTarget,
    definition: DataSource,
    { format, dialect }: ImportRequest,
    file: Spooled,
    { signal, onProgress }: How,
  ): Promise<Counts> {
    const { outcomes, hurry, quotas, rowBytes, maxBytes } = this.options;
    const targets = format === 'ndjson' ? [] : targetsOf(definition);
    const segments = new Map<bigint, Promise<number | undefined>>();
    let accepted = 0;
    let sent = 0;
    const { path, key } = file;
    const sizes = { pieceBytes: PIECE_BYTES, rowBytes, maxBytes };
    const conversion = { file: { path, key }, format, dialect, targets, ...sizes };
    for await (const piece of piecesOf(conversion, signal)) {
      const { accepted: rows, segment } = await this.append(target, piece, signal);
      // The bytes are those of the file, as it came.
      quotas.count({ tenant: target.tenant, project: '' }, rows, sent === 0 ? file.bytes : 0);
      accepted += rows;
      sent += piece.length;
      onProgress?.(Math.min(0.95, sent / Math.max(1, file.bytes)));
      // Asked for at once: the ends of segments are remembered for a short while only.
      if (segment !== undefined && !segments.has(segment)) {
        const outcome = outcomes.of(segment, target.importId, 0, OUTCOME_MS);
        segments.set(
          segment,
          outcome.then((known) => known?.quarantined),
        );
      }
    }
    hurry();
    const known = await Promise.all(segments.values());
    return {
      accepted,
      quarantined: known.reduce<number>((sum, count) => sum + (count ?? 0), 0),
      isComplete: !known.includes(undefined),
    };
  }

  /** Appends a piece, again and again while there is no room for it. */
  private async append(
    target: AppendTarget,
    piece: Uint8Array,
    signal: AbortSignal | undefined,
  ): Promise<{ readonly accepted: number; readonly segment: bigint | undefined }> {
    const until = this.options.now() + ROOM_MS;
    for (;;) {
      try {
        return await this.options.append(target, piece);
      } catch (error) {
        if (!(error instanceof AppError) || !error.kind.retryable || this.options.now() > until) throw error;
        await pause((error.retryAfterSeconds ?? 1) * 1000, undefined, signal === undefined ? {} : { signal }).catch(
          (cause: unknown) => {
            throw new AppError('cancelled', 'cannot finish the import: it was cancelled', { cause });
          },
        );
      }
    }
  }
}

export interface How {
  /** By which rows in the quarantine are found; a new one without it. */
  readonly importId?: string;
  readonly signal?: AbortSignal | undefined;
  /** Told how far it is, from 0 to 1. */
  readonly onProgress?: ((share: number) => void) | undefined;
}

interface Counts {
  readonly accepted: number;
  readonly quarantined: number;
  /** Whether it is known of all rows what became of them. */
  readonly isComplete: boolean;
}

function complete(counts: Counts): Counts {
  if (counts.isComplete) return counts;
  throw new AppError('unavailable', 'cannot replace the rows: the store does not take the new ones; try again', {
    retryAfterSeconds: 30,
  });
}

/** Both conditions, of which the first may be none. */
function both(filter: string, condition: string | undefined): string {
  if (condition === undefined) return filter;
  return filter === '' ? condition : `(${filter}) AND (${condition})`;
}

function importIdOf({ details }: Job): string {
  return String(details['import_id']);
}

function resultFields({ importId, successfulRows, quarantinedRows, bytes, seconds }: ImportResult): JobFields {
  return { importId, successfulRows, quarantinedRows, bytes, seconds };
}
