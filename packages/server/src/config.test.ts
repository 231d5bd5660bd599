import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readConfig } from './config.ts';

const KEY = 'Ab'.repeat(32);

function messageFor(environment: Readonly<Record<string, string>>): string {
  try {
    readConfig(environment);
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}

describe('the token key', () => {
  test('is given as 64 hex digits, or by a file', () => {
    expect(readConfig({}).tokenKey).toBeUndefined();
    expect(readConfig({ GLASSHOUSE_TOKEN_KEY: '' }).tokenKey).toBeUndefined();
    expect(readConfig({ GLASSHOUSE_TOKEN_KEY: KEY }).tokenKey).toBe(KEY);
    const directory = mkdtempSync(join(tmpdir(), 'glasshouse-config-'));
    const file = join(directory, 'key');
    writeFileSync(file, `${KEY}\n`);
    expect(readConfig({ GLASSHOUSE_TOKEN_KEY_FILE: file }).tokenKey).toBe(KEY);
    rmSync(directory, { recursive: true });
  });

  test.each([KEY.slice(1), `${KEY}0`, KEY.replace('b', 'g'), 'secret'])('%s is refused and not repeated', (given) => {
    const message = messageFor({ GLASSHOUSE_TOKEN_KEY: given });
    expect(message).toContain('cannot use GLASSHOUSE_TOKEN_KEY: give 64 hex digits');
    expect(message).not.toContain(given);
  });
});
