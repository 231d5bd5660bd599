/**
 * Changes of pipes. A pipe stores nothing, except that a materialized node fills a data source: if what it computes changes,
 * the rows that it wrote are out of date, and its target has to be filled again.
 */

import type { Pipe, PipeNode } from '@glasshouse/model';
import type { Change, ChangeType, Impact } from './change.ts';

/** Changes of nodes and of the cache; what pipes share with data sources is compared by the caller. */
export function diffPipe(before: Pipe, after: Pipe): Change[] {
  const old = new Map(before.nodes.map((node) => [node.name, node]));
  const now = new Map(after.nodes.map((node) => [node.name, node]));
  const removed = before.nodes.filter(({ name }) => !now.has(name)).map(removedNode);
  const fills = after.nodes.some(isRefilled);
  const rest = after.nodes.flatMap((node) => {
    const former = old.get(node.name);
    return former === undefined ? [addedNode(node)] : diffNode(former, node, fills);
  });
  return [...removed, ...rest, ...diffOrder(before, after), ...diffCache(before, after)];
}

/** DEPLOYMENT_METHOD alter means that a change holds for rows to come only. */
function isRefilled({ type, settings }: PipeNode): boolean {
  return type === 'materialized' && settings['DEPLOYMENT_METHOD'] !== 'alter';
}

function addedNode(node: PipeNode): Change {
  const { name, sql } = node;
  const refilled = isRefilled(node);
  const message = `The node ${name} is added${refilled ? `, and fills ${targetOf(node)} with the rows that are there` : ''}.`;
  return { type: 'node_added', impact: refilled ? 'rebuild' : 'inPlace', subject: name, after: sql, message };
}

function removedNode(node: PipeNode): Change {
  const stays = node.type === 'materialized' ? `; the rows of ${targetOf(node)} stay` : '';
  const message = `The node ${node.name} is removed${stays}.`;
  return { type: 'node_removed', impact: 'inPlace', subject: node.name, before: node.sql, message };
}

function targetOf({ settings }: PipeNode): string {
  return settings['DATASOURCE'] ?? 'its target';
}

function diffNode(old: PipeNode, now: PipeNode, fills: boolean): Change[] {
  const { name } = now;
  const changes: Change[] = [];
  const add = (
    type: ChangeType,
    impact: Impact,
    before: string | undefined,
    after: string | undefined,
    message: string,
  ): void => {
    if (before !== after) changes.push({ type, impact, subject: name, before, after, message });
  };
  const refilled = isRefilled(now) ? 'rebuild' : 'inPlace';
  add('node_type_changed', refilled, old.type, now.type, `The node ${name} changes from ${old.type} to ${now.type}.`);
  const computes = now.type === 'default' || now.type === 'materialized';
  const sqlImpact = fills && computes ? 'rebuild' : 'inPlace';
  const again = sqlImpact === 'rebuild' ? ', and what the pipe fills is filled again' : '';
  add('node_sql_changed', sqlImpact, old.sql, now.sql, `The SQL of node ${name} changes${again}.`);
  for (const key of new Set([...Object.keys(old.settings), ...Object.keys(now.settings)])) {
    const [before, after] = [old.settings[key], now.settings[key]];
    const impact = key === 'DATASOURCE' ? refilled : 'inPlace';
    const message = `${key} of node ${name} changes from ${before ?? 'nothing'} to ${after ?? 'nothing'}.`;
    add('node_setting_changed', impact, before, after, message);
  }
  add(
    'node_description_changed',
    'inPlace',
    old.description,
    now.description,
    `The description of node ${name} changes.`,
  );
  return changes;
}

function diffOrder(before: Pipe, after: Pipe): Change[] {
  const names = (pipe: Pipe, other: Pipe): string =>
    pipe.nodes
      .map(({ name }) => name)
      .filter((name) => other.nodes.some((node) => node.name === name))
      .join(', ');
  const [old, now] = [names(before, after), names(after, before)];
  if (old === now) return [];
  return [
    { type: 'nodes_reordered', impact: 'inPlace', before: old, after: now, message: 'The nodes are in another order.' },
  ];
}

function diffCache(before: Pipe, after: Pipe): Change[] {
  if (before.cacheSeconds === after.cacheSeconds) return [];
  const [old, now] = [before.cacheSeconds?.toString(), after.cacheSeconds?.toString()];
  const message = now === undefined ? 'Answers are not kept any more.' : `Answers are kept for ${now} s.`;
  return [{ type: 'cache_changed', impact: 'inPlace', subject: 'CACHE', before: old, after: now, message }];
}
