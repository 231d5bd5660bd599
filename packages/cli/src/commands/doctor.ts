/** `doctor`: looks at everything that commonly goes wrong, and says for each what to do. */

import type { Config } from '@glasshouse/server';
import { messageOf } from '@glasshouse/model';
import { SERVER_OPTIONS } from '../args.ts';
import type { Arguments } from '../args.ts';
import type { Check } from '../checks/check.ts';
import { fail } from '../checks/check.ts';
import {
  checkDataDir,
  checkDisk,
  checkExposure,
  checkFileLimit,
  checkInstallation,
  checkMemory,
  checkNode,
  checkPorts,
} from '../checks/machine.ts';
import { checkBacklog, checkListeners, checkQuarantine, checkSkew, checkStore } from '../checks/server.ts';
import { Client } from '../client.ts';
import type { Command, Context } from '../command.ts';
import { EXIT_CODES, UnreachableError } from '../errors.ts';
import type { Output } from '../output.ts';
import { probeAll } from '../probe.ts';
import type { Target } from '../target.ts';
import { configOf, targetOf } from '../target.ts';
import { addressesOf } from './status.ts';

const SIGNS = { ok: ['✓', 'green'], warn: ['!', 'yellow'], fail: ['✗', 'red'] } as const;

export const doctor: Command = {
  name: 'doctor',
  summary: 'find what is wrong, and what to do about it',
  usage: '',
  description: [
    'Checks Node and the installation, the configuration, data directory, disk, memory and ports; and, of a running server, every ' +
      'listener, the store, what waits for it, what was quarantined, and whether the clocks of senders are right.',
    '✓ is good, ! deserves a look, ✗ must be mended and makes the exit code 1.',
  ],
  options: {
    ...SERVER_OPTIONS,
    listeners: { type: 'boolean', description: 'Only try every listener of the running server' },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse doctor', what: 'everything' },
    { command: 'glasshouse doctor --listeners', what: 'is it up? for scripts and probes' },
    { command: 'glasshouse doctor --json | jq \'.checks[] | select(.state != "ok")\'', what: 'what needs a look' },
  ],
  more: '`glasshouse status`, `glasshouse logs`',
  run: async (context, args) => {
    const checks = args.flag('listeners') ? await listenerChecks(context, args) : await allChecks(context, args);
    const failed = checks.some(({ state }) => state === 'fail');
    if (args.flag('json')) context.output.json({ ok: !failed, checks });
    else print(context.output, checks);
    return failed ? EXIT_CODES.failed : EXIT_CODES.ok;
  },
};

async function listenerChecks(context: Context, args: Arguments): Promise<Check[]> {
  const target = targetOf(context, args);
  const probes = await probeAll(addressesOf(target));
  if (probes.every(({ ok }) => !ok)) {
    throw new UnreachableError(
      `cannot reach ${target.url}: ${probes[0]?.detail}`,
      'start a server with `glasshouse start`',
    );
  }
  return checkListeners(probes, target.record?.listeners);
}

async function allChecks(context: Context, args: Arguments): Promise<Check[]> {
  // A server elsewhere says nothing about this machine, and this machine nothing about it.
  if (args.text('url') !== undefined) return serverChecks(context, targetOf(context, args), undefined);
  const config = configuration(context, args);
  if ('state' in config) return [checkNode(), checkInstallation(true), config];
  const target = targetOf(context, args);
  const { record } = target;
  // A server may have been started without us, by a container or by hand.
  const running = record !== undefined || (await probeAll(addressesOf(target)))[0]?.ok === true;
  return [
    checkNode(),
    checkInstallation(config.storeUrl === undefined),
    checkExposure(config),
    ...checkDataDir(config),
    await checkDisk(config),
    checkMemory(),
    checkFileLimit(record?.pid ?? process.pid),
    ...(running
      ? [...(await serverChecks(context, target, config)), checkQuarantine(config.dataDir)]
      : await checkPorts(config)),
  ];
}

function configuration(context: Context, args: Arguments): Check | Config {
  try {
    return configOf(context.env, args);
  } catch (error) {
    return fail('Configuration', messageOf(error), 'correct the variables; `glasshouse config --help` explains them');
  }
}

async function serverChecks({ now }: Context, target: Target, config: Config | undefined): Promise<Check[]> {
  const probes = await probeAll(addressesOf(target));
  const listeners = checkListeners(probes, target.record?.listeners);
  if (probes[0]?.ok !== true) return listeners;
  const client = new Client(target);
  return [
    ...listeners,
    ...(await checkStore(client, now)),
    await checkBacklog(client, config),
    await checkSkew(client, now),
  ];
}

function print(output: Output, checks: readonly Check[]): void {
  const width = Math.max(...checks.map(({ name }) => name.length));
  for (const { name, state, detail, fix } of checks) {
    const [sign, colour] = SIGNS[state];
    output.line(`${output.paint(colour, sign)} ${name.padEnd(width)}  ${detail}`);
    if (fix !== undefined) output.line(`  ${' '.repeat(width)}  ${output.paint('dim', '→')} ${fix}`);
  }
  const count = (state: Check['state']): number => checks.filter((check) => check.state === state).length;
  output.line();
  const [wrong, odd] = [count('fail'), count('warn')];
  if (wrong + odd === 0) output.line(output.paint('green', 'All is well.'));
  else output.line(`${wrong} to mend, ${odd} to look at, ${count('ok')} good.`);
}
