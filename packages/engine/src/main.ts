/**
 * The engine process. Waits for one message that says what to open, opens the database, listens, and closes in reverse.
 * Separate from the server so that a crash of the engine, or the kernel's out-of-memory killer, takes nothing else along.
 *
 * Must stay true: this process never outlives its parent, even when that is killed: the end of the IPC channel ends it.
 */
import { once } from 'node:events';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { collectAtRest, messageOf } from '@glasshouse/model';
import { writeConfig } from './config.ts';
import { makeFifos } from './fifo.ts';
import { HttpFace } from './http.ts';
import { prepareSpool } from './insert.ts';
import type { FromChild, OpenMessage, ToChild } from './messages.ts';
import { Sessions } from './sessions.ts';
import { Slots } from './slots.ts';

/** How long running requests may go on when the engine stops. */
const GRACE_MS = 5_000;
/** How long cancelled ones may take to end. */
const CANCEL_MS = 2_000;
/** By then the server that started this has asked its first questions. */
const REST_MS = 4_000;

interface Running {
  readonly face: HttpFace;
  readonly sessions: Sessions;
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
  const [version = '', timezone = '', displayName = ''] = await sessions.ask(
    'SELECT version(), timezone(), displayName()',
  );

  const count = options.readSlots + options.checkSlots + options.writeSlots;
  const fifos = Array.from({ length: count }, (_, index) => join(options.runtimeDir, `result-${index}`));
  for (const path of fifos) rmSync(path, { force: true });
  await makeFifos(fifos);
  const now = (): number => performance.now();
  const take = (places: number): string[] => fifos.splice(0, places);
  const face = new HttpFace({
    sessions,
    identity: { version, timezone, displayName },
    credentials: options.credentials,
    spoolDir,
    slots: {
      read: new Slots('reader', take(options.readSlots), options.maxWaiting, now),
      check: new Slots('owner read', take(options.checkSlots), options.maxWaiting, now),
      write: new Slots('owner write', take(options.writeSlots), options.maxWaiting, now),
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
  return { running: { face, sessions }, version };
}

/** Stops listening, lets what runs end within `GRACE_MS`, cancels the rest, closes the database, and leaves. */
async function close(running: Running | undefined): Promise<never> {
  setTimeout(() => die(), GRACE_MS + CANCEL_MS + 3_000);
  if (running === undefined) return process.exit(0);
  const { face, sessions } = running;
  face.server.close();
  face.server.closeIdleConnections();
  await idle(face, GRACE_MS);
  face.abortAll();
  if (!(await idle(face, CANCEL_MS))) return die();
  sessions.close();
  return process.exit(0);
}

/** Gives back what opening the database and the first questions left behind in the two heaps. */
function restAfter(sessions: Sessions): void {
  collectAtRest();
  // A build with another allocator has nothing to give back.
  setTimeout(() => void sessions.ask('SYSTEM JEMALLOC PURGE').catch(() => undefined), REST_MS).unref();
}

async function idle(face: HttpFace, withinMs: number): Promise<boolean> {
  const deadline = Date.now() + withinMs;
  while (face.running > 0 && Date.now() < deadline) await pause(20);
  return face.running === 0;
}

/** Ends the process without the binding's exit hooks, which wait for engine threads. The database is made for it. */
function die(): never {
  process.kill(process.pid, 'SIGKILL');
  return process.exit(1);
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
  let runtimeDir: string | undefined;
  // A signal to the whole process group is the parent's to answer: it still needs the engine while it stops.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.on('disconnect', () => {
    // The parent is gone, and its successor wants the data directory now.
    if (runtimeDir !== undefined) rmSync(runtimeDir, { recursive: true, force: true });
    die();
  });
  process.on('message', (message: ToChild) => {
    if (message.type === 'stop') {
      void close(running);
      return;
    }
    runtimeDir = message.runtimeDir;
    open(message).then(
      async (opened) => {
        running = opened.running;
        await tell({ type: 'ready', version: opened.version });
        restAfter(opened.running.sessions);
      },
      async (error: unknown) => {
        await tell({ type: 'failed', reason: messageOf(error) });
        process.exit(1);
      },
    );
  });
  if (process.send === undefined)
    throw new Error('cannot start the engine process: it is started by its supervisor only');
}

main();
