/**
 * What clients ask about statements and do not run: which tables one names, the same with other tables, the same in neat
 * lines. And what depends on what.
 *
 * Must stay true: a name is found whether it exists or not; a client orders its work by them before anything is there.
 */

import { AppError } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import type { Platform } from '../../platform/platform.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import { namesOf, withReplacements } from '../../platform/sql-names.ts';
import type { Call } from './call.ts';
import { guarded } from './call.ts';
import { maySee } from './datasource-shape.ts';
import { readFields } from './fields.ts';

export interface SqlToolParts {
  readonly platform: Platform;
  /** The statement in neat lines. Rejects with the engine's refusal of what it cannot read. */
  readonly format: (sql: string) => Promise<string>;
}

export function sqlToolRoutes({ platform, format }: SqlToolParts): Route[] {
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void> | void): Route =>
    guarded(platform, method, path, handle);
  const tables = async (call: Call): Promise<void> => {
    const fields = await readFields(call);
    const sql = fields.get('q') ?? fields.text;
    sendJson(call.response, 200, { tables: tablesOf(sql, fields.flag('raising')) });
  };
  const formatted = async (call: Call): Promise<void> => {
    const fields = await readFields(call);
    const sql = (fields.get('q') ?? fields.text).trim();
    const isTemplate = sql.startsWith('%') || /\{[{%#]/u.test(sql);
    const neat = fields.flag('with_clickhouse_format') && !isTemplate ? await format(sql) : sql;
    sendJson(call.response, 200, { q: neat });
  };
  return [
    on('POST', '/v0/sql_tables', tables),
    on('GET', '/v0/sql_tables', tables),
    on('GET', '/v0/sql_format', formatted),
    on('POST', '/v0/sql_format', formatted),
    on('POST', '/v0/sql_replace', async (call) => {
      const fields = await readFields(call);
      const sql = fields.get('q') ?? fields.text;
      const replacements = replacementsOf(
        fields.get('replacements') ?? JSON.stringify(fields.json['replacements'] ?? {}),
      );
      sendJson(call.response, 200, { query: withReplacements(sql, replacements) });
    }),
    on('GET', '/v0/dependencies', ({ principal, response }) =>
      sendJson(response, 200, {
        dependencies: dependenciesOf(platform, principal),
        incompatible_datasources: {},
      }),
    ),
  ];
}

/** `[database, table]` of each; what cannot be read names nothing, unless the client wants to hear of it. */
function tablesOf(sql: string, isRaising: boolean): (readonly [string, string])[] {
  try {
    return namesOf(sql).map(({ database, table }) => [database, table]);
  } catch (error) {
    if (isRaising) throw error;
    return [];
  }
}

/** `{"table": "other"}`, or with `["database", "table"]` as keys and values. Throws `bad_request`. */
function replacementsOf(text: string): ReadonlyMap<string, string> {
  try {
    const value = JSON.parse(text) as unknown;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new TypeError('it is no object');
    return new Map(Object.entries(value).map(([key, other]) => [plainName(key), plainName(other)]));
  } catch (cause) {
    throw new AppError('bad_request', 'cannot replace tables: replacements must be a JSON object, such as {"a": "b"}', {
      cause,
    });
  }
}

function plainName(value: unknown): string {
  const list = typeof value === 'string' && value.startsWith('[') ? (JSON.parse(value) as unknown) : value;
  if (Array.isArray(list))
    return list
      .map(String)
      .filter((part) => part !== '')
      .join('.');
  if (typeof list === 'string') return list;
  throw new TypeError('it is no name');
}

/** Pipes by the data source that they read or write, as far as the principal may know of both. */
function dependenciesOf(platform: Platform, principal: WorkspacePrincipal): Record<string, readonly string[]> {
  const { catalog, registry } = platform;
  const { tenant } = principal;
  const sources = catalog.dataSources(tenant).filter((entry) => !entry.builtIn && maySee(principal, entry));
  return Object.fromEntries(
    sources.map(({ name }) => {
      const pipes = registry.dependents(tenant, name).filter((pipe) => principal.may('PIPES:READ', pipe));
      return [name, pipes.map((pipe) => pipe.name)];
    }),
  );
}
