/** `backup` and `restore`: the server does the work and reports as lines of JSON; here is the asking and the showing. */

import { resolve } from 'node:path';
import { AppError } from '@glasshouse/model';
import type { Arguments } from '../args.ts';
import { SERVER_OPTIONS } from '../args.ts';
import type { JobLine, Value } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES, UsageError } from '../errors.ts';
import { bytesText, countText, durationText } from '../output.ts';
import { clientOf } from '../target.ts';

export const backup: Command = {
  name: 'backup',
  summary: 'copy all data to a place of its own, while the server goes on',
  usage: '[PATH]',
  description: [
    'Writes a consistent copy of everything that is stored to PATH on the machine of the server; without PATH to DIR/backup, ' +
      'under the time of now: telemetry, data sources with their quarantines, pipes, tenants, keys, tokens and the token key. ' +
      'Ingestion and queries go on. Needs the admin token.',
  ],
  options: SERVER_OPTIONS,
  positionals: 1,
  examples: [
    { command: 'glasshouse backup', what: 'to the data directory' },
    { command: 'glasshouse backup /mnt/backups/monday', what: 'to another disk' },
  ],
  more: '`glasshouse restore --help`',
  run: async (context, args) => {
    const [path] = args.positionals;
    const body = path === undefined ? {} : { path: resolve(path) };
    return runJob(context, args, '/api/v1/admin/backup', body, 'Backing up', 'Backed up');
  },
};

export const restore: Command = {
  name: 'restore',
  summary: 'bring a backup back',
  usage: 'PATH',
  description: [
    'Replaces what is stored by the backup at PATH on the machine of the server: telemetry, and workspaces with everything in ' +
      'them. What was there, with all that came in since the backup, stays in the database glasshouse_replaced until the next ' +
      'restore. Ingestion goes on; changes of data sources wait. Asks first. Needs the admin token.',
  ],
  options: { ...SERVER_OPTIONS, yes: { type: 'boolean', short: 'y', description: 'Do not ask' } },
  positionals: 1,
  examples: [
    { command: 'glasshouse restore ./data/backup/2026-11-21T10-00-00', what: 'back to a backup' },
    { command: 'glasshouse restore --yes /mnt/backups/monday', what: 'in a script' },
  ],
  more: '`glasshouse backup --help`',
  run: async (context, args) => {
    const [path] = args.positionals;
    if (path === undefined)
      throw new UsageError('cannot restore: give the path of a backup', 'see `glasshouse restore --help`');
    if (!(await confirm(context, args, `Replace what is stored by the backup ${path}?`))) return EXIT_CODES.declined;
    return runJob(context, args, '/api/v1/admin/restore', { path: resolve(path) }, 'Restoring', 'Restored');
  },
};

async function runJob(
  context: Context,
  args: Arguments,
  route: string,
  body: unknown,
  doing: string,
  done: string,
): Promise<number> {
  const { output, now } = context;
  const startedMs = now();
  const progress = output.progress(now);
  progress.update(`${doing} …`);
  const result = await clientOf(context, args)
    .job(route, body, (line) => progress.update(`${doing}: ${progressText(line)}`))
    .catch((error: unknown) => {
      if (error instanceof AppError && error.code === 'not_found' && /cannot find path/.test(error.message)) {
        throw new AppError('not_found', `cannot do this on the server: it has no ${route}; update it`, {
          cause: error,
        });
      }
      throw error;
    })
    .finally(() => progress.end());
  if (args.flag('json')) output.json({ ...result, tookMs: now() - startedMs });
  else {
    output.line(`${output.paint('green', '✓')} ${done} (${durationText(now() - startedMs)}).`);
    output.pairs(Object.entries(result).map(([name, value]) => [name, valueText(name, value)]));
  }
  return 0;
}

function progressText({ progress, done, total }: JobLine): string {
  const share = done === undefined || total === undefined || total === 0 ? '' : ` ${Math.floor((100 * done) / total)}%`;
  return `${progress ?? ''}${share}`.trim();
}

function valueText(name: string, value: Value): string {
  if (typeof value !== 'number') return typeof value === 'string' ? value : JSON.stringify(value);
  return /bytes/i.test(name) ? bytesText(value) : countText(value);
}
