/** Attacks by imports: addresses that only the server reaches, and forms whose names would like to be paths. */

import type { Attack, Victim } from './attack.ts';
import { form, one, parts } from './attack.ts';

export function importAttacks({ hidden, ports, tenant, source, database }: Victim): readonly Attack[] {
  const port = hidden.split(':')[1] ?? '';
  const hosts = [
    '127.0.0.1',
    'localhost',
    'LOCALHOST',
    'localhost.',
    '127.1',
    '127.0.1',
    '2130706433',
    '0x7f000001',
    '017700000001',
    '0177.0.0.1',
    '0',
    '0.0.0.0',
    '[::1]',
    '[::]',
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:127.0.0.1]',
    '[64:ff9b::127.0.0.1]',
    '[2002:7f00:1::]',
    '127.127.127.127',
    '①②⑦.⓪.⓪.①',
    '127。0。0。1',
  ];
  const others = [
    'http://169.254.169.254/latest/meta-data/',
    'http://[fe80::1]/',
    'http://10.0.0.1/',
    'http://192.168.0.1/',
    'http://100.64.0.1/',
    'http://[fd00::1]/',
    'http://metadata.google.internal/',
    'file:///etc/passwd',
    'FILE:///etc/passwd',
    'ftp://127.0.0.1/x',
    'gopher://127.0.0.1/x',
    'data:text/plain,{"k":1}',
    'unix:/tmp/x',
    `http://x@127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}@example.invalid/`,
    `http:/\\127.0.0.1:${port}/`,
    `http://127.0.0.1:${port}\t/`,
    `//127.0.0.1:${port}/`,
    'http://',
    '',
  ];
  const urls = [
    ...hosts.map((host) => `http://${host}:${port}/rows.ndjson`),
    ...ports.flatMap((own) => [
      `http://127.0.0.1:${own}/v0/datasources`,
      `http://127.0.0.1:${own}/?query=SELECT%20*%20FROM%20${database}.${source}`,
      `http://localhost:${own}/metrics`,
    ]),
    ...others,
  ];
  const names = [
    `../../exports/${tenant}/x.ndjson`,
    '/etc/passwd',
    '..\\\\..\\\\x.ndjson',
    '%2e%2e%2fx.ndjson',
    'x.ndjson\0.csv',
    `${'../'.repeat(40)}tmp/x.ndjson`,
    '.',
    '..',
    '',
    'x\\"; filename=\\"../../y.ndjson',
    'a.ndjson/../../b.ndjson',
    'CON.ndjson',
    `${'n'.repeat(5_000)}.ndjson`,
  ];
  const row = '{"k":1,"name":"up","tenant_id":"a"}';
  return [
    ...urls.map((url, index): Attack => {
      const request = index % 2 === 0 ? 'POST /v0/datasources' : 'POST /v1/datasources/filled/append';
      const fields = { mode: 'append', format: 'ndjson', ...(index % 2 === 0 ? { name: 'filled' } : {}) };
      return one(
        'imports from elsewhere',
        form(`${request}?${new URLSearchParams({ ...fields, url }).toString()}`, {}),
        'refused',
      );
    }),
    ...urls
      .filter((_, index) => index % 5 === 0)
      .map((url) =>
        one(
          'imports from elsewhere',
          form('POST /v0/datasources', { name: 'fetched', url, format: 'ndjson' }),
          'refused',
        ),
      ),
    ...names.flatMap((filename) => [
      one(
        'names of files',
        parts('POST /v0/datasources?name=filled&mode=append&format=ndjson', [
          { field: 'ndjson', filename, content: row },
        ]),
      ),
      one(
        'names of files',
        parts('POST /v1/deploy?check=true', [
          { field: 'data_project://', filename, content: 'SCHEMA >\n    a String\n' },
        ]),
      ),
      one(
        'names of files',
        parts('POST /v1/deploy?check=true', [
          { field: filename, filename: 'a.datasource', content: 'SCHEMA >\n    a String\n' },
        ]),
      ),
    ]),
    ...[`../${tenant}/${source}`, `${database}.${source}`, '..', '.', 'x/y', 'x\0'].map((name) =>
      one(
        'names of files',
        parts(`POST /v0/datasources?name=${encodeURIComponent(name)}&mode=append&format=ndjson`, [
          { field: 'ndjson', filename: 'a.ndjson', content: row },
        ]),
        'refused',
      ),
    ),
  ];
}
