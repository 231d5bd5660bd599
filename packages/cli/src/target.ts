/**
 * Which server a command talks to, and as whom: `--url`, else the server that runs on the data directory, else the address
 * in the configuration.
 *
 * Must stay true: the admin token of the data directory goes only to the server of that directory, never to a `--url`.
 */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { messageOf } from '@glasshouse/model';
import type { Config } from '@glasshouse/server';
import { readConfig, SETTINGS } from '@glasshouse/server';
import type { Arguments } from './args.ts';
import { Client } from './client.ts';
import type { Context, Environment } from './command.ts';
import { UnreachableError, UsageError } from './errors.ts';
import type { Address, PidRecord } from './process.ts';
import { runningServer } from './process.ts';

export interface Target {
  /** Address of the main port, without a slash at the end. */
  readonly url: string;
  readonly token: string | undefined;
  /** The server that `start` started here; undefined for another. */
  readonly record: PidRecord | undefined;
}

/** The configuration of the server here. @throws UsageError with every fault in it */
export function configOf(env: Environment, args: Arguments): Config {
  try {
    return readConfig(environmentOf(env, args));
  } catch (error) {
    throw new UsageError(messageOf(error), 'see `glasshouse config --help`', error);
  }
}

/** The data directory alone, for commands that must work whatever else is configured. */
export function dataDirOf(env: Environment, args: Arguments): string {
  const { dataDir } = SETTINGS;
  return resolve(dataDir.parse(environmentOf(env, args)[dataDir.name]));
}

/** The environment with what the command line says instead. */
export function environmentOf(env: Environment, args: Arguments): Environment {
  const dataDir = args.text('data-dir');
  return dataDir === undefined ? env : { ...env, GLASSHOUSE_DATA_DIR: dataDir };
}

export function targetOf(context: Context, args: Arguments): Target {
  const url = args.text('url');
  if (url !== undefined) {
    return {
      url: checkedUrl(url),
      token: args.text('token') ?? (context.env['GLASSHOUSE_ADMIN_TOKEN'] || undefined),
      record: undefined,
    };
  }
  const config = configOf(context.env, args);
  const record = runningServer(config.dataDir);
  const main = record?.listeners.find(({ name }) => name === 'main') ?? {
    name: 'main',
    host: config.host,
    port: config.port,
  };
  if (main.port === 0)
    throw new UnreachableError(`no server runs on ${config.dataDir}`, 'start it with `glasshouse start`');
  return { url: urlOf(main), token: args.text('token') ?? config.adminToken ?? tokenFile(config.dataDir), record };
}

export function clientOf(context: Context, args: Arguments): Client {
  const target = targetOf(context, args);
  return new Client({ ...target, tenant: args.text('tenant') });
}

/** Where the server keeps its admin token. */
export function tokenPath(dataDir: string): string {
  return join(dataDir, 'admin-token');
}

function tokenFile(dataDir: string): string | undefined {
  try {
    return readFileSync(tokenPath(dataDir), 'utf8').trim() || undefined;
  } catch {
    // Absent, or somebody else's: the server says whether one is needed.
    return undefined;
  }
}

/** How this machine reaches a listener: an address that means "all" is not one to connect to. */
export function urlOf({ host, port }: Pick<Address, 'host' | 'port'>): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `http://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}

/** The listeners that the configuration asks for. */
export function configuredAddresses(config: Config): Address[] {
  const { host } = config;
  return [
    { name: 'main', host, port: config.port },
    { name: 'otlp-http', host, port: config.otlpHttpPort },
    { name: 'otlp-grpc', host, port: config.otlpGrpcPort },
    { name: 'clickhouse', host, port: config.clickhousePort },
    { name: 'tinybird', host, port: config.tinybirdPort },
  ];
}

function checkedUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new UsageError(`cannot use --url=${text}: give an address such as http://127.0.0.1:3000`);
  }
  return text.replace(/\/+$/, '');
}
