/** Choosing a command, its help, wrong usage, and what needs no server. */

import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Environment } from './command.ts';
import { GROUPS, main } from './main.ts';
import type { TextSink } from './output.ts';
import { Output } from './output.ts';

interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(argv: readonly string[], env: Environment = {}, isTTY = false): Promise<Outcome> {
  let [out, err] = ['', ''];
  const sink = (write: (text: string) => void): TextSink => ({
    isTTY,
    write: (data) => write(Buffer.from(data).toString()),
  });
  const output = new Output(
    sink((text) => (out += text)),
    sink((text) => (err += text)),
    env,
  );
  const [input, screen] = [new PassThrough().end(), new PassThrough()];
  const interruption = (): AbortSignal => new AbortController().signal;
  return { code: await main(argv, { output, env, input, screen, now: Date.now, interruption }), out, err };
}

/** Every command, and every word that has commands under it. */
const ALL = GROUPS.flatMap(({ commands }) =>
  commands.flatMap((one) => [one.name, ...('members' in one ? one.members.map(({ name }) => name) : [])]),
);

describe('help', () => {
  test.each(ALL)('%s --help teaches', async (name) => {
    const { code, out } = await run([...name.split(' '), '--help']);
    expect(code).toBe(0);
    expect(out).toMatch(
      /Usage[^]*Options[^]*--json[^]*Examples\n(?: {2}# .*\n {2}.*glasshouse .*\n){2,}[^]*Exit codes:[^]*Read on: ./,
    );
    expect(out.split('\n').every((line) => line.length <= 120)).toBe(true);
  });

  test('`help COMMAND` is `COMMAND --help`', async () => {
    expect(await run(['help', 'tail'])).toEqual(await run(['tail', '-h']));
    expect(await run(['help', 'datasource', 'append'])).toEqual(await run(['datasource', 'append', '-h']));
  });

  test('of a word with commands under it lists these', async () => {
    expect((await run(['token', '--help'])).out).toMatch(
      /Commands\n {2}ls .*\n {2}create NAME --scope SCOPE… .*make a token/,
    );
  });

  test.each([[[]], [['--help']], [['help']]])('%j prints the overview', async (argv) => {
    expect((await run(argv)).out).toContain('First steps');
  });

  test('has colours on a terminal only, and not with NO_COLOR', async () => {
    const texts = await Promise.all([run([], {}, true), run([], { NO_COLOR: '1' }, true), run([])]);
    expect(texts.map(({ out }) => out.includes('\u001b['))).toEqual([true, false, false]);
  });
});

describe('wrong usage', () => {
  test.each([
    [['stats'], 'did you mean status?'],
    [['status', '--jsn'], 'did you mean --json?'],
    [['--data-dir'], 'it needs a command'],
    [['keys', 'forge'], 'give create, list, rotate or revoke'],
    [['keys', 'create'], 'say what it is for'],
    [['tenants'], 'give create NAME, or list'],
    [['restore'], 'give the path of a backup'],
    [['logs', '-n', 'many'], 'give a whole number'],
    [['tail', '--signal', 'spam'], 'give one of spans, logs'],
    [['sql', '--view', 'spam'], 'give one of traces, stats'],
    [['sql', '--view', 'stats', 'SELECT 1'], 'cannot use --view and a statement together'],
    [['sql', '--param', 'x', 'SELECT 1'], 'give NAME=VALUE'],
    [['sql', '--format', 'a b', 'SELECT 1'], 'it is not the name of a format'],
    [['sql', ' ; -- nothing'], 'it is empty'],
    [['sql', '--url', 'nowhere', 'SELECT 1'], 'give an address such as'],
    [['datasource'], 'give one of ls, show'],
    [['datasource', 'lst'], 'did you mean ls?'],
    [['datasource', 'show', 'a', 'b'], 'datasource show takes at most 1'],
    [['datasource', 'show'], 'give the name of a data source'],
    [['datasource', 'create', 'x'], 'give either --schema or --like'],
    [['datasource', 'append', 'x'], 'give a file, an address or - after the name'],
    [['datasource', 'append', 'x', 'rows.txt'], 'give --format with one of ndjson, csv, parquet'],
    [['datasource', 'append', 'x', '/nowhere/rows.csv'], 'cannot read file=/nowhere/rows.csv: it is not there'],
    [['datasource', 'delete', 'x'], 'say which'],
    [['datasource', 'quarantine', 'x y'], 'it is no name'],
    [['datasource', 'truncate', 'x'], 'give --yes to say so'],
    [['import', 'x.jsonl'], 'cannot import without --to'],
    [['import', 'x.jsonl', '--to', 'x'], 'cannot read file=x.jsonl: it is not there'],
    [['import', 'package.json', '--to', 'x', '--map', 'a=b:date'], 'there is no conversion :date'],
    [['import', 'package.json', '--to', 'x', '--on-bad', 'cry'], 'give one of skip, stop'],
    [['deploy', '/nowhere'], 'cannot read folder=/nowhere: it is not there'],
    [['deploy', '--list', '--rollback'], 'give one of them'],
    [['push'], 'give one data file or more'],
    [['push', 'rows.csv'], 'it is no .datasource and no .pipe'],
    [['pipe', 'copy', 'daily'], 'give `pipe copy run NAME`'],
    [['pipe', 'run', 'top', 'limit'], 'give parameters as NAME=VALUE'],
    [['pipe', 'ls', '--type', 'spam'], 'give one of endpoint, materialized'],
    [['token', 'create', 'x'], 'say what it may do'],
    [['token', 'jwt', 'x', '--scope', 'ADMIN'], 'a JWT may only read'],
    [['token', 'jwt', 'x', '--scope', 'PIPES:READ:a', '--expires', 'soon'], 'such as 15m'],
    [['token', 'refresh', 'x'], 'give --yes to say so'],
  ])('%j is answered with what is right', async (argv, message) => {
    const { code, out, err } = await run(argv);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });

  test('with --json the error is JSON', async () => {
    const { code, out } = await run(['keys', '--json']);
    expect(code).toBe(2);
    expect(JSON.parse(out)).toEqual({
      error: 'cannot tell what to do: give create, list, rotate or revoke',
      hint: 'see `glasshouse keys --help`',
    });
  });
});

describe('config', () => {
  test('shows origins and masks secrets', async () => {
    const { out } = await run(['config', '--json'], { GLASSHOUSE_ADMIN_TOKEN: 'a-secret-token-of-mine' });
    expect(out).not.toContain('a-secret-token');
    expect(JSON.parse(out)).toMatchObject({
      GLASSHOUSE_ADMIN_TOKEN: { value: '********', origin: 'environment' },
      GLASSHOUSE_HOST: { value: '127.0.0.1', origin: 'default' },
      GLASSHOUSE_STORE_URL: { value: null, origin: 'default' },
    });
  });

  test('names every fault at once', async () => {
    const { code, err } = await run(['config', '--check'], { GLASSHOUSE_PORT: '99999', GLASSHOUSE_AUTH: 'none' });
    expect(code).toBe(2);
    expect(err).toMatch(/GLASSHOUSE_PORT=99999[^]*GLASSHOUSE_AUTH=none/);
  });

  test('--reference lists every setting', async () => {
    const { out } = await run(['config', '--reference']);
    const all = JSON.parse((await run(['config', '--json'])).out) as Record<string, unknown>;
    for (const name of Object.keys(all)) expect(out).toContain(`| \`${name}\``);
  });
});
