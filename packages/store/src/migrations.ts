/**
 * Numbered migrations: each runs once, in order, and is recorded in `schema_migrations`. The first makes the fact tables
 * from their descriptions; a later change of a table is a new entry at the end.
 *
 * Must stay true: every statement can run twice, because a crash may come between a statement and its record.
 */

import { FACT_TABLES, GENERATIONS, SPANS } from '@glasshouse/schema';
import { addColumn, addProjections, changeBlocks, materializeProjections, storageOf } from './alterations.ts';
import { auditTable, batchTable, controlTable } from './control-tables.ts';
import type { DdlOptions } from './ddl.ts';
import { createTable, indexDdl } from './ddl.ts';

interface Migration {
  readonly name: string;
  /** Steps in order; the statements of one step do not depend on each other. */
  readonly steps: (options: DdlOptions) => readonly (readonly string[])[];
  /** It changes tables that earlier ones made; a new store makes them as they are to be. */
  readonly isChange?: true;
}

export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'facts',
    steps: (options) => {
      const tables = FACT_TABLES.map((table) => createTable(table, options));
      return [
        tables.flatMap((statements) => statements.slice(0, 1)),
        tables.flatMap((statements) => statements.slice(1)),
      ];
    },
  },
  {
    name: 'control',
    steps: (options) => [
      [
        controlTable('tenants', "name String, created_at DateTime64(3, 'UTC'), deleted Bool", 'name')(options),
        controlTable(
          'api_keys',
          `id String, hash FixedString(32), name String, tenant String, project String, environment String,
         scopes Array(LowCardinality(String)), created_at DateTime64(3, 'UTC'), expires_at Nullable(DateTime64(3, 'UTC')),
         revoked_at Nullable(DateTime64(3, 'UTC'))`,
          'id',
        )(options),
      ],
    ],
  },
  {
    name: 'platform',
    steps: (options) => [
      [
        controlTable(
          'resources',
          `tenant String, id String, kind LowCardinality(String), name String, definition String, table_version UInt32,
         built_in Bool, deployment String, created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, id)',
        )(options),
        controlTable(
          'tokens',
          `tenant String, id String, name String, description String, origin LowCardinality(String), scopes String,
         granted String, generation UInt32, created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, id)',
        )(options),
        controlTable(
          'deployments',
          `tenant String, id String, status LowCardinality(String), live Bool, resources String, report String,
         created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC')`,
          '(tenant, id)',
        )(options),
        controlTable(
          'jobs',
          `tenant String, id String, kind LowCardinality(String), node UInt32, status LowCardinality(String),
         progress Float64, details String, result String, error String,
         created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC')`,
          '(tenant, id)',
        )(options),
      ],
    ],
  },
  {
    name: 'workspaces',
    steps: (options) => [
      [
        controlTable(
          'workspaces',
          "tenant String, name String, created_at DateTime64(3, 'UTC'), deleted Bool",
          'tenant',
        )(options),
      ],
    ],
  },
  {
    name: 'secrets',
    steps: (options) => [
      [
        controlTable(
          'secrets',
          `tenant String, name String, sealed String, created_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC'),
         deleted Bool`,
          '(tenant, name)',
        )(options),
      ],
    ],
  },
  { name: 'generations', steps: (options) => createTable(GENERATIONS, options).map((statement) => [statement]) },
  {
    name: 'prices',
    steps: (options) => [
      [
        controlTable(
          'price_overrides',
          "tenant String, id String, entry String, recorded_at DateTime64(3, 'UTC')",
          '(tenant, id)',
        )(options),
        controlTable(
          'price_lists',
          "id String, entry String, content String CODEC(ZSTD(3)), recorded_at DateTime64(3, 'UTC')",
          'id',
        )(options),
        controlTable(
          'repricings',
          `id String, tenant String, started_by String, status LowCardinality(String), dry_run Bool,
         since DateTime64(3, 'UTC'), until DateTime64(3, 'UTC'), from_versions Array(String), to_version String,
         generations UInt64, changed UInt64, found UInt64, lost UInt64,
         cost_before Decimal(38, 12), cost_after Decimal(38, 12), progress Float64, state String, error String,
         started_at DateTime64(3, 'UTC'), updated_at DateTime64(3, 'UTC')`,
          'id',
        )(options),
      ],
    ],
  },
  { name: 'audit', steps: (options) => [[auditTable(options)]] },
  {
    name: 'quotas',
    steps: (options) => [
      [
        controlTable(
          'quotas',
          "tenant String, project String, limits String, updated_at DateTime64(3, 'UTC'), deleted Bool",
          '(tenant, project)',
        )(options),
      ],
    ],
  },
  {
    name: 'newest first',
    isChange: true,
    steps: (options) => [
      FACT_TABLES.flatMap((table) => changeBlocks(table, options)),
      SPANS.indexes.map((index) => `ALTER TABLE ${storageOf(SPANS, options)} ADD ${indexDdl(index, 'IF NOT EXISTS ')}`),
    ],
  },
  {
    name: 'redaction',
    steps: (options) => [
      [
        controlTable(
          'redaction_policies',
          `tenant String, project String, environment String, policy String, updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, project, environment)',
        )(options),
      ],
    ],
  },
  { name: 'batches', steps: (options) => [[batchTable(options)]] },
  {
    name: 'generations by day',
    isChange: true,
    steps: (options) => [
      addColumn(GENERATIONS, 'service_name', options),
      ...addProjections(GENERATIONS, options),
      materializeProjections(
        GENERATIONS,
        GENERATIONS.projections.map(({ name }) => name),
        options,
      ),
    ],
  },
  {
    name: 'users',
    steps: (options) => [
      [
        controlTable(
          'users',
          `email String, id String, password String, tenant String, project String, environment String, session UInt32,
         created_at DateTime64(3, 'UTC'), last_login_at Nullable(DateTime64(3, 'UTC')), deleted Bool`,
          'email',
        )(options),
      ],
    ],
  },
  {
    name: 'roll-out',
    steps: (options) => [
      ['mirrors', 'source_switches'].map((table) =>
        controlTable(
          table,
          `tenant String, name String, settings String, updated_at DateTime64(3, 'UTC'), deleted Bool`,
          '(tenant, name)',
        )(options),
      ),
    ],
  },
  {
    name: 'sums that cannot fail',
    isChange: true,
    steps: (options) => [
      ...addProjections(GENERATIONS, options),
      // Its sums of costs could overflow, and a merge with them. The name is not used again: parts keep its files for a while.
      [
        `ALTER TABLE ${storageOf(GENERATIONS, options)} DROP PROJECTION IF EXISTS spend_daily SETTINGS mutations_sync = 0`,
      ],
      materializeProjections(GENERATIONS, ['user_totals_daily', 'money_daily'], options),
    ],
  },
];
