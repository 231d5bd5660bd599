/**
 * Copies: the result of a pipe's node is written into a data source, on demand or by a schedule, as a job. `append` adds the rows,
 * `replace` puts them in the place of all rows that are there.
 *
 * Must stay true: nothing of a copy is seen before all of it is made, and a copy that fails leaves the data source as it was. The
 * statement was let through by the query door before it becomes part of an insert.
 */

import type { PipeNode } from '@glasshouse/model';
import { AppError, messageOf } from '@glasshouse/model';
import type { DataSources } from '@glasshouse/store';
import type { Checked } from '../query/door.ts';
import { HiddenTable, insertRows } from './copies-table.ts';
import type { Endpoints } from './endpoints.ts';
import type { CallValues } from './endpoints-templates.ts';
import { NO_VALUES } from './endpoints-templates.ts';
import type { Job, JobContext, JobFields, Jobs } from './jobs.ts';
import type { Arrival } from './materialize.ts';
import type { Registry } from './registry.ts';
import type { DataSourceEntry, PipeEntry } from './resource-row.ts';
import { placeOf } from './resource-row.ts';
import type { Step } from './steps.ts';
import { commit } from './steps.ts';
import type { Operation } from './usage.ts';

export type CopyMode = 'append' | 'replace';

/**
 * Lets a statement through that is to be part of another one; resolves with what was judged, and the settings to run it with. Rejects
 * with a QueryError.
 */
export type CheckSql = (
  tenant: string,
  sql: string,
  params: Readonly<Record<string, string>>,
) => Promise<Pick<Checked, 'columns' | 'settings' | 'sql'>>;

export interface CopiesOptions {
  readonly registry: Registry;
  readonly tables: DataSources;
  readonly jobs: Jobs;
  readonly endpoints: Endpoints;
  readonly check: CheckSql;
  /**
   * Makes what is to be made of rows with this segment that are not in their data source yet, runs `append`, which puts them there, and
   * inserts what was made.
   */
  readonly materialize: (segment: bigint, tenant: string, rows: Arrival, append: () => Promise<void>) => Promise<void>;
  readonly now: () => number;
  /** Told when a copy has ended. */
  readonly onEnd?: (operation: Operation) => void;
}

export interface CopyOptions {
  readonly mode?: CopyMode | undefined;
  readonly call?: CallValues;
  /** The time that a schedule was for; undefined on demand. */
  readonly scheduledFor?: number;
}

export interface StartedCopy {
  readonly job: Job;
  readonly target: DataSourceEntry;
}

/** Stages get numbers above this, so that none has the number of a move. */
const FIRST_STAGE = 0x8000_0000;

export class Copies {
  private readonly options: CopiesOptions;
  private lastSegment = 0n;
  private stages = 0;

  constructor(options: CopiesOptions) {
    this.options = options;
  }

  /** Starts a copy. Rejects with `bad_request` for a pipe that is none, and for parameters and SQL that are wrong. */
  async start(entry: PipeEntry, { mode, call = NO_VALUES, scheduledFor }: CopyOptions = {}): Promise<StartedCopy> {
    const { jobs, registry } = this.options;
    const { tenant } = entry;
    const node = copyNodeOf(entry);
    const target = registry.dataSource(tenant, node.settings['TARGET_DATASOURCE'] ?? '');
    const how = mode ?? modeOf(node.settings['COPY_MODE']);
    const judged = await this.judged(entry, node, call);
    const details: JobFields = {
      pipe_id: entry.id,
      pipe_name: entry.name,
      datasource_id: target.id,
      datasource_name: target.name,
      mode: how,
      ...(scheduledFor === undefined ? {} : { scheduled_for: new Date(scheduledFor).toISOString() }),
    };
    const job = await jobs.start(tenant, 'copy', details, (context) =>
      this.run({ entry, target: target.id, how, ...judged }, context),
    );
    return { job, target };
  }

  private async judged(entry: PipeEntry, node: PipeNode, call: CallValues): Promise<Judged> {
    const { check, endpoints } = this.options;
    const composed = endpoints.node(entry.tenant, entry.definition, node, call);
    const params = composed.options.params ?? {};
    const { sql, settings } = await check(entry.tenant, composed.sql, params);
    return { sql, params, settings };
  }

  private async run(copy: Running, { job, signal }: JobContext): Promise<JobFields> {
    const { registry, now, onEnd } = this.options;
    const { tenant } = copy.entry;
    const startedAt = now();
    const told = (rows: number, error: string | undefined): void => {
      const target = registry.catalog.dataSource(tenant, copy.target);
      const dataSource = { id: copy.target, name: target?.name ?? '' };
      const { entry: pipe } = copy;
      const durationMs = now() - startedAt;
      onEnd?.({ tenant, type: 'copy', dataSource, pipe, jobId: job.id, startedAt, durationMs, rows, error });
    };
    try {
      const rows = await (copy.how === 'append' ? this.append(copy, signal) : this.replace(copy, signal));
      told(rows, undefined);
      return { rows, mode: copy.how };
    } catch (error) {
      told(0, messageOf(error));
      throw error;
    }
  }

  private append({ entry, target, sql, params, settings }: Running, signal: AbortSignal): Promise<number> {
    const { materialize, registry, tables } = this.options;
    const { tenant } = entry;
    return registry.locks.sharing(target, 'a copy', async () => {
      const source = registry.dataSource(tenant, target);
      const stage = new HiddenTable(source, tables, FIRST_STAGE + (this.stages++ % FIRST_STAGE));
      try {
        const segment = this.newSegment();
        await stage.create();
        await stage.fill(sql, { segment, params, settings, signal });
        const rows = await stage.rows();
        const append = (): Promise<void> => {
          signal.throwIfAborted();
          return stage.append();
        };
        signal.throwIfAborted();
        if (rows > 0) await materialize(segment, tenant, { name: source.name, landing: stage.table }, append);
        return rows;
      } finally {
        await stage.discard().catch(() => undefined);
      }
    });
  }

  /** Rows that are acknowledged meanwhile stay. */
  private replace({ entry, target, sql, params, settings }: Running, signal: AbortSignal): Promise<number> {
    const { now, registry, tables } = this.options;
    return registry.locks.exclusively(target, 'a copy that replaces its rows', async () => {
      const source = registry.dataSource(entry.tenant, target);
      const former = placeOf(source);
      const place = { ...former, version: former.version + 1 };
      const options = registry.commitOptions({ signal });
      const replacement = tables.replacement(place, source.definition);
      try {
        await replacement.begin(options.hold, undefined, signal);
        const filling = { segment: this.newSegment(), params, settings, signal };
        await insertRows(tables.client, replacement.table, source, sql, filling);
        const [row] = await tables.client.rows<{ n: string }>(`SELECT count() AS n FROM ${replacement.table}`);
        signal.throwIfAborted();
        const at = now();
        const step: Step = {
          kind: 'update',
          resource: 'datasource',
          name: source.name,
          changes: ['replaces rows'],
          losses: [],
          row: {
            ...source,
            tableVersion: place.version,
            updatedAt: new Date(at),
            version: Math.max(at, source.version + 1),
            deleted: false,
          },
          commit: async () => {
            await replacement.settle();
            await tables.place(place);
          },
          undo: () => tables.place(former),
          finish: () => tables.discard(former),
        };
        await commit([step], options);
        await replacement.release().catch(() => undefined);
        return Number(row?.n ?? 0);
      } catch (error) {
        await replacement.discard().catch(() => undefined);
        throw error;
      }
    });
  }

  /** By this number the rows of a copy are told apart. It is smaller than any segment's of the log. */
  private newSegment(): bigint {
    const now = BigInt(this.options.now());
    this.lastSegment = now > this.lastSegment ? now : this.lastSegment + 1n;
    return this.lastSegment;
  }
}

/** A statement that was let through, and what it has to be run with. */
interface Judged {
  readonly sql: string;
  readonly params: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
}

interface Running extends Judged {
  readonly entry: PipeEntry;
  /** Id of the data source. */
  readonly target: string;
  readonly how: CopyMode;
}

/** The node that is copied. Throws `bad_request` if the pipe has none. */
export function copyNodeOf({ name, definition }: PipeEntry): PipeNode {
  const node = definition.nodes.find(({ type }) => type === 'copy');
  if (node !== undefined) return node;
  throw new AppError('bad_request', `cannot copy pipe=${name}: none of its nodes is of TYPE copy`);
}

/** `append` unless it says `replace`. Throws `bad_request` for anything else. */
export function modeOf(text: string | undefined): CopyMode {
  const mode = (text ?? '').trim().toLowerCase();
  if (mode === '' || mode === 'append') return 'append';
  if (mode === 'replace') return 'replace';
  throw new AppError('bad_request', `cannot copy in mode=${mode.slice(0, 40)}: it must be append or replace`);
}
