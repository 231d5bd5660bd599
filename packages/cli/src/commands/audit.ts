/** `audit`: who changed what, and who read another tenant's data. */

import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { clientOf } from '../target.ts';

interface Entry {
  readonly time: string;
  readonly action: string;
  readonly outcome: string;
  readonly message?: string;
  readonly actor: { readonly id: string; readonly name: string; readonly kind: string };
  readonly tenant: string;
  readonly target: string;
  readonly remoteAddress: string;
}

const FILTERS = ['since', 'until', 'action', 'tenant', 'limit'] as const;

export const audit: Command = {
  name: 'audit',
  summary: 'show who changed what',
  usage: '',
  description: [
    'Shows the audit log, newest first: every change of keys, tenants, tokens, secrets, data sources, pipes and deployments, ' +
      'maintenance, and every read of another tenant’s data by an administrator. --json has what was there before and after.',
    'Needs the admin token, or the admin token of a workspace, which sees its own tenant only.',
  ],
  options: {
    ...SERVER_OPTIONS,
    since: { type: 'string', value: 'TIME', description: 'From then on: 1h, 7d, or 2026-01-31T12:00:00Z' },
    until: { type: 'string', value: 'TIME', description: 'Before then' },
    action: { type: 'string', value: 'NAME', description: 'One action, as key.revoke, or all of a kind, as key' },
    tenant: { type: 'string', value: 'NAME', description: 'Only what is about this tenant (default: all)' },
    limit: { type: 'string', value: 'COUNT', fallback: '100', description: 'At most so many' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse audit --since 1h', what: 'what happened just now' },
    { command: 'glasshouse audit --action key.revoke', what: 'who ended keys' },
    { command: 'glasshouse audit --tenant acme --json', what: 'all about a tenant, with what was before' },
  ],
  more: 'docs/guides/audit-and-quotas.md',
  run: show,
};

async function show(context: Context, args: Arguments): Promise<number> {
  const { output } = context;
  const query = new URLSearchParams();
  for (const name of FILTERS) {
    const value = args.text(name);
    if (value !== undefined) query.set(name, value);
  }
  // Here --tenant says what to show, not for whom to act.
  const client = clientOf(context, args.without('tenant'));
  const { entries } = await client.json<{ readonly entries: readonly Entry[] }>(
    'GET',
    `/api/v1/audit?${query.toString()}`,
  );
  if (args.flag('json')) output.json({ entries });
  else if (entries.length === 0) output.line('Nothing was recorded.');
  else {
    output.table(
      ['Time', 'Who', 'From', 'Action', 'Tenant', 'Target', 'Outcome'].map((title) => ({
        title,
        keep: title === 'Time',
      })),
      entries.map(({ time, actor, remoteAddress, action, tenant, target, outcome, message }) => [
        time.slice(0, 19).replace('T', ' '),
        actor.name === '' || actor.name === actor.id ? actor.id : `${actor.name} (${actor.id})`,
        remoteAddress,
        action,
        tenant,
        target,
        message === undefined ? outcome : `${outcome}: ${message}`,
      ]),
    );
  }
  return 0;
}
