/** Tests of completing the lock: what a name says, and what is added. */

import { expect, test } from 'vitest';
import { missing, platformOf } from './lock-platforms.mjs';

test('reads system, processor and C library from a name', () => {
  expect(platformOf('@a/binding-linux-x64-gnu')).toEqual({ os: ['linux'], cpu: ['x64'], libc: ['glibc'] });
  expect(platformOf('@a/binding-linux-arm-musleabihf')).toEqual({ os: ['linux'], cpu: ['arm'], libc: ['musl'] });
  expect(platformOf('@a/darwin-arm64')).toEqual({ os: ['darwin'], cpu: ['arm64'] });
});

test('knows nothing of a name without a platform', () => {
  expect(platformOf('fsevents')).toBeUndefined();
  expect(platformOf('@a/binding-wasm32-wasi')).toBeUndefined();
});

test('adds what the lock lacks, with the version and the flags of its parent', () => {
  const optionalDependencies = { '@a/linux-x64': '1.0.0', '@a/darwin-arm64': '1.0.0', fsevents: '~2.3.3' };
  const lock = {
    'node_modules/a': { version: '1.0.0', dev: true, license: 'MIT', optionalDependencies },
    'node_modules/@a/linux-x64': { version: '1.0.0' },
  };
  expect(missing(lock)).toEqual({
    'node_modules/@a/darwin-arm64': {
      version: '1.0.0',
      cpu: ['arm64'],
      dev: true,
      license: 'MIT',
      optional: true,
      os: ['darwin'],
    },
  });
});

test('leaves a complete lock as it is', () => {
  expect(missing({ 'node_modules/a': { version: '1.0.0' } })).toEqual({});
});
