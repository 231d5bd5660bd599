/**
 * Pipes: listed, shown, made, changed, removed, one request at a time. Whole projects come as deployments.
 *
 * Must stay true: changing a pipe needs PIPES:CREATE, removing it PIPES:DROP. What the server made for itself is not listed. Pipes
 * that every workspace has are shown to who asks with `built_in=true`: a client that compares the workspace with a project would
 * drop what it sees, or hold back the project's own pipe of the name.
 */

import type { Pipe, PipeNode } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { send, sendJson } from '../../http/router.ts';
import { isEverywhere } from '../../platform/built-in-pipes.ts';
import { dataFileOf } from '../../platform/definition-form.ts';
import { queryPrincipal } from '../../platform/endpoints-reads.ts';
import type { Endpoints } from '../../platform/endpoints.ts';
import type { Platform } from '../../platform/platform.ts';
import type { Populations } from '../../platform/populate.ts';
import { demand } from '../../platform/principal.ts';
import type { WorkspacePrincipal } from '../../platform/principal.ts';
import type { PipeEntry } from '../../platform/resource-row.ts';
import type { Schedules } from '../../platform/schedules.ts';
import type { Door } from '../../query/door.ts';
import type { Call } from './call.ts';
import { baseUrl, guarded, sendNothing } from './call.ts';
import type { Fields } from './fields.ts';
import { readFields } from './fields.ts';
import { shownJob } from './jobs.ts';
import { nodeWith, pipeOf, published } from './pipe-form.ts';
import type { NodeColumns, Shown } from './pipe-shape.ts';
import { nodeIdOf, seesInside, shownNode, shownPipe, withAttributes } from './pipe-shape.ts';

export interface PipesParts {
  readonly platform: Platform;
  readonly endpoints: Endpoints;
  readonly populations: Populations;
  readonly schedules: Schedules;
  readonly door: Pick<Door, 'check'>;
}

export function pipesRoutes(parts: PipesParts): Route[] {
  const { platform } = parts;
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void>): Route =>
    guarded(platform, method, path, handle);
  const download = (call: Call): Promise<void> => sendFile(parts, call);
  const publish = (call: Call): Promise<void> => publishNode(parts, call, true);
  const unpublish = (call: Call): Promise<void> => publishNode(parts, call, false);
  return [
    on('GET', '/v0/pipes', (call) => list(parts, call)),
    on('POST', '/v0/pipes', (call) => create(parts, call)),
    on('GET', '/v0/pipes/:name', (call) => (call.query.get('format') === 'pipe' ? download(call) : show(parts, call))),
    on('GET', '/v0/pipes/:name.pipe', download),
    on('GET', '/v1/pipes/:name.pipe', download),
    on('PUT', '/v0/pipes/:name', (call) => update(parts, call)),
    on('DELETE', '/v0/pipes/:name', (call) => drop(parts, call)),
    on('POST', '/v0/pipes/:name/nodes', (call) => addNode(parts, call)),
    on('PUT', '/v0/pipes/:name/nodes/:node', (call) => changeNode(parts, call)),
    on('DELETE', '/v0/pipes/:name/nodes/:node', (call) => dropNode(parts, call)),
    on('POST', '/v0/pipes/:name/nodes/:node/endpoint', publish),
    on('DELETE', '/v0/pipes/:name/nodes/:node/endpoint', unpublish),
    on('PUT', '/v0/pipes/:name/endpoint', (call) => publishByBody(parts, call)),
    on('DELETE', '/v0/pipes/:name/endpoint', unpublish),
  ];
}

/** The pipe of the path. Throws `not_found` also for one that the principal may not know of. */
function pipeOfPath({ platform }: Pick<PipesParts, 'platform'>, { principal, params }: Call): PipeEntry {
  const which = params['name'] ?? '';
  return admitted(platform.catalog.pipe(principal.tenant, which), principal, which);
}

/** The pipe of the path, or the built-in one of this name. Throws `not_found`. */
function callableOfPath({ endpoints }: PipesParts, { principal, params }: Call): PipeEntry {
  const which = params['name'] ?? '';
  return admitted(endpoints.callables.pipe(principal.tenant, which), principal, which);
}

function admitted(entry: PipeEntry | undefined, principal: WorkspacePrincipal, which: string): PipeEntry {
  if (entry !== undefined && (principal.may('PIPES:READ', entry) || seesInside(principal))) return entry;
  throw new AppError('not_found', `cannot find pipe=${which.slice(0, 130)}: the workspace has none of that name`);
}

/** The pipe of the path, for who may change it. Throws `conflict` for one that every workspace has. */
export function changeable(parts: Pick<PipesParts, 'endpoints' | 'platform'>, call: Call): PipeEntry {
  demand(call.principal, 'PIPES:CREATE');
  refuseBuiltIn(parts, call, 'change');
  return pipeOfPath(parts, call);
}

function refuseBuiltIn({ endpoints }: Pick<PipesParts, 'endpoints'>, { principal, params }: Call, verb: string): void {
  const entry = endpoints.callables.pipe(principal.tenant, params['name'] ?? '');
  if (entry === undefined || !isEverywhere(entry)) return;
  throw new AppError(
    'conflict',
    `cannot ${verb} pipe=${entry.name}: every workspace has it; a pipe of your own with this name takes its place`,
  );
}

/** The node of the path, by its id or name. Throws `not_found`. */
export function nodeOfPath(entry: PipeEntry, { params }: Pick<Call, 'params'>): PipeNode {
  const which = params['node'] ?? '';
  const { nodes } = entry.definition;
  const node = nodes.find(({ name }) => name === which) ?? nodes.find(({ name }) => nodeIdOf(entry, name) === which);
  if (node !== undefined) return node;
  throw new AppError('not_found', `cannot find node=${which.slice(0, 130)}: pipe ${entry.name} has none of that name`);
}

/** Writes another definition of a pipe and answers with it. */
export async function change(parts: PipesParts, call: Call, definition: Pipe): Promise<PipeEntry> {
  return parts.platform.registry.putPipe(call.principal.tenant, definition);
}

export function shapeOf(parts: PipesParts, call: Call, entry: PipeEntry, columns?: NodeColumns): Shown {
  const { endpoints, platform, schedules } = parts;
  const shapes = { endpoints, schedules, catalog: platform.catalog };
  return shownPipe(entry, shapes, call.principal, baseUrl(call), columns);
}

function list(parts: PipesParts, call: Call): Promise<void> {
  const { principal, query, response } = call;
  const isWhole = wantsBuiltIn(call);
  const entries = (isWhole ? parts.endpoints.callables : parts.platform.catalog)
    .pipes(principal.tenant)
    .filter(
      (entry) =>
        (!entry.builtIn || isEverywhere(entry)) && (principal.may('PIPES:READ', entry) || seesInside(principal)),
    );
  const pipes = entries.map((entry) =>
    withAttributes(shapeOf(parts, call, entry), query.get('attrs'), query.get('node_attrs')),
  );
  sendJson(response, 200, { pipes });
  return Promise.resolve();
}

function wantsBuiltIn({ query }: Call): boolean {
  return query.get('built_in') === 'true';
}

async function show(parts: PipesParts, call: Call): Promise<void> {
  const entry = wantsBuiltIn(call) ? callableOfPath(parts, call) : pipeOfPath(parts, call);
  const columns = seesInside(call.principal) ? await columnsOf(parts, entry) : undefined;
  sendJson(call.response, 200, shapeOf(parts, call, entry, columns));
}

/** What the nodes give, with values made up for their parameters; nothing of a node that cannot be resolved. */
async function columnsOf({ door, endpoints }: PipesParts, entry: PipeEntry): Promise<NodeColumns> {
  const principal = queryPrincipal({ tenant: entry.tenant, tokenId: 'pipes' });
  const found = await Promise.all(
    entry.definition.nodes.map(async (node) => {
      try {
        const { sql, options } = endpoints.sample(entry.tenant, entry.definition, node);
        const { columns } = await door.check(principal, sql, options);
        return [node.name, columns] as const;
      } catch {
        return [node.name, []] as const;
      }
    }),
  );
  return new Map(found);
}

function sendFile(parts: PipesParts, call: Call): Promise<void> {
  const entry = callableOfPath(parts, call);
  if (!seesInside(call.principal)) demand(call.principal, 'WORKSPACE:READ_ALL');
  // Clients take it for text only if nothing follows the type.
  send(call.response, 200, 'text/plain', dataFileOf(entry.definition));
  return Promise.resolve();
}

async function create(parts: PipesParts, call: Call): Promise<void> {
  const { principal, response } = call;
  demand(principal, 'PIPES:CREATE');
  const fields = await readFields(call);
  const { catalog } = parts.platform;
  const name = fields.need('name', 'make the pipe').trim();
  const former = catalog.pipe(principal.tenant, name);
  const isOwn = former !== undefined && former.name === name;
  if (isOwn && !fields.flag('force'))
    throw new AppError('conflict', `cannot make pipe=${name}: there is one of that name; use force=true to replace it`);
  const definition = pipeOf(fields, isOwn ? former.definition : undefined);
  if (!fields.flag('populate')) {
    sendJson(response, 200, shapeOf(parts, call, await change(parts, call, definition)));
    return;
  }
  const { entry, job } = await parts.populations.put(principal.tenant, definition, {
    unlink: fields.flag('unlink_on_populate_error'),
    condition: fields.get('populate_condition') || undefined,
  });
  const shown = shapeOf(parts, call, entry);
  sendJson(response, 200, job === undefined ? shown : { ...shown, job: shownJob(job, baseUrl(call)) });
}

async function update(parts: PipesParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const fields = await readFields(call);
  const name = fields.get('name');
  if (name !== undefined && name !== entry.name)
    throw new AppError('bad_request', `cannot rename pipe=${entry.name}: make another one and drop this`);
  const { description: _, ...rest } = entry.definition;
  const description = fields.get('description') ?? entry.definition.description ?? '';
  const definition = description === '' ? rest : { ...rest, description };
  sendJson(call.response, 200, shapeOf(parts, call, await change(parts, call, definition)));
}

async function drop(parts: PipesParts, call: Call): Promise<void> {
  const { platform } = parts;
  if (seesInside(call.principal)) refuseBuiltIn(parts, call, 'drop');
  const entry = pipeOfPath(parts, call);
  demand(call.principal, 'PIPES:DROP', entry);
  await platform.registry.dropPipe(call.principal.tenant, entry.id, call.query.get('force') === 'true');
  sendNothing(call.response);
}

async function addNode(parts: PipesParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const { definition } = entry;
  const node = nodeWith(await readFields(call), undefined, `${entry.name}_${definition.nodes.length}`);
  if (definition.nodes.some(({ name }) => name === node.name))
    throw new AppError('conflict', `cannot add node=${node.name}: pipe ${entry.name} has one of that name`);
  await answerNode(parts, call, { ...definition, nodes: [...definition.nodes, node] }, node.name);
}

async function changeNode(parts: PipesParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const former = nodeOfPath(entry, call);
  const node = nodeWith(await readFields(call), former, former.name);
  const nodes = entry.definition.nodes.map((one) => (one === former ? node : one));
  await answerNode(parts, call, { ...entry.definition, nodes }, node.name);
}

async function dropNode(parts: PipesParts, call: Call): Promise<void> {
  const entry = changeable(parts, call);
  const node = nodeOfPath(entry, call);
  const nodes = entry.definition.nodes.filter((one) => one !== node);
  await change(parts, call, { ...entry.definition, nodes });
  sendNothing(call.response);
}

async function answerNode(parts: PipesParts, call: Call, definition: Pipe, name: string): Promise<void> {
  const entry = await change(parts, call, definition);
  const node = entry.definition.nodes.find((one) => one.name === name) as PipeNode;
  const { endpoints, platform, schedules } = parts;
  const shapes = { endpoints, schedules, catalog: platform.catalog };
  sendJson(call.response, 200, shownNode(entry, node, shapes, call.principal));
}

async function publishNode(parts: PipesParts, call: Call, isWanted: boolean): Promise<void> {
  const entry = changeable(parts, call);
  const node = isWanted ? nodeOfPath(entry, call) : undefined;
  sendJson(call.response, 200, shapeOf(parts, call, await change(parts, call, published(entry.definition, node))));
}

async function publishByBody(parts: PipesParts, call: Call): Promise<void> {
  const fields: Fields = await readFields(call);
  const node = fields.text.trim() || fields.get('node') || '';
  await publishNode(parts, { ...call, params: { ...call.params, node } }, true);
}
