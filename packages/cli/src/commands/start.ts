/**
 * `start`: brings the server up in the background and says where everything is, or runs it in the foreground.
 *
 * Must stay true: it reports success only after the server said that it takes data, and a failure with the server's own words.
 */

import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync } from 'node:fs';
import os from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '@glasshouse/model';
import type { Config } from '@glasshouse/server';
import { DATA_OPTIONS } from '../args.ts';
import type { Command, Context } from '../command.ts';
import { serverMain, version } from '../installation.ts';
import { logPath, openLog, readyEvent, reasonIn, showLine, tailLines } from '../log-file.ts';
import { durationText } from '../output.ts';
import { probeAll } from '../probe.ts';
import type { Address, PidRecord } from '../process.ts';
import { claimPidFile, processMark, removePidFile, writePidFile } from '../process.ts';
import { configOf, configuredAddresses, environmentOf, tokenPath, urlOf } from '../target.ts';

const DEADLINE_MS = 60_000;
const POLL_MS = 50;
const LOG_LINES = 15;
const SAME_SIGNAL_MS = 1_000;

/** What the server sends its parent when it takes data. */
interface ReadyMessage {
  readonly kind: 'ready';
  readonly listeners?: readonly { readonly name: string; readonly port: number }[];
  readonly skipped?: readonly string[];
}

interface Started {
  readonly record: PidRecord;
  readonly skipped: readonly string[];
  readonly tookMs: number;
}

export const start: Command = {
  name: 'start',
  summary: 'start the server and wait until it takes data',
  usage: '',
  description: [
    'Starts the server in the background, waits until it is ready, and prints where to send data and where to ask. ' +
      'Its output goes to DIR/glasshouse.log; its process number is in DIR/glasshouse.pid.',
    'The server is configured by GLASSHOUSE_* variables; `glasshouse config` shows them all with their values.',
  ],
  options: {
    ...DATA_OPTIONS,
    foreground: {
      type: 'boolean',
      short: 'f',
      description: 'Run in the foreground and log to the terminal, for a supervisor or a container',
    },
  },
  positionals: 0,
  examples: [
    { command: 'glasshouse start', what: 'start on the default ports, with data in ./data' },
    {
      command: 'GLASSHOUSE_PORT=3100 glasshouse start --data-dir /var/lib/glasshouse',
      what: 'another main port, another place',
    },
    { command: 'glasshouse start --foreground', what: 'stay in the foreground until Ctrl-C' },
  ],
  more: 'docs/reference/configuration.md',
  run: async (context, args) => {
    const config = configOf(context.env, args);
    const main = serverMain();
    makeDataDir(config.dataDir);
    const own: PidRecord = {
      pid: process.pid,
      mark: processMark(process.pid),
      startedAt: new Date(context.now()).toISOString(),
      version: version(),
      listeners: [],
    };
    const running = claimPidFile(config.dataDir, own);
    if (running !== undefined) throw alreadyRunning(running, config.dataDir);
    const env = { ...environmentOf(context.env, args), GLASSHOUSE_DATA_DIR: config.dataDir };
    try {
      if (args.flag('foreground')) return await runForeground(context, config, main, env, own);
      const started = await startBackground(context, config, main, env, own);
      if (args.flag('json')) context.output.json(report(config, started));
      else printStarted(context, config, started);
      return 0;
    } catch (error) {
      removePidFile(config.dataDir, own.pid);
      throw error;
    }
  },
};

function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new AppError('internal', `cannot make GLASSHOUSE_DATA_DIR=${dataDir}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

function alreadyRunning({ pid, listeners }: PidRecord, dataDir: string): AppError {
  const main = listeners.find(({ name }) => name === 'main');
  const where = main === undefined ? 'it is starting' : urlOf(main);
  return new AppError(
    'conflict',
    `cannot start on GLASSHOUSE_DATA_DIR=${dataDir}: a server is running there already (process ${pid}, ${where})`,
  );
}

async function startBackground(
  context: Context,
  config: Config,
  main: string,
  env: NodeJS.ProcessEnv,
  own: PidRecord,
): Promise<Started> {
  const startedMs = context.now();
  const { fd, offset } = openLog(config.dataDir);
  const child = spawn(process.execPath, [main], { detached: true, stdio: ['ignore', fd, fd, 'ipc'], env });
  closeSync(fd);
  const progress = context.output.progress(context.now);
  const interruption = context.interruption();
  try {
    const watch = watchChild(child);
    if (child.pid === undefined) throw new AppError('internal', `cannot start the server: ${await watch.ended}`);
    const record: PidRecord = { ...own, pid: child.pid, mark: processMark(child.pid) };
    writePidFile(config.dataDir, record);
    const failure = (why: string): AppError => failedStart(config.dataDir, offset, why, record.pid);
    let ready: PidRecord | undefined;
    let skipped: readonly string[] = [];
    while (ready === undefined || !(await answers(ready))) {
      const passedMs = context.now() - startedMs;
      progress.update(`Starting … ${Math.floor(passedMs / 1000)} s`);
      const ended = await Promise.race([watch.ended, sleep(POLL_MS, undefined)]);
      if (ended !== undefined) throw failure(ended);
      if (passedMs > DEADLINE_MS || interruption.aborted) {
        child.kill('SIGTERM');
        throw failure(
          interruption.aborted ? 'it was interrupted' : `it was not ready after ${durationText(DEADLINE_MS)}`,
        );
      }
      const message = watch.ready();
      if (ready !== undefined || message === undefined) continue;
      const logged = readyEvent(config.dataDir, offset);
      // The message may overtake the line in the log.
      if (message.listeners === undefined && logged.listeners === undefined && logsReady(config)) continue;
      ready = { ...record, listeners: addresses(config, message.listeners ?? logged.listeners) };
      skipped = message.skipped ?? logged.skipped;
      writePidFile(config.dataDir, ready);
    }
    return { record: ready, skipped, tookMs: context.now() - startedMs };
  } finally {
    progress.end();
    if (child.connected) child.disconnect();
    child.unref();
  }
}

/** Follows what a child says of itself until it is ready or gone. */
function watchChild(child: ChildProcess): { ready: () => ReadyMessage | undefined; ended: Promise<string> } {
  let ready: ReadyMessage | undefined;
  child.on('message', (message: unknown) => {
    if ((message as Partial<ReadyMessage>).kind === 'ready') ready = message as ReadyMessage;
  });
  const ended = new Promise<string>((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) =>
      resolve(signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`),
    );
  });
  return { ready: () => ready, ended };
}

/** True if the main listener says that the server takes data. */
async function answers({ listeners }: PidRecord): Promise<boolean> {
  const probes = await probeAll(listeners.filter(({ name }) => name === 'main'));
  return probes.every(({ ok }) => ok);
}

/** The error of a start: the server's own reason, or, if it gave none, its last words. */
function failedStart(dataDir: string, offset: number, ended: string, pid: number): AppError {
  removePidFile(dataDir, pid);
  const lines = tailLines(dataDir, LOG_LINES, offset);
  const reason = reasonIn(lines);
  const path = logPath(dataDir);
  if (reason?.told === true) {
    return new AppError(
      'internal',
      `cannot start the server: ${reason.text}\n\`glasshouse doctor\` says what to do; the whole log is in ${path}`,
    );
  }
  const words =
    lines.length === 0 ? '' : `\nThe last lines of ${path}:\n${lines.map((line) => `  ${showLine(line)}`).join('\n')}`;
  return new AppError('internal', `cannot start the server: ${reason?.text ?? ended}${words}`);
}

/** Whether a server of this configuration logs the line that names its listeners. */
function logsReady({ logLevel }: Config): boolean {
  return logLevel === 'debug' || logLevel === 'info';
}

function addresses(config: Config, listeners: ReadyMessage['listeners']): Address[] {
  if (listeners === undefined) return configuredAddresses(config);
  return listeners.map(({ name, port }) => ({ name, host: config.host, port }));
}

/** Runs the server as our child with our terminal, hands signals on, and ends as it ends. */
async function runForeground(
  { now }: Context,
  config: Config,
  main: string,
  env: NodeJS.ProcessEnv,
  own: PidRecord,
): Promise<number> {
  // In a session of its own the child gets no signal twice: from us and from the terminal.
  const child = spawn(process.execPath, [main], {
    detached: true,
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env,
  });
  let handedOnMs = Number.NEGATIVE_INFINITY;
  const handOn = (): void => {
    // npm and the terminal may both tell us, and a second signal ends the server at once.
    if (now() - handedOnMs < SAME_SIGNAL_MS) return;
    handedOnMs = now();
    child.kill('SIGTERM');
  };
  const signals = ['SIGTERM', 'SIGINT', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, handOn);
  const pid = child.pid ?? own.pid;
  const record = { ...own, pid, mark: processMark(pid) };
  writePidFile(config.dataDir, record);
  child.on('message', (message: unknown) => {
    const { kind, listeners } = message as Partial<ReadyMessage>;
    if (kind === 'ready') writePidFile(config.dataDir, { ...record, listeners: addresses(config, listeners) });
  });
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : os.constants.signals[signal])));
    });
  } finally {
    for (const signal of signals) process.off(signal, handOn);
    removePidFile(config.dataDir, pid);
  }
}

/** Where to point things. A port that could not be had is served by the main one. */
function endpoints(listeners: readonly Address[]): {
  main: string;
  otlpHttp: string;
  otlpGrpc: string;
  clickhouse: string | undefined;
  tinybird: string;
} {
  const find = (name: string): string | undefined => {
    const address = listeners.find((one) => one.name === name);
    return address === undefined ? undefined : urlOf(address);
  };
  const main = find('main') ?? '';
  return {
    main,
    otlpHttp: find('otlp-http') ?? main,
    otlpGrpc: find('otlp-grpc') ?? main,
    clickhouse: find('clickhouse'),
    tinybird: find('tinybird') ?? main,
  };
}

function report(config: Config, { record, skipped, tookMs }: Started): unknown {
  return {
    ...record,
    dataDir: config.dataDir,
    log: logPath(config.dataDir),
    adminTokenFile: config.adminToken === undefined ? tokenPath(config.dataDir) : null,
    endpoints: endpoints(record.listeners),
    skipped,
    tookMs,
  };
}

function printStarted({ output }: Context, config: Config, { record, skipped, tookMs }: Started): void {
  const bold = (text: string): string => output.paint('bold', text);
  const { main, otlpHttp, otlpGrpc, clickhouse, tinybird } = endpoints(record.listeners);
  output.line(
    output.paint('green', `Glasshouse ${record.version} is ready (${durationText(tookMs)}, process ${record.pid}).`),
  );
  output.line();
  output.pairs([
    ['Web page', main],
    ['OTLP over HTTP', otlpHttp],
    ['OTLP over gRPC', otlpGrpc],
    ['SQL', `${main}/v0/sql?q=SELECT+1`],
    ...(clickhouse === undefined ? [] : ([['ClickHouse', clickhouse]] as const)),
    ['Data platform', tinybird],
    ['Data', config.dataDir],
    ['Log', logPath(config.dataDir)],
    [
      'Admin token',
      config.adminToken === undefined ? `in ${tokenPath(config.dataDir)}` : 'as given by GLASSHOUSE_ADMIN_TOKEN',
    ],
  ]);
  output.line();
  output.line(bold('Point an application here'));
  output.line(`  export OTEL_EXPORTER_OTLP_ENDPOINT=${otlpHttp}`);
  output.line('  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf');
  if (config.auth === 'keys') {
    output.line(
      '  export OTEL_EXPORTER_OTLP_HEADERS="Authorization=Bearer%20KEY"   # `glasshouse keys create` makes a KEY',
    );
  }
  output.line(bold('or, over gRPC'));
  output.line(`  export OTEL_EXPORTER_OTLP_ENDPOINT=${otlpGrpc}`);
  output.line('  export OTEL_EXPORTER_OTLP_PROTOCOL=grpc');
  for (const text of skipped) output.note(`\n! ${text}. The main port serves it too: ${main}`, 'yellow');
  output.line();
  output.line(bold('Next'));
  output.line('  npx glasshouse send-test           send something');
  output.line('  npx glasshouse sql --view traces   look at it');
  output.line('  npx glasshouse stop                end');
}
