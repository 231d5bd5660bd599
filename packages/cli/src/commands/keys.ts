/** `keys`: API keys, made, listed, rotated and revoked through the administrator's routes. */

import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS } from '../args.ts';
import type { Client } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import type { Output } from '../output.ts';
import { clientOf } from '../target.ts';

const PATH = '/api/v1/admin/keys';

interface Key {
  readonly id: string;
  readonly name: string;
  readonly tenant: string;
  readonly project: string;
  readonly environment: string;
  readonly scopes: readonly string[];
  readonly createdAt: string;
  readonly expiresAt: string | null;
  readonly revokedAt: string | null;
}

export const keys: Command = {
  name: 'keys',
  summary: 'make, list, rotate and revoke API keys',
  usage: 'create|list|rotate|revoke [ID]',
  description: [
    'create makes a key and shows its secret, this once only. The key decides to which tenant, project and environment data belongs. ' +
      'list shows all keys without their secrets. rotate ID makes the follower of a key, which itself ends after the overlap. revoke ID ' +
      'ends a key for good.',
    "create --sdk makes a key for Observa's SDK: a JWT that says whose events it sends, and sends only.",
    'Needs the admin token, which the server keeps in DIR/admin-token. Keys are asked for with GLASSHOUSE_AUTH=keys; without, they ' +
      'still say where data belongs.',
  ],
  options: {
    ...SERVER_OPTIONS,
    name: { type: 'string', value: 'TEXT', description: 'create: what the key is for (needed)' },
    tenant: {
      type: 'string',
      value: 'NAME',
      description: 'create: tenant, made if new (default: default); list: only this one',
    },
    project: { type: 'string', value: 'NAME', description: 'create: project (default: default)' },
    environment: { type: 'string', value: 'NAME', description: 'create: environment (default: dev)' },
    scope: {
      type: 'string',
      value: 'NAME',
      multiple: true,
      fallback: 'ingest,query',
      description: 'create: ingest, query, admin',
    },
    expires: {
      type: 'string',
      value: 'DAYS',
      description: 'create, rotate: days until it ends (default: never, or as the former; with --sdk 365)',
    },
    sdk: { type: 'boolean', description: "create: for Observa's SDK; --environment is dev or prod then" },
    through: {
      type: 'string',
      value: 'TOKEN',
      description: 'create --sdk: token of a workspace that its rows pass through',
    },
    overlap: { type: 'string', value: 'HOURS', description: 'rotate: hours that the former still works (default: 24)' },
  },
  positionals: 2,
  examples: [
    {
      command: 'glasshouse keys create --name checkout --project shop --environment prod --scope ingest',
      what: 'for an application',
    },
    { command: 'glasshouse keys list', what: 'who has one' },
    {
      command: 'glasshouse keys create --sdk --tenant acme --project chat --environment prod',
      what: "for Observa's SDK",
    },
    { command: 'glasshouse keys rotate k3x9… --overlap 48', what: 'replace one; the former works two more days' },
    { command: 'glasshouse keys revoke k3x9…', what: 'end one' },
  ],
  more: 'docs/reference/configuration.md, GLASSHOUSE_AUTH',
  run: async (context, args) => {
    const [verb, id] = args.positionals;
    // Here --tenant says whose key it is, not for whom to act.
    const client = clientOf(context, args.without('tenant'));
    switch (verb) {
      case 'create':
        return args.flag('sdk') ? createForSdk(context, args, client) : create(context, args, client);
      case 'list':
        return list(context, args, client);
      case 'rotate':
        return rotate(context, args, client, id);
      case 'revoke':
        return revoke(context, args, client, id);
      default:
        throw new UsageError(
          verb === undefined
            ? 'cannot tell what to do: give create, list, rotate or revoke'
            : `cannot use keys ${verb}: give create, list, rotate or revoke`,
          'see `glasshouse keys --help`',
        );
    }
  },
};

async function create({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const name = args.text('name');
  if (name === undefined)
    throw new UsageError('cannot make a key without --name: say what it is for', 'see `glasshouse keys --help`');
  const { key, ...made } = await client.json<Key & { readonly key: string }>('POST', PATH, {
    name,
    tenant: args.text('tenant'),
    project: args.text('project'),
    environment: args.text('environment'),
    scopes: args.list('scope'),
    ...(args.text('expires') === undefined ? {} : { expiresInDays: args.whole('expires', 1) }),
  });
  if (args.flag('json')) {
    output.json({ ...made, key });
    return 0;
  }
  showOnce(output, key, made);
  output.line('An application sends it as:');
  output.line(`  export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20${key}"`);
  return 0;
}

async function createForSdk({ output }: Context, args: Arguments, client: Client): Promise<number> {
  const { apiKey, keyId, expiresAt } = await client.json<Readonly<Record<'apiKey' | 'expiresAt' | 'keyId', string>>>(
    'POST',
    '/api/v1/auth/tokens',
    {
      tenantId: args.text('tenant') ?? 'default',
      projectId: args.text('project') ?? 'default',
      environment: args.text('environment') ?? 'dev',
      ...(args.text('through') === undefined ? {} : { tinybirdToken: args.text('through') }),
      ...(args.text('expires') === undefined ? {} : { expiresInDays: args.whole('expires', 1) }),
    },
  );
  if (args.flag('json')) {
    output.json({ id: keyId, key: apiKey, expiresAt });
    return 0;
  }
  output.line(output.paint('bold', apiKey));
  output.note('\nThis is the only time that the key is shown.', 'yellow');
  output.pairs([
    ['Id', keyId],
    ['Expires', minute(expiresAt)],
  ]);
  output.line();
  output.line('An application gives it to the SDK:');
  output.line(`  init({ apiKey: '…', apiUrl: '${client.url}' })`);
  return 0;
}

async function rotate({ output }: Context, args: Arguments, client: Client, id: string | undefined): Promise<number> {
  if (id === undefined)
    throw new UsageError('cannot rotate a key: give its id', '`glasshouse keys list` shows the ids');
  const hours = args.text('overlap') === undefined ? undefined : args.whole('overlap', 0);
  const { key, ...made } = await client.json<Key & { readonly key: string }>(
    'POST',
    `${PATH}/${encodeURIComponent(id)}/rotate`,
    {
      ...(hours === undefined ? {} : { overlapSeconds: hours * 3_600 }),
      ...(args.text('expires') === undefined ? {} : { expiresInDays: args.whole('expires', 1) }),
    },
  );
  if (args.flag('json')) {
    output.json({ ...made, key });
    return 0;
  }
  showOnce(output, key, made);
  output.line(hours === 0 ? `Key ${id} has ended.` : `Key ${id} works for ${hours ?? 24} more hours.`);
  return 0;
}

async function list({ output, now }: Context, args: Arguments, client: Client): Promise<number> {
  const tenant = args.text('tenant');
  const { keys: all } = await client.json<{ readonly keys: readonly Key[] }>(
    'GET',
    tenant === undefined ? PATH : `${PATH}?tenant=${encodeURIComponent(tenant)}`,
  );
  if (args.flag('json')) output.json({ keys: all });
  else if (all.length === 0) output.line('No keys yet; `glasshouse keys create --name …` makes one.');
  else printKeys(output, all, now());
  return 0;
}

async function revoke({ output }: Context, args: Arguments, client: Client, id: string | undefined): Promise<number> {
  if (id === undefined)
    throw new UsageError('cannot revoke a key: give its id', '`glasshouse keys list` shows the ids');
  const key = await client.json<Key>('DELETE', `${PATH}?id=${encodeURIComponent(id)}`);
  if (args.flag('json')) output.json(key);
  else output.line(`Revoked key ${key.id} (${key.name}).`);
  return 0;
}

function printKeys(output: Output, all: readonly Key[], nowMs: number): void {
  const titles = ['Id', 'Name', 'Tenant', 'Project', 'Environment', 'Scopes', 'Created', 'State'];
  output.table(
    titles.map((title) => ({ title })),
    all.map((key) => [
      key.id,
      key.name,
      key.tenant,
      key.project,
      key.environment,
      key.scopes.join(','),
      minute(key.createdAt),
      stateOf(key, nowMs),
    ]),
  );
}

function stateOf({ expiresAt, revokedAt }: Key, nowMs: number): string {
  if (revokedAt !== null) return `revoked ${minute(revokedAt)}`;
  if (expiresAt === null) return 'valid';
  return `${Date.parse(expiresAt) <= nowMs ? 'expired' : 'valid until'} ${minute(expiresAt)}`;
}

/** A key that was just made. */
function showOnce(output: Context['output'], key: string, made: Key): void {
  output.line(output.paint('bold', key));
  output.note('\nThis is the only time that the key is shown.', 'yellow');
  output.pairs(describe(made));
  output.line();
}

function describe(key: Key): (readonly [string, string])[] {
  return [
    ['Id', key.id],
    ['Name', key.name],
    ['Belongs to', `tenant ${key.tenant}, project ${key.project}, environment ${key.environment}`],
    ['Scopes', key.scopes.join(', ')],
    ['Expires', key.expiresAt === null ? 'never' : minute(key.expiresAt)],
  ];
}

function minute(time: string): string {
  return time.slice(0, 16).replace('T', ' ');
}
