/** `redaction`: what of prompts, completions and personal data may be stored. */

import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS } from '../args.ts';
import type { Client } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { clientOf } from '../target.ts';

const PATH = '/api/v1/redaction';
const KINDS = ['prompts', 'completions', 'tools', 'users'] as const;

interface Policy extends Readonly<Record<(typeof KINDS)[number], string>> {
  readonly tenant: string;
  readonly project: string;
  readonly environment: string;
  readonly preset: string | null;
  readonly redact: readonly string[];
}

export const redaction: Command = {
  name: 'redaction',
  summary: 'decide what of texts may be stored',
  usage: 'show|set PRESET|remove',
  description: [
    'show lists the policies. set gives a tenant, a project or an environment a preset: off, standard (secrets and cards are replaced), ' +
      'ids-only (prompts and completions are dropped, personal data replaced) or strict (texts are hashed, everything is replaced); options ' +
      'change parts of it. remove takes a policy away, so that the one of the tenant holds, or none.',
    'It holds for what is sent from then on, before it is written to disk. set and remove need the admin token.',
  ],
  options: {
    ...SERVER_OPTIONS,
    tenant: { type: 'string', value: 'NAME', description: 'Whose policy (set, remove: default)' },
    project: { type: 'string', value: 'NAME', description: 'Of this project, not of the tenant as a whole' },
    environment: { type: 'string', value: 'NAME', description: 'Of this environment' },
    class: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      description:
        'set: what is replaced: secret, card, email, phone, iban, ssn, ip, person (default: as in the preset)',
    },
    prompts: { type: 'string', value: 'ACTION', description: 'set: keep, hash, truncate or drop' },
    completions: { type: 'string', value: 'ACTION', description: 'set: the same for completions' },
    tools: { type: 'string', value: 'ACTION', description: 'set: the same for arguments and results of tool calls' },
    users: { type: 'string', value: 'ACTION', description: 'set: the same for ids of users' },
    'truncate-to': { type: 'string', value: 'COUNT', description: 'set: characters that truncate leaves (200)' },
  },
  positionals: 2,
  examples: [
    { command: 'glasshouse redaction set strict', what: 'store no texts and no personal data' },
    { command: 'glasshouse redaction set standard --tenant acme --project shop', what: 'keep texts without secrets' },
    { command: 'glasshouse redaction show', what: 'what holds' },
  ],
  more: 'docs/guides/redaction.md',
  run: (context, args) => {
    const [verb, preset] = args.positionals;
    // Here --tenant says whose policy it is, not for whom to act.
    const client = clientOf(context, args.without('tenant'));
    if (verb === 'show' || verb === undefined) return show(context, args, client);
    if (verb === 'set') return set(context, args, client, preset);
    if (verb === 'remove') return remove(context, args, client);
    throw new UsageError(`cannot use redaction ${verb}: give show, set or remove`, 'see `glasshouse redaction --help`');
  },
};

async function show({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const tenant = args.text('tenant');
  const query = tenant === undefined ? '' : `?tenant=${encodeURIComponent(tenant)}`;
  const { policies } = await client.json<{ readonly policies: readonly Policy[] }>('GET', `${PATH}${query}`);
  if (args.flag('json')) output.json({ policies });
  else if (policies.length === 0) output.line('No policies: everything is stored as it comes.');
  else {
    output.table(
      ['Tenant', 'Project', 'Environment', 'Preset', 'Prompts', 'Completions', 'Tools', 'Users', 'Replaced'].map(
        (title) => ({ title }),
      ),
      policies.map((one) => [
        one.tenant,
        one.project || '*',
        one.environment || '*',
        one.preset ?? '-',
        ...KINDS.map((kind) => one[kind]),
        one.redact.join(',') || '-',
      ]),
    );
  }
  return 0;
}

async function set({ output }: Context, args: Arguments, client: Client, preset: string | undefined): Promise<number> {
  if (preset === undefined) {
    throw new UsageError(
      'cannot set a policy without a preset: give off, standard, ids-only or strict',
      'see `glasshouse redaction --help`',
    );
  }
  const classes = args.list('class');
  const made = await client.json<Policy>('PUT', PATH, {
    tenant: args.text('tenant'),
    project: args.text('project'),
    environment: args.text('environment'),
    preset,
    ...(classes.length === 0 ? {} : { redact: classes }),
    ...Object.fromEntries(KINDS.map((kind) => [kind, args.text(kind)])),
    ...(args.text('truncate-to') === undefined ? {} : { truncateTo: args.whole('truncate-to', 1) }),
  });
  if (args.flag('json')) output.json(made);
  else output.line(`Set ${made.preset ?? 'a policy of its own'} for ${placeOf(made)}.`);
  return 0;
}

async function remove({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const query = new URLSearchParams();
  for (const name of ['tenant', 'project', 'environment']) {
    const value = args.text(name);
    if (value !== undefined) query.set(name, value);
  }
  await client.answer(`${PATH}?${query.toString()}`, { method: 'DELETE' });
  if (args.flag('json')) output.json({ removed: true });
  else output.line('Removed the policy.');
  return 0;
}

function placeOf({ tenant, project, environment }: Policy): string {
  const parts = [`tenant ${tenant}`];
  if (project !== '') parts.push(`project ${project}`);
  if (environment !== '') parts.push(`environment ${environment}`);
  return parts.join(', ');
}
