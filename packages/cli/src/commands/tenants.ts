/** `tenants`: who data belongs to, made and listed through the administrator's routes. */

import { SERVER_OPTIONS } from '../args.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../errors.ts';
import { clientOf } from '../target.ts';

const PATH = '/api/v1/admin/tenants';

interface Tenant {
  readonly name: string;
  readonly createdAt: string;
}

export const tenants: Command = {
  name: 'tenants',
  summary: 'make and list tenants',
  usage: 'create NAME|list',
  description: [
    'A tenant owns data: its keys write to it, and its queries see nothing else. Names have lower-case letters, digits, - and _. ' +
      'Making a tenant that exists changes nothing. Needs the admin token.',
  ],
  options: SERVER_OPTIONS,
  positionals: 2,
  examples: [
    { command: 'glasshouse tenants create acme', what: 'make one' },
    { command: 'glasshouse tenants list', what: 'list them' },
    { command: 'glasshouse keys create --name app --tenant acme', what: 'a key for it' },
  ],
  more: '`glasshouse keys --help`',
  run: async (context, args) => {
    const { output } = context;
    const [verb, name] = args.positionals;
    const client = clientOf(context, args);
    if (verb === 'create') {
      if (name === undefined)
        throw new UsageError('cannot make a tenant: give its name', 'see `glasshouse tenants --help`');
      const tenant = await client.json<Tenant>('POST', PATH, { name });
      if (args.flag('json')) output.json(tenant);
      else output.line(`Tenant ${tenant.name} is there.`);
      return 0;
    }
    if (verb !== 'list')
      throw new UsageError('cannot tell what to do: give create NAME, or list', 'see `glasshouse tenants --help`');
    const { tenants: all } = await client.json<{ readonly tenants: readonly Tenant[] }>('GET', PATH);
    if (args.flag('json')) output.json({ tenants: all });
    else {
      output.table(
        [{ title: 'Tenant' }, { title: 'Created' }],
        all.map(({ name, createdAt }) => [name, createdAt.slice(0, 16).replace('T', ' ')]),
      );
    }
    return 0;
  },
};
