/**
 * Keeps one engine process running: starts it, watches it, restarts it with growing pauses, stops it. Separate from the
 * engine process because it lives in the server, which must go on acknowledging data while there is no engine.
 *
 * Must stay true: address and secrets are the same for every restart, so that clients need nothing but another try.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError, nodeHttp, messageOf } from '@glasshouse/model';
import type { FromChild, OpenMessage } from './messages.ts';
import type { Credentials } from './request.ts';

export interface EngineOptions {
  /** Folder of the engine's own files; made if absent. One process at a time. */
  readonly dataDir: string;
  /** Folder that BACKUP and RESTORE may use, as `File('/absolute/path')`. */
  readonly backupDir: string;
  /** Memory of all queries and merges together. */
  readonly maxMemoryBytes: number;
  /** Reader queries that run at once. Default: the number of processors, at least 2. */
  readonly querySlots?: number;
  /** Requests that may wait for a slot of one kind before the next is refused with 202. Default 200. */
  readonly maxWaiting?: number;
  /** Longest reader query, in seconds. Default 60. */
  readonly maxExecutionSeconds?: number;
  /** Where the socket goes; must be short and private. Default: a new folder among the temporary files. */
  readonly runtimeDir?: string;
  /** Environment of the child; needs a PATH on which `mkfifo` is. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly onEvent?: (event: EngineEvent) => void;
}

export type EngineState = 'starting' | 'ready' | 'down';

/** What a log or a metric may want to know. */
export type EngineEvent =
  | { readonly type: 'ready'; readonly pid: number; readonly version: string; readonly startMs: number }
  | { readonly type: 'exited'; readonly code: number | null; readonly signal: string | null; readonly reason: string }
  | { readonly type: 'restarting'; readonly delayMs: number; readonly attempt: number }
  | { readonly type: 'unresponsive'; readonly pid: number };

/** A running engine. */
export interface Engine {
  /** For `@clickhouse/client`, together with an agent that has `socketPath`. */
  readonly url: string;
  readonly socketPath: string;
  readonly credentials: Credentials;
  state(): EngineState;
  pid(): number | undefined;
  /** Calls back at every change of state; returns what takes the callback away again. */
  onState(listener: (state: EngineState) => void): () => void;
  /** Lets running queries end for up to five seconds, then ends the process. */
  stop(): Promise<void>;
}

const FIRST_DELAY_MS = 250;
const LAST_DELAY_MS = 10_000;
const STEADY_MS = 60_000;
const HEALTH_EVERY_MS = 5_000;
const HEALTH_DEADLINE_MS = 15_000;
const HEALTH_FAILURES = 3;
/** How long a first start waits for a predecessor to leave the data directory. */
const TAKEOVER_MS = 3_000;
const STOP_DEADLINE_MS = 15_000;
const CHECK_SLOTS = 2;
const WRITE_SLOTS = 2;
/** File system work, compression, cancelling: what needs a thread beside the engine calls. */
const SPARE_THREADS = 6;

/**
 * Starts the engine and resolves when it answers.
 * @throws AppError `conflict` when another process has the data directory, `internal` when the first start fails otherwise;
 *   later failures are answered by restarts, without end.
 */
export async function startEngine(options: EngineOptions): Promise<Engine> {
  if (/[*?{}[\]]/.test(resolve(options.dataDir))) {
    throw new AppError(
      'bad_request',
      `cannot open dataDir=${options.dataDir}: the engine reads *?{}[] in a path as a pattern`,
    );
  }
  const runtimeDir = options.runtimeDir ?? mkdtempSync(join(tmpdir(), 'glasshouse-engine-'));
  chmodSync(runtimeDir, 0o700);
  const supervisor = new Supervisor(options, runtimeDir);
  await supervisor.start();
  return supervisor;
}

class Supervisor implements Engine {
  readonly url = 'http://localhost';
  readonly socketPath: string;
  readonly credentials: Credentials;
  readonly #options: EngineOptions;
  readonly #runtimeDir: string;
  readonly #listeners = new Set<(state: EngineState) => void>();
  #state: EngineState = 'starting';
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();
  #stopping = false;
  #attempt = 0;
  #timer: NodeJS.Timeout | undefined;
  #health: NodeJS.Timeout | undefined;

  constructor(options: EngineOptions, runtimeDir: string) {
    this.#options = options;
    this.#runtimeDir = runtimeDir;
    this.socketPath = join(runtimeDir, 'engine.sock');
    const secret = (): string => randomBytes(24).toString('base64url');
    this.credentials = {
      writer: { user: 'writer', password: secret() },
      reader: { user: 'reader', password: secret() },
    };
  }

  state(): EngineState {
    return this.#state;
  }

  pid(): number | undefined {
    return this.#child?.pid;
  }

  onState(listener: (state: EngineState) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async start(): Promise<void> {
    const deadline = Date.now() + TAKEOVER_MS;
    try {
      while (!(await this.#tryLaunch(deadline))) await pause(FIRST_DELAY_MS);
    } catch (error) {
      this.#stopping = true;
      await this.#exited;
      this.#removeRuntimeDir();
      throw error;
    }
  }

  /** False when a predecessor still has the directory and there is time left: the engine of a killed server ends just after it. */
  async #tryLaunch(deadline: number): Promise<boolean> {
    try {
      await this.#launch();
      return true;
    } catch (error) {
      if (error instanceof AppError && error.code === 'conflict' && Date.now() < deadline) return false;
      throw error;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    clearInterval(this.#health);
    const child = this.#child;
    if (child !== undefined) {
      if (child.connected) child.send({ type: 'stop' });
      const overdue = setTimeout(() => child.kill('SIGKILL'), STOP_DEADLINE_MS);
      await this.#exited;
      clearTimeout(overdue);
    }
    this.#change('down');
    this.#removeRuntimeDir();
  }

  /** Starts one child; resolves when it is ready, rejects when it ends before. Its end after that is seen by #ended. */
  async #launch(): Promise<void> {
    const begun = performance.now();
    this.#change('starting');
    const { child, stderr } = this.#spawn();
    this.#child = child;
    const ready = Promise.withResolvers<void>();
    const exited = Promise.withResolvers<void>();
    this.#exited = exited.promise;
    let wasReady = false;
    let reason = '';
    child.on('message', (message: FromChild) => {
      if (message.type === 'failed') reason = message.reason;
      else {
        wasReady = true;
        this.#change('ready');
        this.#watch(child);
        this.#emit({
          type: 'ready',
          pid: child.pid ?? 0,
          version: message.version,
          startMs: performance.now() - begun,
        });
        ready.resolve();
      }
    });
    child.on('error', (error) => {
      reason = messageOf(error);
      if (child.pid === undefined) onExit(null, null);
    });
    const onExit = (code: number | null, signal: string | null): void => {
      clearInterval(this.#health);
      this.#child = undefined;
      const why = [reason, stderr()].filter((part) => part !== '').join('; ');
      this.#emit({ type: 'exited', code, signal, reason: why });
      exited.resolve();
      if (wasReady) this.#ended(performance.now() - begun);
      else ready.reject(startFailure(this.#options.dataDir, why, code, signal));
    };
    child.on('close', onExit);
    child.send(this.#openMessage(), () => undefined);
    await ready.promise;
  }

  /** Plans the next start after an unwanted end. */
  #ended(livedMs: number): void {
    this.#change('down');
    if (this.#stopping) return;
    this.#attempt = livedMs >= STEADY_MS ? 0 : this.#attempt;
    const delayMs = Math.min(FIRST_DELAY_MS * 2 ** this.#attempt, LAST_DELAY_MS);
    this.#attempt += 1;
    this.#emit({ type: 'restarting', delayMs, attempt: this.#attempt });
    this.#timer = setTimeout(() => {
      this.#launch().catch(() => this.#ended(0));
    }, delayMs);
  }

  #spawn(): { child: ChildProcess; stderr: () => string } {
    const source = import.meta.url.endsWith('.ts');
    const entry = fileURLToPath(new URL(source ? './main.ts' : './main.js', import.meta.url));
    const threads = this.#querySlots() + CHECK_SLOTS + WRITE_SLOTS + SPARE_THREADS;
    const flags = source ? ['--conditions=source', '--disable-warning=ExperimentalWarning'] : [];
    const child = spawn(process.execPath, [...flags, entry], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      // Days are UTC days wherever the machine stands: partitions must not move with it.
      env: {
        PATH: '/usr/local/bin:/usr/bin:/bin',
        ...this.#options.env,
        TZ: 'UTC',
        UV_THREADPOOL_SIZE: String(threads),
      },
    });
    let tail = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      tail = (tail + text).slice(-2_000);
    });
    return { child, stderr: () => tail.trim() };
  }

  #openMessage(): OpenMessage {
    const { dataDir, backupDir, maxMemoryBytes, maxWaiting = 200, maxExecutionSeconds = 60 } = this.#options;
    return {
      type: 'open',
      dataDir: resolve(dataDir),
      backupDir: resolve(backupDir),
      runtimeDir: this.#runtimeDir,
      socketPath: this.socketPath,
      credentials: this.credentials,
      maxMemoryBytes,
      cores: availableParallelism(),
      readSlots: this.#querySlots(),
      checkSlots: CHECK_SLOTS,
      writeSlots: WRITE_SLOTS,
      maxWaiting,
      maxExecutionSeconds,
    };
  }

  #querySlots(): number {
    return this.#options.querySlots ?? Math.max(2, availableParallelism());
  }

  /** Asks for a sign of life; a process that gives none several times running is killed, and so restarted. */
  #watch(child: ChildProcess): void {
    let failures = 0;
    let asking = false;
    this.#health = setInterval(() => {
      if (asking) return;
      asking = true;
      ping(this.socketPath, HEALTH_DEADLINE_MS).then(
        () => {
          asking = false;
          failures = 0;
        },
        () => {
          asking = false;
          failures += 1;
          if (failures < HEALTH_FAILURES) return;
          this.#emit({ type: 'unresponsive', pid: child.pid ?? 0 });
          child.kill('SIGKILL');
        },
      );
    }, HEALTH_EVERY_MS);
    this.#health.unref();
  }

  #change(state: EngineState): void {
    if (this.#state === state) return;
    this.#state = state;
    for (const listener of this.#listeners) listener(state);
  }

  #emit(event: EngineEvent): void {
    this.#options.onEvent?.(event);
  }

  #removeRuntimeDir(): void {
    if (this.#options.runtimeDir === undefined) rmSync(this.#runtimeDir, { recursive: true, force: true });
  }
}

function ping(socketPath: string, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const req = nodeHttp.request({ socketPath, path: '/ping', signal: AbortSignal.timeout(timeoutMs) }, (res) => {
      res.resume().on('end', resolve).on('error', reject);
    });
    req.on('error', reject).end();
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

function startFailure(dataDir: string, reason: string, code: number | null, signal: string | null): AppError {
  if (reason.includes('Cannot lock file')) {
    const owner = lockOwner(dataDir);
    const who = owner === undefined ? 'another engine process' : `another engine process (pid ${owner})`;
    return new AppError('conflict', `cannot open dataDir=${dataDir}: ${who} is using it`, { cause: reason });
  }
  const how = signal === null ? `exit code ${code}` : `signal ${signal}`;
  return new AppError('internal', `cannot start the engine on dataDir=${dataDir}: ${reason === '' ? how : reason}`);
}

/** The process that the engine's own lock file names. */
function lockOwner(dataDir: string): string | undefined {
  try {
    return /^PID: (\d+)/m.exec(readFileSync(join(dataDir, 'db', 'status'), 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
