/**
 * `token`: tokens of a workspace, for applications that send to it and read from it.
 *
 * Must stay true: a secret is written only by the command that makes it, and by `show --secret`, which asks for it.
 */

import type { Arguments } from '../args.ts';
import type { Command, Context, Family } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import type { Output } from '../output.ts';
import { needed, WORKSPACE_OPTIONS, workspaceOf, YES_OPTION } from '../platform/command.ts';
import type { ScopeInfo, TokenInfo } from '../platform/wire.ts';
import { withQuery } from '../platform/workspace.ts';
import { printable } from '../width.ts';

const MORE = 'docs/guides/data-platform.md';
const SCOPE_HELP =
  'Scopes: DATASOURCES:APPEND:NAME, DATASOURCES:READ:NAME, PIPES:READ:NAME, DATASOURCES:CREATE, DATASOURCES:DROP:NAME, PIPES:CREATE, ' +
  'PIPES:DROP:NAME, WORKSPACE:READ_ALL, TOKENS, ADMIN. A condition on rows may follow a name, as in ' +
  "DATASOURCES:READ:visits:user_id = 'u-1'.";

const ls: Command = {
  name: 'token ls',
  summary: 'list the tokens with what they may do',
  usage: '',
  description: [
    'Lists the tokens of the workspace: those that it has from the start, those of data files, and those made by hand.',
  ],
  options: WORKSPACE_OPTIONS,
  positionals: 0,
  examples: [
    { command: 'glasshouse token ls', what: 'all of them, without their secrets' },
    { command: 'glasshouse token ls --json | jq -r ".tokens[].name"', what: 'their names' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const all = await workspaceOf(context, args).tokens();
    if (args.flag('json')) output.json({ tokens: all.map(withoutSecret) });
    else {
      output.table(
        ['Name', 'Scopes', 'Description'].map((title) => ({ title })),
        all.map(({ name, scopes, description }) => [name, (scopes ?? []).map(scopeText).join(', '), description ?? '']),
      );
    }
    return EXIT_CODES.ok;
  },
};

const create: Command = {
  name: 'token create',
  summary: 'make a token, and show its secret',
  usage: 'NAME --scope SCOPE…',
  description: [
    'Makes a token that may do what its scopes say and nothing else, and shows its secret. --permission write or read is a shorter ' +
      'way to say every data source.',
    SCOPE_HELP,
    'Tokens that a data file names (TOKEN "name" READ) are made by deploying it; `glasshouse token show NAME --secret` shows theirs.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    scope: { type: 'string', value: 'SCOPE', multiple: true, description: 'What it may do; several by repetition' },
    permission: {
      type: 'string',
      value: 'read|write',
      multiple: true,
      description: 'Every data source, for reading or appending',
    },
    description: { type: 'string', value: 'TEXT', description: 'What it is for' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse token create checkout --scope DATASOURCES:APPEND:visits', what: 'for a sender' },
    {
      command: 'glasshouse token create reports --scope PIPES:READ:top_pages --scope PIPES:READ:funnel',
      what: 'for a dashboard',
    },
    {
      command: `glasshouse token create acme --scope "DATASOURCES:READ:visits:org = 'acme'"`,
      what: 'for some of the rows',
    },
  ],
  more: MORE,
  run: async (context, args) => {
    const name = needed(args, 'token create', 'what the token is called');
    const [scope, permission] = [args.all('scope'), args.all('permission')];
    if (scope.length + permission.length === 0)
      throw new UsageError(
        'cannot make a token without --scope: say what it may do',
        'see `glasshouse token create --help`',
      );
    const description = args.text('description');
    const path = withQuery('/v0/tokens', { name, scope, permission, description });
    const made = await workspaceOf(context, args).post<TokenInfo>(path);
    return reveal(context, args, { ...made, name });
  },
};

const show: Command = {
  name: 'token show',
  summary: 'show what a token may do; with --secret its secret',
  usage: 'NAME',
  description: [
    'Shows the scopes of a token. The secret is shown only with --secret, and then alone on the output, so that a script can take it.',
  ],
  options: { ...WORKSPACE_OPTIONS, secret: { type: 'boolean', description: 'Print the secret, and nothing else' } },
  positionals: 1,
  examples: [
    { command: 'glasshouse token show visits_append', what: 'what it may do' },
    { command: 'TOKEN=$(glasshouse token show visits_append --secret)', what: 'for a script' },
    { command: 'glasshouse token show "workspace admin token" --secret', what: 'for the tools of Tinybird' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const token = await workspaceOf(context, args).token(needed(args, 'token show', 'the name of a token'));
    if (args.flag('secret')) {
      if (args.flag('json')) output.json(token);
      else output.line(secretOf(token));
    } else if (args.flag('json')) output.json(withoutSecret(token));
    else describe(output, token);
    return EXIT_CODES.ok;
  },
};

const refresh: Command = {
  name: 'token refresh',
  summary: 'give a token another secret; the one before ends',
  usage: 'NAME',
  description: [
    'Gives a token another secret and shows it, after asking: who still has the one before is refused from then on. Refreshing the ' +
      'workspace admin token also ends the JWTs that it signed.',
  ],
  options: { ...WORKSPACE_OPTIONS, ...YES_OPTION },
  positionals: 1,
  examples: [
    { command: 'glasshouse token refresh checkout', what: 'after asking' },
    { command: 'glasshouse token refresh checkout --yes --json', what: 'in a script' },
  ],
  more: MORE,
  run: async (context, args) => {
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'token refresh', 'the name of a token');
    if (!(await confirm(context, args, `End the present secret of ${name}?`))) return EXIT_CODES.declined;
    const token = await workspace.post<TokenInfo>(`/v0/tokens/${encodeURIComponent(name)}/refresh`);
    return reveal(context, args, token);
  },
};

const rm: Command = {
  name: 'token rm',
  summary: 'delete a token',
  usage: 'NAME',
  description: [
    'Deletes a token, after asking. Who has it is refused from then on. Tokens of data files come back when these are deployed.',
  ],
  options: { ...WORKSPACE_OPTIONS, ...YES_OPTION },
  positionals: 1,
  examples: [
    { command: 'glasshouse token rm checkout', what: 'after asking' },
    { command: 'glasshouse token rm checkout --yes', what: 'in a script' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output } = context;
    const workspace = workspaceOf(context, args);
    const name = needed(args, 'token rm', 'the name of a token');
    if (!(await confirm(context, args, `Delete token ${name}?`))) return EXIT_CODES.declined;
    await workspace.remove(`/v0/tokens/${encodeURIComponent(name)}`);
    if (args.flag('json')) output.json({ deleted: name });
    else output.line(`Deleted token ${name}.`);
    return EXIT_CODES.ok;
  },
};

const jwt: Command = {
  name: 'token jwt',
  summary: 'sign a token that ends by itself, for a browser',
  usage: 'NAME --scope SCOPE…',
  description: [
    'Makes a JWT: a token that nobody has to store, that may only read (PIPES:READ, DATASOURCES:READ), and that ends after --expires. ' +
      'With --param a parameter of the pipes has this value whatever the caller sends, such as the organisation of a user.',
    'A server of your own signs them without asking: HS256 over {workspace_id, name, exp, scopes} with the workspace admin token.',
  ],
  options: {
    ...WORKSPACE_OPTIONS,
    scope: {
      type: 'string',
      value: 'SCOPE',
      multiple: true,
      description: 'Such as PIPES:READ:top_pages; several by repetition',
    },
    expires: { type: 'string', value: 'TIME', fallback: '1h', description: 'How long: 15m, 1h, 7d' },
    param: {
      type: 'string',
      value: 'NAME=VALUE',
      multiple: true,
      description: 'Fixed value of a parameter of the pipes',
    },
    rps: { type: 'string', value: 'N', description: 'Requests per second that it may make' },
  },
  positionals: 1,
  examples: [
    { command: 'glasshouse token jwt widget --scope PIPES:READ:top_pages --expires 15m', what: 'for a page' },
    { command: 'glasshouse token jwt acme --scope PIPES:READ:usage --param org=acme', what: 'for one customer' },
  ],
  more: MORE,
  run: async (context, args) => {
    const { output, now } = context;
    const name = needed(args, 'token jwt', 'what the token is called');
    const scopes = args.all('scope').map((text) => readScope(text, fixedParameters(args)));
    if (scopes.length === 0)
      throw new UsageError(
        'cannot make a JWT without --scope: say what it may read',
        'see `glasshouse token jwt --help`',
      );
    const expires = Math.floor(now() / 1000) + secondsOf(args.text('expires') ?? '');
    const limits = args.text('rps') === undefined ? {} : { limits: { rps: args.whole('rps', 1) } };
    const path = withQuery('/v0/tokens/', { expiration_time: String(expires) });
    const { token } = await workspaceOf(context, args).client.json<{ token: string }>('POST', path, {
      name,
      scopes,
      ...limits,
    });
    if (args.flag('json'))
      output.json({ name, token, expires_at: new Date(expires * 1000).toISOString(), scopes, ...limits });
    else {
      output.line(token);
      output.note(`Ends at ${minute(expires)} UTC.`, 'dim');
    }
    return EXIT_CODES.ok;
  },
};

export const token: Family = {
  name: 'token',
  summary: 'make, show and end tokens of the workspace',
  description: [
    'A token lets an application do what its scopes say: append to a data source, call an endpoint, read some rows. Tokens belong to ' +
      "the workspace of a tenant; `glasshouse keys` are the server's own, for telemetry and administration.",
  ],
  members: [ls, create, show, refresh, jwt, rm],
  examples: [
    { command: 'glasshouse token create checkout --scope DATASOURCES:APPEND:visits', what: 'make one' },
    { command: 'glasshouse token show visits_append --secret', what: 'the secret of one that a data file named' },
    { command: 'glasshouse token jwt widget --scope PIPES:READ:top_pages --expires 15m', what: 'one for a page' },
  ],
  more: MORE,
};

function reveal({ output }: Context, args: Arguments, made: TokenInfo): number {
  if (args.flag('json')) output.json(made);
  else {
    output.line(output.paint('bold', secretOf(made)));
    output.note(
      `\nThis is the secret of ${made.name}; \`glasshouse token show\` shows it again, with --secret only.`,
      'yellow',
    );
    describe(output, made);
  }
  return EXIT_CODES.ok;
}

function secretOf({ name, token: secret }: TokenInfo): string {
  // What is masked is no secret that anybody could use.
  if (secret && !secret.includes('*')) return secret;
  throw new UsageError(
    `cannot show the secret of token=${name}: only an administrator of the workspace may see it`,
    'give one with --token',
  );
}

function withoutSecret(info: TokenInfo): object {
  return { ...info, token: undefined };
}

function describe(output: Output, { name, description, scopes }: TokenInfo): void {
  const pairs: [string, string][] = [
    ['Name', name],
    ['Description', description ?? ''],
    ...(scopes ?? []).map((scope, at): [string, string] => [at === 0 ? 'May' : '', scopeText(scope)]),
  ];
  output.pairs(pairs.filter(([, value]) => value !== '').map(([title, value]) => [title, printable(value)]));
}

function scopeText({ type, resource, filter }: ScopeInfo): string {
  return [type, resource, filter].filter((part) => part !== undefined && part !== null && part !== '').join(':');
}

/** `PIPES:READ:name` as JSON has it. @throws UsageError */
function readScope(text: string, fixed: Readonly<Record<string, string>>): object {
  const [, type, resource, filter] = /^(PIPES:READ|DATASOURCES:READ):([^:]+)(?::(.+))?$/su.exec(text) ?? [];
  if (type === undefined || resource === undefined)
    throw new UsageError(
      `cannot use --scope=${text}: a JWT may only read`,
      'give PIPES:READ:NAME or DATASOURCES:READ:NAME',
    );
  const params = type === 'PIPES:READ' && Object.keys(fixed).length > 0 ? { fixed_params: fixed } : {};
  return { type, resource, ...(filter === undefined ? {} : { filter }), ...params };
}

function fixedParameters(args: Arguments): Readonly<Record<string, string>> {
  return Object.fromEntries(
    args.all('param').map((pair) => {
      const [, name, value] = /^(\w+)=([^]*)$/u.exec(pair) ?? [];
      if (name === undefined || value === undefined)
        throw new UsageError(`cannot use --param=${pair}: give NAME=VALUE`);
      return [name, value];
    }),
  );
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** `15m` as seconds. @throws UsageError */
function secondsOf(text: string): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/u.exec(text) ?? [];
  if (count !== undefined && unit !== undefined && Number(count) > 0) return Number(count) * (UNITS[unit] ?? 1);
  throw new UsageError(`cannot use --expires=${text}: give a number and s, m, h or d, such as 15m`);
}

function minute(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ');
}
