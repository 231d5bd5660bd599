/** `reset`: deletes all telemetry of a running server; tenants, keys and the admin token stay. */

import { SERVER_OPTIONS } from '../args.ts';
import type { Command } from '../command.ts';
import { confirm } from '../confirm.ts';
import { EXIT_CODES } from '../errors.ts';
import { clientOf } from '../target.ts';

export const reset: Command = {
  name: 'reset',
  summary: 'delete all telemetry and keep running',
  usage: '',
  description: [
    'Deletes spans, log records and metrics of all tenants, for good. Tenants, API keys and the admin token stay, and the server goes ' +
      'on taking data. Asks first. Needs the admin token.',
  ],
  options: { ...SERVER_OPTIONS, yes: { type: 'boolean', short: 'y', description: 'Do not ask' } },
  positionals: 0,
  examples: [
    { command: 'glasshouse reset', what: 'asks, then deletes' },
    { command: 'glasshouse backup && glasshouse reset --yes', what: 'in a script, with a copy kept' },
  ],
  more: '`glasshouse backup --help`',
  run: async (context, args) => {
    const { output } = context;
    const client = clientOf(context, args);
    if (!(await confirm(context, args, `Delete all telemetry of ${client.url}, for good?`))) return EXIT_CODES.declined;
    const result = await client.json<Readonly<Record<string, unknown>>>('POST', '/api/v1/admin/reset', {});
    if (args.flag('json')) output.json(result);
    else output.line(`${output.paint('green', '✓')} All telemetry of ${client.url} is deleted.`);
    return 0;
  },
};
