/** Secrets of workspaces on a real store: what is kept of them, and who can open it again. */

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Platform } from './platform.ts';
import type { Stand } from './testing/stand.ts';
import { administrator, openStand } from './testing/stand.ts';
import { TokenKey } from './token-key.ts';

const TENANT = 'acme';
const BY = administrator(TENANT);
const VALUE = 'hush-hush ünïcode \'"\\';

let stand: Stand;
let platform: Platform;

beforeAll(async () => {
  stand = await openStand();
  await stand.access.tenants.ensure(TENANT);
  platform = await stand.open();
});

afterAll(async () => stand.close());

const stored = (): Promise<readonly { readonly name: string; readonly sealed: string }[]> =>
  stand.store.rows(
    `SELECT name, sealed FROM ${stand.store.target.database}.secrets FINAL WHERE NOT deleted ORDER BY name`,
  );

describe('a secret', () => {
  it('is kept sealed, and opened by every server with the same key', async () => {
    await platform.secrets.create(BY, 'api_key', VALUE);
    await platform.secrets.create(BY, 'nothing', '');
    expect(platform.secrets.values(TENANT)).toEqual(
      new Map([
        ['api_key', VALUE],
        ['nothing', ''],
      ]),
    );
    expect(platform.secrets.values('other')).toEqual(new Map());
    const rows = await stored();
    expect(rows.map(({ name }) => name)).toEqual(['api_key', 'nothing']);
    for (const { sealed } of rows) expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('hush');
    const again = await stand.open();
    expect(again.secrets.values(TENANT).get('api_key')).toBe(VALUE);
  });

  it('is not there for a server with another key, nor under another name or in another workspace', async () => {
    const key = TokenKey.open({ dataDir: stand.dir, given: randomBytes(32).toString('hex'), random: randomBytes });
    const other = await stand.open({ key });
    expect(other.secrets.list(BY).map(({ name }) => name)).toEqual(['api_key', 'nothing']);
    expect(other.secrets.values(TENANT)).toEqual(new Map());
    const [row] = await stored();
    const times = { created_at: '2026-01-01 00:00:00.000', updated_at: '2026-01-01 00:00:00.000' };
    const moved = { sealed: row?.sealed ?? '', deleted: false, version: '1', ...times };
    await stand.store.insertRows('secrets', [
      { tenant: TENANT, name: 'stolen', ...moved },
      { tenant: 'other', name: 'api_key', ...moved },
      { tenant: TENANT, name: 'broken', ...moved, sealed: 'AAAA' },
    ]);
    const reader = await stand.open();
    expect([...reader.secrets.values(TENANT).keys()].toSorted()).toEqual(['api_key', 'nothing']);
    expect(reader.secrets.values('other')).toEqual(new Map());
  });

  it('has another value after a change, and none after its removal', async () => {
    await platform.secrets.update(BY, 'api_key', 'second');
    expect(platform.secrets.values(TENANT).get('api_key')).toBe('second');
    await platform.refresh();
    expect(platform.secrets.values(TENANT).get('api_key')).toBe('second');
    await platform.secrets.remove(BY, 'api_key');
    await platform.refresh();
    expect(platform.secrets.values(TENANT).has('api_key')).toBe(false);
    await platform.secrets.create(BY, 'api_key', 'third');
    await platform.refresh();
    expect(platform.secrets.values(TENANT).get('api_key')).toBe('third');
  });

  it.each([
    ['a name that no template can say', '1a', 'x', 'bad_request'],
    ['a long name', 'a'.repeat(129), 'x', 'bad_request'],
    ['a long value', 'long', 'x'.repeat(65_537), 'bad_request'],
    ['a name that is taken', 'nothing', 'x', 'conflict'],
  ])('with %s is refused', async (_, name, value, code) => {
    await expect(platform.secrets.create(BY, name, value)).rejects.toMatchObject({ code });
  });

  it('stays as it was when the store is away', async () => {
    stand.link.up = false;
    await expect(platform.secrets.update(BY, 'api_key', 'fourth')).rejects.toMatchObject({ code: 'unavailable' });
    await expect(platform.secrets.refresh()).rejects.toMatchObject({ code: 'unavailable' });
    expect(platform.secrets.values(TENANT).get('api_key')).toBe('third');
    stand.link.up = true;
  });
});
