/**
 * The list of attacks on the data platform, by surface. It grows with every surface, and by every hole that is found.
 *
 * Must stay true: a surface that answers with data of a workspace is in `LEAST`, with so many attacks at least.
 */

import { accountAttacks } from './accounts.ts';
import type { Attack, Victim } from './attack.ts';
import { credentialAttacks } from './credentials.ts';
import type { Attacker } from './credentials.ts';
import { definitionAttacks } from './definitions.ts';
import { everywhereAttacks } from './everywhere.ts';
import { filterAttacks } from './filters.ts';
import { importAttacks } from './imports.ts';
import { observaAttacks } from './observa.ts';
import { queryAttacks } from './queries.ts';
import { sourceAttacks } from './sources.ts';
import { templateAttacks } from './templates.ts';
import { thingAttacks } from './things.ts';

/** How many attacks each surface has at least. */
export const LEAST: Readonly<Record<string, number>> = {
  // First those that show what was done: later on the attacker has done much itself.
  jobs: 10,
  usage: 40,
  lists: 50,
  tokens: 15,
  workspaces: 10,
  variables: 70,
  sql: 150,
  '8123': 150,
  'system tables': 50,
  'endpoint q': 25,
  templates: 300,
  'default nodes': 35,
  'endpoint nodes': 35,
  'copy nodes': 50,
  'materialized nodes': 40,
  'sink nodes': 55,
  deployments: 30,
  'data sources': 80,
  conditions: 45,
  events: 14,
  'write filters': 20,
  quarantine: 12,
  'row filters': 350,
  JWT: 120,
  'fixed parameters': 60,
  'another workspace': 20,
  pipes: 70,
  'control plane': 12,
  'SQL tools': 20,
  'SDK keys': 150,
  'SDK events': 70,
  accounts: 150,
  'imports from elsewhere': 50,
  'names of files': 40,
  'built-in pipes': 500,
  'pipes on 8123': 60,
  migrations: 60,
};

/** `now` is in seconds since 1970. */
export function listAttacks(attacker: Attacker, victim: Victim, now: number): readonly Attack[] {
  return [
    ...queryAttacks(victim),
    ...definitionAttacks(victim),
    ...sourceAttacks(victim),
    ...templateAttacks(victim),
    ...filterAttacks(),
    ...credentialAttacks(attacker, victim, now),
    ...thingAttacks(victim),
    ...observaAttacks(attacker, victim, now),
    ...accountAttacks(attacker, victim, now),
    ...importAttacks(victim),
    ...everywhereAttacks(victim),
  ];
}

export function countBySurface(attacks: readonly Attack[]): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { surface } of attacks) counts.set(surface, (counts.get(surface) ?? 0) + 1);
  return counts;
}
