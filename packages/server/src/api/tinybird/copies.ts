/**
 * What pipes fill besides answering: materializations and their populations, copies, sinks. Made and ended, run, paused, resumed.
 * All that takes long is a job.
 */

import type { PipeNode, PipeType } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import type { Copies } from '../../platform/copies.ts';
import { modeOf } from '../../platform/copies.ts';
import { queryPrincipal } from '../../platform/endpoints-reads.ts';
import type { PipeEntry } from '../../platform/resource-row.ts';
import type { Sinks } from '../../platform/sinks.ts';
import type { Call } from './call.ts';
import { baseUrl, guarded, sendNothing } from './call.ts';
import { readCall } from './endpoint-call.ts';
import type { EndpointCall } from './endpoint-call.ts';
import { readFields } from './fields.ts';
import { shownJob } from './jobs.ts';
import { copySettings, sinkSettings, withType } from './pipe-form.ts';
import type { PipesParts } from './pipes.ts';
import { change, changeable, nodeOfPath, shapeOf } from './pipes.ts';

export interface CopyParts extends PipesParts {
  readonly copies: Copies;
  readonly sinks: Sinks;
}

export function copyRoutes(parts: CopyParts): Route[] {
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void>): Route =>
    guarded(parts.platform, method, path, handle);
  const node = '/v0/pipes/:name/nodes/:node';
  const setCopy = (call: Call): Promise<void> => setNode(parts, call, 'copy');
  const setSink = (call: Call): Promise<void> => setNode(parts, call, 'sink');
  return [
    on('POST', '/v0/pipes/:name/copy', (call) => runCopy(parts, call)),
    on('POST', '/v0/pipes/:name/copy/pause', (call) => pause(parts, call, true)),
    on('POST', '/v0/pipes/:name/copy/resume', (call) => pause(parts, call, false)),
    on('POST', `${node}/copy`, setCopy),
    on('PUT', `${node}/copy`, setCopy),
    on('DELETE', `${node}/copy`, (call) => clearNode(parts, call, 'copy')),
    on('POST', '/v0/pipes/:name/sink', (call) => runSink(parts, call)),
    on('POST', '/v0/pipes/:name/sink/pause', (call) => pause(parts, call, true)),
    on('POST', '/v0/pipes/:name/sink/resume', (call) => pause(parts, call, false)),
    on('POST', `${node}/sink`, setSink),
    on('PUT', `${node}/sink`, setSink),
    on('DELETE', `${node}/sink`, (call) => clearNode(parts, call, 'sink')),
    on('DELETE', `${node}/stream`, (call) => clearNode(parts, call, 'sink')),
    on('POST', `${node}/materialization`, (call) => materialize(parts, call)),
    on('DELETE', `${node}/materialization`, (call) => clearNode(parts, call, 'materialized')),
    on('POST', `${node}/population`, (call) => populate(parts, call)),
    on('GET', `${node}/analysis`, (call) => analyse(parts, call)),
  ];
}

async function runCopy(parts: CopyParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const given = await readCall(call);
  const mode = textOf(given.values.get('_mode'));
  const { job, target } = await parts.copies.start(entry, {
    mode: mode === undefined || mode === '' ? undefined : modeOf(mode),
    call: withoutOwn(given),
  });
  sendJson(call.response, 200, {
    ...shapeOf(parts, call, entry),
    job: shownJob(job, baseUrl(call)),
    tags: { copy_target_datasource: target.id },
  });
}

async function runSink(parts: CopyParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const job = await parts.sinks.start(entry, { call: withoutOwn(await readCall(call)) });
  sendJson(call.response, 200, { ...shapeOf(parts, call, entry), job: shownJob(job, baseUrl(call)) });
}

function pause(parts: CopyParts, call: Call, isPaused: boolean): Promise<void> {
  const entry = changeable(parts, call);
  if (isPaused) parts.schedules.pause(entry.id);
  else parts.schedules.resume(entry.id);
  sendJson(call.response, 200, shapeOf(parts, call, entry));
  return Promise.resolve();
}

async function setNode(parts: CopyParts, call: Call, type: 'copy' | 'sink'): Promise<void> {
  const entry = changeable(parts, call);
  const node = nodeOfPath(entry, call);
  const fields = await readFields(call);
  const former = node.type === type ? node.settings : {};
  const settings = type === 'copy' ? copySettings(fields, former) : sinkSettings(fields, former);
  await answer(
    parts,
    call,
    await change(parts, call, withType(entry.definition, node, type, named(parts, call, settings))),
  );
}

/** Data sources may be named by their ids; definitions have names. */
function named(parts: CopyParts, { principal }: Call, settings: PipeNode['settings']): PipeNode['settings'] {
  const target = settings['TARGET_DATASOURCE'];
  if (target === undefined) return settings;
  return { ...settings, TARGET_DATASOURCE: parts.platform.registry.dataSource(principal.tenant, target).name };
}

async function clearNode(parts: CopyParts, call: Call, type: PipeType): Promise<void> {
  const entry = changeable(parts, call);
  const node = nodeOfPath(entry, call);
  if (node.type === type) await change(parts, call, withType(entry.definition, node, 'default', {}));
  sendNothing(call.response);
}

async function materialize(parts: CopyParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const node = nodeOfPath(entry, call);
  const fields = await readFields(call);
  const target = fields.need('datasource', 'materialize the node');
  const { name } = parts.platform.registry.dataSource(call.principal.tenant, target);
  const definition = withType(entry.definition, node, 'materialized', { DATASOURCE: name });
  if (!fields.flag('populate')) return answer(parts, call, await change(parts, call, definition));
  const { entry: changed, job } = await parts.populations.put(call.principal.tenant, definition, {
    unlink: fields.flag('unlink_on_populate_error'),
    condition: fields.get('populate_condition') || undefined,
  });
  const shown = shapeOf(parts, call, changed);
  sendJson(call.response, 200, job === undefined ? shown : { ...shown, job: shownJob(job, baseUrl(call)) });
}

async function populate(parts: CopyParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const node = nodeOfPath(entry, call);
  const fields = await readFields(call);
  const job = await parts.populations.start(entry, node.name, {
    truncate: fields.flag('truncate'),
    condition: fields.get('populate_condition') || undefined,
    unlink: fields.flag('unlink_on_populate_error'),
  });
  sendJson(call.response, 200, {
    ...shapeOf(parts, call, entry),
    job: shownJob(job, baseUrl(call)),
    ...shownJob(job, baseUrl(call)),
  });
}

/** What a materialization of the node would be. Nothing is made. */
async function analyse(parts: CopyParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const node = nodeOfPath(entry, call);
  const { door, endpoints, platform } = parts;
  const { sql, options } = endpoints.sample(entry.tenant, entry.definition, node);
  const { columns } = await door.check(queryPrincipal(call.principal), sql, options);
  const wanted = call.query.get('datasource') ?? '';
  const target = platform.catalog.dataSource(entry.tenant, wanted);
  const names = new Set(columns.map(({ name }) => name));
  const missing = target?.definition.columns.filter(({ name, kind }) => kind === undefined && !names.has(name)) ?? [];
  sendJson(call.response, 200, {
    analysis: {
      pipe: { id: entry.id, name: entry.name, node: { name: node.name, columns } },
      datasource: { name: target?.name ?? wanted, columns: target?.definition.columns ?? columns },
    },
    warnings: missing.map(({ name }) => ({
      text: `column ${name} of ${target?.name ?? wanted} is not among those of the node, and gets its default`,
    })),
  });
}

function answer(parts: CopyParts, call: Call, entry: PipeEntry): Promise<void> {
  sendJson(call.response, 200, shapeOf(parts, call, entry));
  return Promise.resolve();
}

/** The parameters for the pipe's template, without those of the request itself. */
function withoutOwn(call: EndpointCall): EndpointCall {
  const values = new Map(call.values);
  values.delete('_mode');
  return { ...call, values };
}

function textOf(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value === 'string') return value;
  throw new AppError('bad_request', 'cannot copy: _mode must be append or replace');
}
