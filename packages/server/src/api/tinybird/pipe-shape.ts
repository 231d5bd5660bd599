/**
 * Pipes as clients read them (https://www.tinybird.co/docs/api-reference/pipe-api).
 *
 * Must stay true: the statements of nodes are for those who may change pipes or read everything. Who may only call an endpoint sees
 * its name and its parameters.
 */

import { createHash } from 'node:crypto';
import type { PipeNode } from '@glasshouse/model';
import { cronOf } from '../../platform/schedules.ts';
import type { Schedules } from '../../platform/schedules.ts';
import { endpointOf } from '../../platform/endpoints.ts';
import type { Endpoints } from '../../platform/endpoints.ts';
import type { Catalog } from '../../platform/catalog.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import { namesIn } from '../../platform/references.ts';
import type { PipeEntry } from '../../platform/resource-row.ts';
import { timeText } from './times.ts';

export type Shown = Readonly<Record<string, unknown>>;

export interface ShapeParts {
  readonly endpoints: Endpoints;
  readonly catalog: Catalog;
  readonly schedules: Schedules;
}

/** Columns of a node's result, for those of which they are known. */
export type NodeColumns = ReadonlyMap<string, readonly { readonly name: string; readonly type: string }[]>;

const NO_COLUMNS: NodeColumns = new Map();

/** The id of a node follows from its pipe and its name. */
export function nodeIdOf(entry: PipeEntry, name: string): string {
  return `t_${createHash('sha256').update(`${entry.id} ${name}`).digest('hex').slice(0, 32)}`;
}

/** `endpoint`, `materialized`, `copy`, `sink`, or `default` for a pipe that is only read by others. */
export function pipeTypeOf({ definition }: PipeEntry): PipeNode['type'] {
  if (endpointOf(definition) !== undefined) return 'endpoint';
  return definition.nodes.find(({ type }) => type !== 'default')?.type ?? 'default';
}

/** True if the principal sees what the pipe is made of. */
export function seesInside(principal: WorkspacePrincipal): boolean {
  return principal.may('WORKSPACE:READ_ALL') || principal.may('PIPES:CREATE');
}

export function shownPipe(
  entry: PipeEntry,
  parts: ShapeParts,
  principal: WorkspacePrincipal,
  base: string,
  columns: NodeColumns = NO_COLUMNS,
): Shown {
  const { id, name, definition, createdAt, updatedAt, tenant } = entry;
  const nodeNamed = (type: PipeNode['type']): PipeNode | undefined =>
    definition.nodes.find((node) => node.type === type);
  const idOf = (node: PipeNode | undefined): string | null => (node === undefined ? null : nodeIdOf(entry, node.name));
  const targetId = (target: string | undefined): string | null =>
    parts.catalog.dataSource(tenant, target ?? '')?.id ?? null;
  const endpoint = endpointOf(definition);
  const [copy, sink, materialized] = [nodeNamed('copy'), nodeNamed('sink'), nodeNamed('materialized')];
  return {
    id,
    name,
    description: definition.description ?? '',
    type: pipeTypeOf(entry),
    endpoint: idOf(endpoint),
    url: `${base}/v0/pipes/${name}.json`,
    created_at: timeText(createdAt),
    updated_at: timeText(updatedAt),
    parent: null,
    tags: Object.fromEntries(definition.tags.map((tag) => [tag, tag])),
    nodes: definition.nodes.map((node) => shownNode(entry, node, parts, principal, columns.get(node.name))),
    copy_node: idOf(copy),
    copy_target_datasource: targetId(copy?.settings['TARGET_DATASOURCE']),
    copy_target_workspace: null,
    copy_mode: copy === undefined ? null : (copy.settings['COPY_MODE'] ?? 'append'),
    copy_schedule: copy === undefined ? null : (copy.settings['COPY_SCHEDULE'] ?? '@on-demand'),
    sink_node: idOf(sink),
    stream_node: null,
    materialized_datasource: targetId(materialized?.settings['DATASOURCE']),
    schedule: scheduleOf(entry, copy ?? sink, parts),
    published_version: idOf(endpoint),
    published_date: endpoint === undefined ? null : timeText(updatedAt),
    cache_ttl: definition.cacheSeconds ?? null,
    last_commit: { content_sha: '', path: '', status: 'changed' },
  };
}

export function shownNode(
  entry: PipeEntry,
  node: PipeNode,
  parts: ShapeParts,
  principal: WorkspacePrincipal,
  columns?: readonly object[],
): Shown {
  const { name, sql, type, description, settings } = node;
  const materialized =
    type === 'materialized' ? parts.catalog.dataSource(entry.tenant, settings['DATASOURCE'] ?? '') : undefined;
  const shown = {
    id: nodeIdOf(entry, name),
    name,
    description: description ?? '',
    node_type: type === 'default' ? 'standard' : type,
    type: type === 'default' ? 'standard' : type,
    materialized: materialized?.id ?? null,
    params: paramsOf(entry, parts),
    tags: {},
    created_at: timeText(entry.createdAt),
    updated_at: timeText(entry.updatedAt),
    version: 0,
    cluster: null,
    project: null,
    result: null,
    ignore_sql_errors: false,
  };
  if (!seesInside(principal)) return shown;
  const copied = settings['TARGET_DATASOURCE'];
  return {
    ...shown,
    sql,
    dependencies: dependenciesOf(entry, node, parts.catalog),
    columns: columns ?? [],
    ...(materialized === undefined ? {} : { datasource: materialized.name }),
    ...(copied === undefined ? {} : { target_datasource: copied, mode: settings['COPY_MODE'] ?? 'append' }),
    ...(settings['COPY_SCHEDULE'] === undefined ? {} : { copy_schedule: settings['COPY_SCHEDULE'] }),
  };
}

/** Only the wanted attributes; those by which pipes are told apart are always there. */
export function withAttributes(pipe: Shown, attributes: string | null, nodeAttributes: string | null): Shown {
  const nodes = (pipe['nodes'] as readonly Shown[]).map((node) => picked(node, nodeAttributes, ['id', 'name']));
  return { ...picked(pipe, attributes, ['id', 'name', 'type']), nodes };
}

function picked(all: Shown, wanted: string | null, always: readonly string[]): Shown {
  const names = (wanted ?? '').split(',').filter((name) => name !== '');
  if (names.length === 0) return all;
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name) || always.includes(name)));
}

function paramsOf(entry: PipeEntry, { endpoints }: ShapeParts): object[] {
  return endpoints.parametersOf(entry.tenant, entry.definition).map((parameter) => ({
    name: parameter.name,
    type: parameter.type,
    required: parameter.required,
    default: parameter.default ?? null,
    description: parameter.description ?? '',
    ...(parameter.example === undefined ? {} : { example: parameter.example }),
    ...(parameter.format === undefined ? {} : { format: parameter.format }),
    ...(parameter.enum === undefined ? {} : { enum: parameter.enum }),
  }));
}

/** Other nodes, pipes and data sources that the node names. */
function dependenciesOf({ tenant, definition, name: own }: PipeEntry, node: PipeNode, catalog: Catalog): string[] {
  const names = namesIn(node.sql);
  const siblings = definition.nodes.filter((other) => other !== node && names.has(other.name)).map(({ name }) => name);
  const others = [...names].filter(
    (name) => name !== own && !siblings.includes(name) && catalog.find(tenant, name)?.name === name,
  );
  return [...siblings, ...others];
}

function scheduleOf(entry: PipeEntry, node: PipeNode | undefined, { schedules }: ShapeParts): object {
  const cron = cronOf(node?.settings['COPY_SCHEDULE'] ?? node?.settings['EXPORT_SCHEDULE']);
  if (cron === undefined) return {};
  return { cron, timezone: 'Etc/UTC', status: schedules.isPaused(entry.id) ? 'paused' : 'running' };
}
