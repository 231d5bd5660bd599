/** Settings of the roll-out on a real store: mirrors with their tokens, switches of data sources. */

import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '@glasshouse/model';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Mirrors } from './mirrors.ts';
import { SourceSwitches } from './source-switches.ts';
import type { Stand } from './testing/stand.ts';
import { openStand } from './testing/stand.ts';
import { TokenKey } from './token-key.ts';

const TOKEN = 'p.hush-hush.token';
const URL_THERE = 'https://api.tinybird.co';

let stand: Stand;
let key: TokenKey;
const opened: { close(): void }[] = [];

beforeAll(async () => {
  stand = await openStand();
  key = TokenKey.open({ dataDir: stand.dir, given: undefined, random: randomBytes });
});

afterAll(async () => {
  for (const one of opened) one.close();
  await stand.close();
});

/** A store that is away. */
const away = (): Stand['store'] =>
  Object.assign(Object.create(stand.store) as Stand['store'], {
    rows: () => Promise.reject(new AppError('unavailable', 'away')),
  });

async function mirrors(server: string, with_: { key?: TokenKey; store?: Stand['store'] } = {}): Promise<Mirrors> {
  const path = join(stand.dir, `${server}-mirrors.json`);
  const made = await Mirrors.open({ store: stand.store, key, random: randomBytes, now: Date.now, path, ...with_ });
  opened.push(made);
  return made;
}

async function switches(server: string, store = stand.store): Promise<SourceSwitches> {
  const path = join(stand.dir, `${server}-sources.json`);
  const made = await SourceSwitches.open({ store, now: Date.now, path });
  opened.push(made);
  return made;
}

describe('mirrors', () => {
  it('have a token that is opened by the same key, for its tenant, and is stored nowhere in plain text', async () => {
    const one = await mirrors('one');
    await one.set('acme', { url: `${URL_THERE}/v0/events`, token: TOKEN });
    const other = await mirrors('two');
    expect(other.tokenOf('acme')).toBe(TOKEN);
    expect(other.list()).toMatchObject([{ tenant: 'acme', url: URL_THERE, percent: 100, sources: [], paused: false }]);
    expect(JSON.stringify(other.list())).not.toMatch(/sealed|hush/u);
    const [row] = await stand.store.rows<{ settings: string }>(
      `SELECT settings FROM ${stand.store.target.database}.mirrors FINAL`,
    );
    const { sealed } = JSON.parse(row?.settings ?? '{}') as { sealed: string };
    expect(Buffer.from(sealed, 'base64').toString('latin1')).not.toContain('hush');
    expect(readFileSync(join(stand.dir, 'one-mirrors.json'), 'utf8')).not.toContain('hush');
    const foreign = TokenKey.open({ dataDir: stand.dir, given: randomBytes(32).toString('hex'), random: randomBytes });
    expect((await mirrors('three', { key: foreign })).tokenOf('acme')).toBeUndefined();
  });

  it('keep what a change leaves out, but their token goes to no other server', async () => {
    const one = await mirrors('one');
    await one.set('acme', { percent: 10, sources: ['a'] });
    await one.set('acme', { url: `${URL_THERE}/behind/a/path` });
    expect(one.list('acme')).toMatchObject([{ url: `${URL_THERE}/behind/a/path`, percent: 10, sources: ['a'] }]);
    expect(one.tokenOf('acme')).toBe(TOKEN);
    for (const url of ['https://evil.example', 'http://api.tinybird.co', 'https://api.tinybird.co:8443'])
      await expect(one.set('acme', { url })).rejects.toMatchObject({ code: 'bad_request' });
    await expect(one.remove('other')).rejects.toMatchObject({ code: 'not_found' });
  });

  it('are known from the file while the store is away, and unknown without it', async () => {
    expect(await mirrors('one', { store: away() })).toMatchObject({ isKnown: true, size: 1 });
    expect(await mirrors('never', { store: away() })).toMatchObject({ isKnown: false, size: 0 });
  });
});

describe('switches', () => {
  it('are seen by other servers when they look, and known from the file while the store is away', async () => {
    const [one, two] = [await switches('one'), await switches('two')];
    expect(one.admit('acme', 'events')).toEqual({ isOff: false, share: undefined });
    await one.set('acme', 'events', { percent: 10, key: 'user' });
    expect(one.admit('acme', 'events')).toEqual({ isOff: false, share: { percent: 10, key: 'user' } });
    expect(one.admit('other', 'events')).toEqual({ isOff: false, share: undefined });
    await two.refresh();
    expect(two.admit('acme', 'events').share).toEqual({ percent: 10, key: 'user' });
    await two.set('acme', 'events', { enabled: false });
    const later = await switches('two', away());
    expect(later.admit('acme', 'events')).toEqual({ isOff: true, share: undefined });
    await expect(later.refresh()).rejects.toThrow('away');
    await two.remove('acme', 'events');
    await one.refresh();
    expect(one.admit('acme', 'events')).toEqual({ isOff: false, share: undefined });
  });

  it('give the mirror its own share, or take it away again', async () => {
    const one = await switches('one');
    await one.set('acme', 'mirrored', { mirrorPercent: 5 });
    expect(one.find('acme', 'mirrored')).toEqual({ enabled: true, percent: 100, mirrorPercent: 5, key: '' });
    await one.set('acme', 'mirrored', { mirrorPercent: null });
    expect(one.find('acme', 'mirrored')).toEqual({ enabled: true, percent: 100, key: '' });
  });
});
