/**
 * The engine process. Waits for one message that says what to open, opens the database, listens, and closes in reverse.
 * Separate from the server so that a crash of the engine, or the kernel's out-of-memory killer, takes nothing else along.
 *
 * Must stay true: this process never outlives its parent, even when that is killed: the end of the IPC channel ends it.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@glasshouse/model';
import { writeConfig } from './config.ts';
import { HttpFace } from './http.ts';
import { prepareSpool } from './insert.ts';
import type { FromChild, OpenMessage, ToChild } from './messages.ts';
import { Sessions } from './sessions.ts';
import { Slots } from './slots.ts';

interface Running {
  readonly face: HttpFace;
  readonly sessions: Sessions;
  readonly runtimeDir: string;
}

async function open(options: OpenMessage): Promise<{ running: Running; version: string }> {
  const databaseDir = join(options.dataDir, 'db');
  const spoolDir = join(options.dataDir, 'spool');
  const configDir = join(options.dataDir, 'config');
  for (const dir of [databaseDir, configDir, options.backupDir]) mkdirSync(dir, { recursive: true, mode: 0o700 });
  const { maxMemoryBytes, cores, backupDir } = options;
  const configFile = writeConfig({ databaseDir, backupDir, configDir, maxMemoryBytes, cores });

  const sessions = new Sessions(databaseDir, configFile);
  sessions.open();
  // Only the owner of the database's lock may empty the spool folder.
  prepareSpool(spoolDir);
  const [version = '', timezone = '', displayName = ''] = await sessions.ask('SELECT version(), timezone(), displayName()');

  const fifos = makeFifos(options.runtimeDir, options.readSlots + options.checkSlots + options.writeSlots);
  const take = (count: number): string[] => fifos.splice(0, count);
  const face = new HttpFace({
    sessions,
    identity: { version, timezone, displayName },
    credentials: options.credentials,
    spoolDir,
    slots: {
      read: new Slots('reader', take(options.readSlots), options.maxWaiting),
      check: new Slots('owner read', take(options.checkSlots), options.maxWaiting),
      write: new Slots('owner write', take(options.writeSlots), options.maxWaiting),
    },
    readerLimits: new Map([
      ['max_threads', cores],
      ['os_threads_nice_value_query', 10],
      ['max_memory_usage', Math.floor(maxMemoryBytes / 2)],
      ['max_bytes_before_external_group_by', Math.floor(maxMemoryBytes / 4)],
      ['max_bytes_before_external_sort', Math.floor(maxMemoryBytes / 4)],
      ['max_execution_time', options.maxExecutionSeconds],
    ]),
    holdBytes: 64 << 10,
    stallMs: 300_000,
  });
  rmSync(options.socketPath, { force: true });
  face.server.listen(options.socketPath);
  await once(face.server, 'listening');
  return { running: { face, sessions, runtimeDir: options.runtimeDir }, version };
}

function makeFifos(runtimeDir: string, count: number): string[] {
  const paths = Array.from({ length: count }, (_, index) => join(runtimeDir, `result-${index}`));
  for (const path of paths) rmSync(path, { force: true });
  execFileSync('mkfifo', ['-m', '600', ...paths]);
  return paths;
}

/** Stops listening, lets what runs end within `graceMs`, cancels the rest, and leaves. */
async function close(running: Running | undefined, graceMs: number, orphaned: boolean): Promise<never> {
  const leave = (): never => {
    if (orphaned && running !== undefined) rmSync(running.runtimeDir, { recursive: true, force: true });
    // The binding's exit hooks wait for engine threads; a hook that hangs must not keep the data directory locked.
    process.kill(process.pid, 'SIGKILL');
    return process.exit(1);
  };
  setTimeout(leave, graceMs + 5_000);
  if (running !== undefined) {
    running.face.server.close();
    running.face.server.closeIdleConnections();
    const deadline = Date.now() + graceMs;
    while (running.face.running > 0 && Date.now() < deadline) await pause(20);
    running.face.abortAll();
    const last = Date.now() + 2_000;
    while (running.face.running > 0 && Date.now() < last) await pause(20);
    if (running.face.running > 0) return leave();
    running.sessions.close();
    if (orphaned) rmSync(running.runtimeDir, { recursive: true, force: true });
  }
  return process.exit(0);
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function tell(message: FromChild): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) return resolve();
    process.send(message, () => resolve());
  });
}

function main(): void {
  let running: Running | undefined;
  let closing = false;
  const leave = (graceMs: number, orphaned: boolean): void => {
    if (closing) return;
    closing = true;
    void close(running, graceMs, orphaned);
  };
  // A signal to the whole process group is the parent's to answer: it still needs the engine while it stops.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.on('disconnect', () => leave(0, true));
  process.on('message', (message: ToChild) => {
    if (message.type === 'stop') return leave(5_000, false);
    open(message).then(
      async (opened) => {
        running = opened.running;
        await tell({ type: 'ready', version: opened.version });
      },
      async (error: unknown) => {
        await tell({ type: 'failed', reason: messageOf(error) });
        process.exit(1);
      },
    );
  });
  if (process.send === undefined) throw new Error('cannot start the engine process: it is started by its supervisor only');
}

main();
