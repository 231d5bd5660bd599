/**
 * Tags of resources, by tag: what a command line asks for when files with `TAGS` are pushed one by one.
 *
 * Must stay true: a tag is kept in the definitions of what has it, as its files say it, and nowhere else. So one that nothing
 * has is not there, and nobody hears of a resource that they may not see.
 */

import type { DataSource, Pipe } from '@glasshouse/model';
import { AppError } from '@glasshouse/model';
import type { Route } from '../../http/router.ts';
import { sendJson } from '../../http/router.ts';
import type { Platform } from '../../platform/platform.ts';
import { demand } from '../../platform/principal.ts';
import type { ResourceEntry } from '../../platform/resource-row.ts';
import { uuidOf } from '../../platform/token-key.ts';
import type { Call } from './call.ts';
import { guarded, sendNothing } from './call.ts';
import { maySee } from './datasource-shape.ts';
import { demandChange } from './datasources.ts';
import type { Fields } from './fields.ts';
import { readFields } from './fields.ts';
import { seesInside } from './pipe-shape.ts';
import { timeText } from './times.ts';

/** What a line of TAGS can hold: no quotes, and no comma, which parts them. */
const TAG = /^[^\s"',](?:[^\p{Cc}"',]{0,98}[^\s"',])?$/u;

export function tagRoutes(platform: Platform): Route[] {
  const on = (method: Route['method'], path: string, handle: (call: Call) => Promise<void> | void): Route =>
    guarded(platform, method, path, handle);
  return [
    on('GET', '/v0/tags', (call) => sendJson(call.response, 200, { tags: tagsOf(platform, call) })),
    on('POST', '/v0/tags', async (call) => {
      const fields = await readFields(call);
      const tag = fields.need('name', 'make a tag').trim();
      const wanted = resourcesOf(platform, call, fields);
      if (wanted.length === 0)
        throw new AppError('bad_request', `cannot make tag=${tag}: nothing has it; name its resources`);
      await answerTag(platform, call, tag, [...tagged(platform, call, tag), ...wanted]);
    }),
    on('PUT', '/v0/tags/:name', async (call) => {
      const tag = present(platform, call);
      const fields = await readFields(call);
      const name = fields.get('name')?.trim() || tag;
      const wanted = Array.isArray(fields.json['resources'])
        ? resourcesOf(platform, call, fields)
        : tagged(platform, call, tag);
      if (name !== tag) await setTag(platform, call, tag, []);
      await answerTag(platform, call, name, wanted);
    }),
    on('DELETE', '/v0/tags/:name', async (call) => {
      await setTag(platform, call, present(platform, call), []);
      sendNothing(call.response);
    }),
  ];
}

function visible(platform: Platform, { principal }: Call): ResourceEntry[] {
  return platform.catalog
    .list(principal.tenant)
    .filter((entry) =>
      entry.kind === 'pipe' ? principal.may('PIPES:READ', entry) || seesInside(principal) : maySee(principal, entry),
    );
}

function tagged(platform: Platform, call: Call, tag: string): ResourceEntry[] {
  return visible(platform, call).filter(({ definition }) => definition.tags.includes(tag));
}

function tagsOf(platform: Platform, call: Call): object[] {
  const names = new Set(visible(platform, call).flatMap(({ definition }) => definition.tags));
  return [...names].toSorted().map((name) => shownTag(name, call, tagged(platform, call, name)));
}

function shownTag(name: string, { principal }: Call, entries: readonly ResourceEntry[]): object {
  const times = entries.map(({ updatedAt }) => updatedAt.getTime());
  return {
    id: uuidOf(`tag ${principal.tenant} ${name}`),
    name,
    resources: entries.map((entry) => ({ id: entry.id, name: entry.name, type: entry.kind })),
    created_at: timeText(new Date(Math.min(...times))),
    updated_at: timeText(new Date(Math.max(...times))),
  };
}

/** The tag of the path. Throws `not_found` if nothing has it. */
function present(platform: Platform, call: Call): string {
  const tag = call.params['name'] ?? '';
  if (tagged(platform, call, tag).length > 0) return tag;
  throw new AppError('not_found', `cannot find tag=${tag.slice(0, 100)}: no resource of the workspace has it`);
}

/** The resources of the body, `[{"id" or "name"}]`, by id first. Throws `bad_request`, or `not_found` for one that is not there. */
function resourcesOf(platform: Platform, call: Call, { json }: Fields): ResourceEntry[] {
  const list = Array.isArray(json['resources']) ? (json['resources'] as readonly unknown[]) : [];
  const entries = visible(platform, call);
  return list.map((item) => {
    const { id, name } = (typeof item === 'object' && item !== null ? item : {}) as Readonly<Record<string, unknown>>;
    const found = entries.find((entry) => entry.id === id) ?? entries.find((entry) => entry.name === name);
    if (found !== undefined) return found;
    throw new AppError(
      'not_found',
      `cannot tag ${String(name ?? id).slice(0, 130)}: the workspace has none of that name`,
    );
  });
}

async function answerTag(platform: Platform, call: Call, tag: string, wanted: readonly ResourceEntry[]): Promise<void> {
  if (!TAG.test(tag))
    throw new AppError(
      'bad_request',
      `cannot use tag=${JSON.stringify(tag.slice(0, 110))}: 1 to 100 characters, no commas and no quotes`,
    );
  await setTag(platform, call, tag, wanted);
  sendJson(call.response, 200, shownTag(tag, call, tagged(platform, call, tag)));
}

/** Gives the tag to these resources and takes it from all others. */
async function setTag(platform: Platform, call: Call, tag: string, wanted: readonly ResourceEntry[]): Promise<void> {
  const { registry } = platform;
  const { tenant } = call.principal;
  const ids = new Set(wanted.map(({ id }) => id));
  const changed = visible(platform, call).filter(({ id, definition }) => ids.has(id) !== definition.tags.includes(tag));
  // Refused as a whole, before anything is changed.
  for (const entry of changed) {
    if (entry.kind === 'pipe') demand(call.principal, 'PIPES:CREATE');
    else demandChange(call, entry);
  }
  for (const entry of changed) {
    if (entry.kind === 'pipe') await registry.putPipe(tenant, toggled(entry.definition, tag));
    else await registry.alterDataSource(tenant, entry.id, toggled(entry.definition, tag));
  }
}

function toggled<T extends DataSource | Pipe>(definition: T, tag: string): T {
  const others = definition.tags.filter((other) => other !== tag);
  return { ...definition, tags: others.length < definition.tags.length ? others : [...others, tag] };
}
