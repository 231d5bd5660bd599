/**
 * Pipes as clients send them: a JSON document with nodes, parameters with one statement, or a data file. All become the one
 * definition that the registry knows.
 *
 * Must stay true: what a document does not mention, such as tokens and tags, stays as it was.
 */

import type { Pipe, PipeNode, PipeType } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import { endpointOf } from '../../platform/endpoints.ts';
import { readResource } from '../../platform/project.ts';
import type { Fields } from './fields.ts';

type Json = Readonly<Record<string, unknown>>;

const TYPES: Readonly<Record<string, PipeType>> = {
  '': 'default',
  standard: 'default',
  default: 'default',
  none: 'default',
  endpoint: 'endpoint',
  materialized: 'materialized',
  copy: 'copy',
  sink: 'sink',
};

/** Keys of a node's JSON → settings of the definition. */
const SETTINGS: Readonly<Record<string, string>> = {
  datasource: 'DATASOURCE',
  target_datasource: 'TARGET_DATASOURCE',
  copy_schedule: 'COPY_SCHEDULE',
  schedule_cron: 'COPY_SCHEDULE',
  mode: 'COPY_MODE',
  copy_mode: 'COPY_MODE',
};

/** Which settings a node of each type may have; others that a client sends mean nothing there. */
const SETTINGS_OF: Readonly<Record<PipeType, (key: string) => boolean>> = {
  default: () => false,
  endpoint: () => false,
  materialized: (key) => key === 'DATASOURCE',
  copy: (key) => key === 'TARGET_DATASOURCE' || key === 'COPY_SCHEDULE' || key === 'COPY_MODE',
  sink: (key) => key.startsWith('EXPORT_'),
};

/** The pipe that a request describes; `former` is what has its name. Throws `bad_request`, DataFileError. */
export function pipeOf(fields: Fields, former: Pipe | undefined): Pipe {
  const { json } = fields;
  const name = fields.need('name', 'make the pipe').trim();
  const description = textOf(json['description']) ?? fields.get('description') ?? '';
  if (isDataFile(fields.text)) return withDescription(asPipe(readResource(name, 'pipe', fields.text)), description);
  const nodes = Array.isArray(json['nodes'])
    ? (json['nodes'] as unknown[]).map((node, index) => nodeOf(node, index, json))
    : [single(name, fields)];
  const { cacheSeconds } = former ?? {};
  const pipe: Pipe = {
    kind: 'pipe',
    name,
    nodes: keepsEndpoint(nodes, former),
    tokens: former?.tokens ?? [],
    tags: former?.tags ?? [],
    ...(cacheSeconds === undefined ? {} : { cacheSeconds }),
  };
  return withDescription(pipe, description);
}

/** A node that a request adds to a pipe, or the same with what the request changes. Throws `bad_request`. */
export function nodeWith(fields: Fields, former: PipeNode | undefined, nameless: string): PipeNode {
  const sql = fields.get('sql') ?? (fields.text.trim() === '' ? former?.sql : fields.text);
  if (sql === undefined || sql.trim() === '')
    throw new AppError(
      'bad_request',
      'cannot make the node: it has no statement; send it as sql=SELECT… or as the body',
    );
  const description = fields.get('description') ?? former?.description;
  return {
    name: fields.get('name') ?? former?.name ?? nameless,
    sql: sql.trimEnd(),
    type: former?.type ?? 'default',
    settings: former?.settings ?? {},
    ...(description === undefined || description === '' ? {} : { description }),
  };
}

/** The pipe with one of its nodes published, or none. Throws `bad_request` for a node that fills a data source. */
export function published(pipe: Pipe, node: PipeNode | undefined): Pipe {
  if (node !== undefined && node.type !== 'default' && node.type !== 'endpoint')
    throw new AppError('bad_request', `cannot publish node=${node.name}: its type is ${node.type}`);
  return {
    ...pipe,
    nodes: pipe.nodes.map((one) => {
      if (one === node) return { ...one, type: 'endpoint', settings: {} };
      return one.type === 'endpoint' ? { ...one, type: 'default', settings: {} } : one;
    }),
  };
}

/** The pipe with another type of a node. */
export function withType(pipe: Pipe, node: PipeNode, type: PipeType, settings: PipeNode['settings']): Pipe {
  return { ...pipe, nodes: pipe.nodes.map((one) => (one === node ? { ...one, type, settings } : one)) };
}

/** Settings of a copy, from what a request gives of them. */
export function copySettings(fields: Fields, former: PipeNode['settings']): PipeNode['settings'] {
  const given = (name: string): string | undefined => meant(fields.get(name));
  const schedule = fields.has('schedule_cron') ? (given('schedule_cron') ?? '@on-demand') : former['COPY_SCHEDULE'];
  const target = given('target_datasource') ?? former['TARGET_DATASOURCE'];
  if (target === undefined)
    throw new AppError('bad_request', 'cannot make the copy: target_datasource is missing; add target_datasource=NAME');
  return {
    TARGET_DATASOURCE: target,
    COPY_SCHEDULE: schedule ?? '@on-demand',
    COPY_MODE: given('mode') ?? former['COPY_MODE'] ?? 'append',
  };
}

/** Settings of a sink, from parameters such as `bucket_uri` or `export_format`. */
export function sinkSettings(fields: Fields, former: PipeNode['settings']): PipeNode['settings'] {
  const settings: Record<string, string> = { ...former };
  for (const [key, value] of fields.pairs()) {
    const name = SINK_KEYS[key] ?? (/^export_\w+$/u.test(key) ? key.toUpperCase() : undefined);
    if (name !== undefined && meant(value) !== undefined) settings[name] = value;
  }
  return settings;
}

const SINK_KEYS: Readonly<Record<string, string>> = {
  connection: 'EXPORT_CONNECTION_NAME',
  path: 'EXPORT_BUCKET_URI',
  bucket_uri: 'EXPORT_BUCKET_URI',
  file_template: 'EXPORT_FILE_TEMPLATE',
  format: 'EXPORT_FORMAT',
  compression: 'EXPORT_COMPRESSION',
  schedule_cron: 'EXPORT_SCHEDULE',
  write_strategy: 'EXPORT_WRITE_STRATEGY',
};

function single(name: string, fields: Fields): PipeNode {
  const sql = fields.get('sql') ?? fields.text;
  if (sql.trim() === '')
    throw new AppError(
      'bad_request',
      `cannot make pipe=${name}: it has no statement; send sql=SELECT…, nodes, or a data file`,
    );
  return { name: `${name}_0`, sql: sql.trimEnd(), type: 'default', settings: {} };
}

function nodeOf(value: unknown, index: number, pipe: Json): PipeNode {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new AppError('bad_request', `cannot make the pipe: node ${index} is no object`);
  const json = value as Json;
  const type = typeOf(textOf(json['type']) ?? textOf(json['node_type']) ?? '');
  const settings: Record<string, string> = {};
  // What is said of the whole pipe is meant for the node that has a use for it.
  for (const source of [pipe, json]) {
    for (const [key, given] of Object.entries(source)) {
      const setting = SETTINGS[key] ?? (/^export_\w+$/iu.test(key) ? key.toUpperCase() : undefined);
      const text = textOf(given);
      if (setting !== undefined && text !== undefined && SETTINGS_OF[type](setting)) settings[setting] = text;
    }
  }
  const description = textOf(json['description']);
  return {
    name: textOf(json['name']) ?? `node_${index}`,
    sql: (textOf(json['sql']) ?? '').trimEnd(),
    type,
    settings: type === 'copy' ? { COPY_SCHEDULE: '@on-demand', COPY_MODE: 'append', ...settings } : settings,
    ...(description === undefined || description === '' ? {} : { description }),
  };
}

function typeOf(text: string): PipeType {
  const type = TYPES[text.toLowerCase()];
  if (type !== undefined) return type;
  throw new AppError(
    'bad_request',
    `cannot make a node of type=${text.slice(0, 40)}: it must be one of ${Object.keys(TYPES).slice(1).join(', ')}`,
  );
}

/**
 * A client that replaces a published pipe publishes it again in its next request. Until then it must not be gone: the node that was
 * the endpoint, or else the last one, is it.
 */
function keepsEndpoint(nodes: readonly PipeNode[], former: Pipe | undefined): readonly PipeNode[] {
  const was = former === undefined ? undefined : endpointOf(former);
  if (was === undefined || nodes.some(({ type }) => type !== 'default')) return nodes;
  const next = nodes.find(({ name }) => name === was.name) ?? nodes.at(-1);
  return nodes.map((node) => (node === next ? { ...node, type: 'endpoint' } : node));
}

function isDataFile(text: string): boolean {
  return /^\s*(?:#[^\n]*\n\s*)*(?:DESCRIPTION\s*>?|TOKEN\s|TAGS\s|NODE\s)/u.test(text.slice(0, 4_096));
}

function asPipe(resource: ReturnType<typeof readResource>): Pipe {
  if (resource.kind === 'pipe') return resource;
  throw new AppError('bad_request', `cannot use ${resource.name}: it describes a data source`);
}

function withDescription(pipe: Pipe, description: string): Pipe {
  return description.trim() === '' ? pipe : { ...pipe, description };
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? meant(value) : typeof value === 'number' ? String(value) : undefined;
}

/** Absent, empty, and what one client writes for "none". */
function meant(text: string | undefined): string | undefined {
  return text === undefined || text.trim() === '' || text === 'None' || text === 'null' ? undefined : text;
}
