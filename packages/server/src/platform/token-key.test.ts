import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSecret, randomUuid, sameSecret, TokenKey, uuidOf, workspaceId } from './token-key.ts';

const BOUNDED = { seed: 20_261_122, numRuns: 2_000 };
const PARTS = { tenant: 'acme', tokenId: 'id-1', generation: 1 };
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[48][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/u;

let dir: string;

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'glasshouse-token-key-'));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('the token key', () => {
  it('is made once, in a file for its owner only, and never shown', () => {
    const made = TokenKey.open({ dataDir: dir, random: randomBytes });
    const path = join(dir, 'token-key');
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const key = readFileSync(path, 'utf8').trim();
    const again = TokenKey.open({ dataDir: dir, random: randomBytes });
    expect(again.secretOf(PARTS)).toBe(made.secretOf(PARTS));
    expect(TokenKey.open({ dataDir: '/nowhere', given: key, random: randomBytes }).secretOf(PARTS)).toBe(
      made.secretOf(PARTS),
    );
    expect(JSON.stringify(made)).not.toContain(key);
  });

  it.each(['', 'short', 'g'.repeat(64), 'a'.repeat(65)])('that is %j is refused', (given) => {
    expect(() => TokenKey.open({ dataDir: dir, given, random: randomBytes })).toThrow('64 hex digits');
    const broken = mkdtempSync(join(dir, 'broken-'));
    writeFileSync(join(broken, 'token-key'), given);
    expect(() => TokenKey.open({ dataDir: broken, random: randomBytes })).toThrow('64 hex digits');
  });
});

describe('the token key of a backup', () => {
  const opened = (given?: string): { dataDir: string; backup: string; key: TokenKey } => {
    const [dataDir, backup] = [mkdtempSync(join(dir, 'data-')), mkdtempSync(join(dir, 'backup-'))];
    return { dataDir, backup, key: TokenKey.open({ dataDir, given, random: randomBytes }) };
  };

  it('takes the place of the one that is there, which is kept', () => {
    const [one, two] = [opened(), opened()];
    one.key.saveTo(one.backup);
    const [mine, theirs] = [two.key.secretOf(PARTS), one.key.secretOf(PARTS)];
    expect(two.key.stage(one.backup)).toBe('taken over');
    expect(two.key.secretOf(PARTS)).toBe(mine);
    two.key.takeStaged();
    expect(two.key.secretOf(PARTS)).toBe(theirs);
    expect(TokenKey.open({ dataDir: two.dataDir, random: randomBytes }).secretOf(PARTS)).toBe(theirs);
    for (const name of ['token-key', 'token-key.replaced'])
      expect(statSync(join(two.dataDir, name)).mode & 0o777).toBe(0o600);
    const former = readFileSync(join(two.dataDir, 'token-key.replaced'), 'utf8');
    expect(TokenKey.open({ dataDir: two.dataDir, given: former.trim(), random: randomBytes }).secretOf(PARTS)).toBe(
      mine,
    );
    expect(two.key.stage(one.backup)).toBe('same');
  });

  it('that was only laid ready is used by the next start if its tables are in place, and forgotten otherwise', () => {
    for (const isRestored of [true, false]) {
      const [one, two] = [opened(), opened()];
      one.key.saveTo(one.backup);
      two.key.stage(one.backup);
      const next = TokenKey.open({ dataDir: two.dataDir, random: randomBytes }, isRestored);
      expect(next.secretOf(PARTS)).toBe((isRestored ? one : two).key.secretOf(PARTS));
      expect(readdirSync(two.dataDir).includes('token-key.restoring')).toBe(false);
    }
  });

  it('does not take the place of a configured one, which is in no backup', () => {
    const [filed, given, other] = [opened(), opened('a'.repeat(64)), opened('b'.repeat(64))];
    for (const { key, backup } of [filed, given]) key.saveTo(backup);
    expect(readdirSync(given.backup)).toEqual(['token-key-print']);
    expect(given.key.stage(filed.backup)).toBe('other');
    expect(other.key.stage(given.backup)).toBe('other');
    expect(given.key.stage(given.backup)).toBe('same');
    expect(filed.key.stage(given.backup)).toBe('other');
    given.key.takeStaged();
    expect(readdirSync(given.dataDir)).toEqual([]);
  });

  it('is none in a backup from before there were tokens', () => {
    const { key, backup } = opened();
    expect(key.stage(backup)).toBe('same');
  });
});

describe('a secret', () => {
  it('is another one for another key, tenant, token or generation', () => {
    const [one, two] = ['a', 'b'].map((digit) =>
      TokenKey.open({ dataDir: dir, given: digit.repeat(64), random: randomBytes }),
    );
    const secrets = [
      one?.secretOf(PARTS),
      two?.secretOf(PARTS),
      one?.secretOf({ ...PARTS, tenant: 'acm' }),
      one?.secretOf({ ...PARTS, tenant: 'acme"', tokenId: 'x' }),
      one?.secretOf({ ...PARTS, tokenId: 'id-2' }),
      one?.secretOf({ ...PARTS, generation: 2 }),
    ];
    expect(new Set(secrets.map((secret) => secret?.split('.')[2])).size).toBe(secrets.length);
  });

  it('says of which workspace and token it is, as clients read it', () => {
    const secret = TokenKey.open({ dataDir: dir, random: randomBytes }).secretOf(PARTS);
    expect(parseSecret(secret)).toEqual({ workspaceId: workspaceId('acme'), tokenId: 'id-1' });
    const payload = JSON.parse(Buffer.from(secret.split('.')[1] ?? '', 'base64url').toString()) as unknown;
    expect(payload).toEqual({ u: workspaceId('acme'), id: 'id-1', host: 'glasshouse' });
  });

  it.each([
    '',
    'p.',
    'p..',
    'p.a.b',
    `p.${'a'.repeat(2_000)}.${'A'.repeat(43)}`,
    `p.bnVsbA.${'A'.repeat(43)}`,
    `p.e30.${'A'.repeat(43)}`,
  ])('is not %j', (text) => {
    expect(parseSecret(text)).toBeUndefined();
  });

  it('is read or not, whatever the text is', () => {
    const json = fc
      .jsonValue()
      .map((value) => `p.${Buffer.from(JSON.stringify(value)).toString('base64url')}.${'A'.repeat(43)}`);
    fc.assert(
      fc.property(fc.oneof(fc.string(), json), (text) => {
        const parsed = parseSecret(text);
        if (parsed !== undefined)
          expect([typeof parsed.workspaceId, typeof parsed.tokenId]).toEqual(['string', 'string']);
      }),
      BOUNDED,
    );
  });

  it('is compared as a whole', () => {
    expect([sameSecret('a', 'a'), sameSecret('a', 'b'), sameSecret('a', 'aa'), sameSecret('', '')]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });
});

describe('ids', () => {
  it('are UUIDs, the same for the same text', () => {
    expect(workspaceId('acme')).toMatch(UUID);
    expect(uuidOf('a')).not.toBe(uuidOf('b'));
    expect(workspaceId('acme')).toBe(uuidOf('workspace acme'));
    expect(randomUuid(randomBytes)).toMatch(UUID);
  });
});
