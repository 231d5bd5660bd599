/** What commands on a workspace have in common: their options, their workspace, the names that they need. */

import type { Arguments, Options } from '../args.ts';
import { SERVER_OPTIONS, TENANT_OPTION } from '../args.ts';
import type { Context } from '../command.ts';
import { UsageError } from '../errors.ts';
import { clientOf } from '../target.ts';
import type { Watch } from './waiting.ts';
import { Workspace } from './workspace.ts';

/** Options of every command on a workspace, which is that of a tenant. */
export const WORKSPACE_OPTIONS: Options = { ...SERVER_OPTIONS, ...TENANT_OPTION };

export const YES_OPTION: Options = { yes: { type: 'boolean', short: 'y', description: 'Do not ask' } };

export function workspaceOf(context: Context, args: Arguments): Workspace {
  return new Workspace(clientOf(context, args));
}

/** The positional argument at this place. @throws UsageError that says what is missing */
export function needed(args: Arguments, command: string, what: string, at = 0): string {
  const value = args.positionals[at];
  if (value !== undefined && value !== '') return value;
  throw new UsageError(`cannot run ${command}: give ${what}`, `see \`glasshouse ${command} --help\``);
}

/** Runs work that takes long, with its progress shown. Ctrl-C ends the waiting. */
export async function watched<T>(context: Context, what: string, act: (watch: Watch) => Promise<T>): Promise<T> {
  const { output, now } = context;
  const progress = output.progress(now);
  const update = (text: string): void => progress.update(`${what}: ${text}`);
  try {
    return await act({ signal: context.interruption(), now, update });
  } finally {
    progress.end();
  }
}

/** To the minute, as lists show it. */
export function minuteText(time: string | null | undefined): string {
  return (time ?? '').slice(0, 16).replace('T', ' ');
}

/** `1 row`, `2,000 rows`. */
export function rowsText(count: number): string {
  return count === 1 ? '1 row' : `${count.toLocaleString('en-US')} rows`;
}
