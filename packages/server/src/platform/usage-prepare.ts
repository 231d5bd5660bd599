/**
 * Makes the data sources about the use of a workspace, and the pipe that adds them up, where they never were.
 *
 * Must stay true: what somebody dropped stays dropped. Ids follow from the names, so every server makes the same.
 */

import { USAGE_PIPE, USAGE_SOURCES } from './usage-sources.ts';
import type { Registry } from './registry.ts';
import { uuidOf } from './token-key.ts';

/** Prepares a workspace, once for all who ask meanwhile: two that make the same data source would refuse each other. */
export function usagePreparation(registry: Registry, now: () => number): (tenant: string) => Promise<void> {
  const underWay = new Map<string, Promise<void>>();
  return (tenant) => {
    let preparing = underWay.get(tenant);
    if (preparing === undefined) {
      preparing = prepareUsage(registry, tenant, now).finally(() => underWay.delete(tenant));
      underWay.set(tenant, preparing);
    }
    return preparing;
  };
}

/** Does nothing for a workspace that has them. */
async function prepareUsage(registry: Registry, tenant: string, now: () => number): Promise<void> {
  const { catalog } = registry;
  const idOf = (name: string): string => `t_${uuidOf(`${tenant} ${name}`).replaceAll('-', '')}`;
  for (const definition of USAGE_SOURCES) {
    const id = idOf(definition.name);
    if (!catalog.hadBuiltIn(id)) await registry.createBuiltIn(tenant, definition, id);
  }
  const { name } = USAGE_PIPE;
  const id = idOf(`${name} pipe`);
  if (catalog.hadBuiltIn(id) || catalog.find(tenant, name) !== undefined) return;
  const at = new Date(now());
  const times = { createdAt: at, updatedAt: at, version: at.getTime() };
  const rest = { tenant, id, name, builtIn: true, deployment: '', deleted: false };
  await catalog.save([{ ...rest, ...times, kind: 'pipe', definition: USAGE_PIPE }]);
}
