/**
 * `reset`: deletes all telemetry of a running server; tenants, keys, tokens and what workspaces have stay. Rows of data sources
 * are deleted only where that is asked for: they need not come from telemetry, and nobody may send them again.
 */

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
    'Deletes spans, log records and metrics of all tenants, for good. Data sources keep their rows, unless --data-sources is ' +
      'given: then those of all workspaces are emptied too, quarantines included; their schemas, pipes and tokens stay. So do ' +
      'tenants, API keys and the admin token, and the server goes on taking data. Asks first. Needs the admin token.',
  ],
  options: {
    ...SERVER_OPTIONS,
    'data-sources': { type: 'boolean', description: 'Delete the rows of all data sources as well' },
    yes: { type: 'boolean', short: 'y', description: 'Do not ask' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse reset', what: 'asks, then deletes' },
    { command: 'glasshouse backup && glasshouse reset --yes', what: 'in a script, with a copy kept' },
    { command: 'glasshouse reset --data-sources', what: 'rows of data sources too' },
  ],
  more: '`glasshouse backup --help`',
  run: async (context, args) => {
    const { output } = context;
    const client = clientOf(context, args);
    const dataSources = args.flag('data-sources');
    const what = dataSources ? 'all telemetry and all rows of data sources' : 'all telemetry';
    if (!(await confirm(context, args, `Delete ${what} of ${client.url}, for good?`))) return EXIT_CODES.declined;
    const result = await client.json<Readonly<Record<string, unknown>>>('POST', '/api/v1/admin/reset', { dataSources });
    if (args.flag('json')) output.json(result);
    else output.line(`${output.paint('green', '✓')} Deleted ${what} of ${client.url}.`);
    return 0;
  },
};
