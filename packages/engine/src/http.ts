/**
 * The HTTP face of the engine: routes, one request from its first header to its last byte. Separate because it is the only
 * place that ties credential, statement, slot and answer together.
 *
 * Must stay true: every request ends in exactly one answer, and an exception of any kind has ClickHouse's form.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { nodeHttp } from '@glasshouse/model';
import { Answer, type Identity, type Summary } from './answer.ts';
import { readWork, type Work } from './body.ts';
import { Exception, toException } from './exception.ts';
import { runInsert } from './insert.ts';
import { runCommand, runResult, type Run } from './query.ts';
import { readRequest, withinLimits, type Credentials, type Request } from './request.ts';
import type { Sessions } from './sessions.ts';
import type { Slots } from './slots.ts';
import { isKnown, type Statement } from './statement.ts';

export interface HttpOptions {
  readonly sessions: Sessions;
  readonly identity: Identity;
  readonly credentials: Credentials;
  readonly spoolDir: string;
  /** Places for the reader; for the owner's statements that read; for the owner's that write. */
  readonly slots: { readonly read: Slots; readonly check: Slots; readonly write: Slots };
  /** Upper limits of a reader's settings. */
  readonly readerLimits: ReadonlyMap<string, number>;
  readonly holdBytes: number;
  readonly stallMs: number;
}

/** Settings of an INSERT unless it brings its own: one niced thread, so that loading yields to acknowledging. */
const INSERT_DEFAULTS: ReadonlyMap<string, string> = new Map([
  ['max_threads', '1'],
  ['max_insert_threads', '1'],
  ['os_threads_nice_value_query', '10'],
]);

const MAX_HOLD_BYTES = 64 << 20;

/** The server with its running requests. */
export class HttpFace {
  readonly server: Server;
  readonly #options: HttpOptions;
  readonly #running = new Map<string, AbortController>();

  constructor(options: HttpOptions) {
    this.#options = options;
    this.server = nodeHttp.createServer({ keepAliveTimeout: 120_000, requestTimeout: 0 }, (req, res) => {
      void this.#route(req, res);
    });
  }

  get running(): number {
    return this.#running.size;
  }

  /** Cancels everything that runs. */
  abortAll(): void {
    for (const controller of this.#running.values()) controller.abort();
  }

  async #route(req: IncomingMessage, res: ServerResponse): Promise<void> {
    req.on('error', () => undefined);
    res.on('error', () => undefined);
    const url = new URL(req.url ?? '/', 'http://engine');
    const asks = url.searchParams.has('query') || (req.method !== 'GET' && req.method !== 'HEAD');
    if (url.pathname === '/ping' || url.pathname === '/replicas_status' || (url.pathname === '/' && !asks)) {
      res.setHeader('Content-Type', 'text/html; charset=UTF-8').end('Ok.\n');
      return;
    }
    if (url.pathname !== '/') {
      res.writeHead(404, { 'Content-Type': 'text/plain; charset=UTF-8' }).end(`There is no handle ${url.pathname}\n`);
      return;
    }
    await this.#answer(req, res, url);
  }

  async #answer(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void> {
    const controller = new AbortController();
    res.on('close', () => {
      if (!res.writableFinished) controller.abort();
    });
    let request: Request | undefined;
    let failure: Exception | undefined;
    try {
      request = readRequest(req, url, this.#options.credentials);
    } catch (error) {
      failure = toException(error);
    }
    const queryId = request?.queryId ?? randomUUID();
    const answer = new Answer(res, {
      identity: this.#options.identity,
      queryId,
      coding: request?.coding,
      tag: randomBytes(8).toString('hex'),
      holdBytes: request?.waitForEnd === true ? MAX_HOLD_BYTES : (request?.holdBytes ?? this.#options.holdBytes),
      stallMs: this.#options.stallMs,
    });
    if (request === undefined || failure !== undefined) {
      await answer.fail(failure ?? new Exception(1002, 'UNKNOWN_EXCEPTION', 'No request'));
      return;
    }
    if (this.#running.has(queryId)) {
      const text = `Query with id = ${queryId} is already running.`;
      await answer.fail(new Exception(216, 'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING', text));
      return;
    }
    this.#running.set(queryId, controller);
    try {
      await answer.succeed(await this.#perform(req, request, queryId, controller.signal, answer));
    } catch (error) {
      await answer.fail(toException(error));
    } finally {
      this.#running.delete(queryId);
    }
  }

  async #perform(
    req: IncomingMessage,
    request: Request,
    queryId: string,
    signal: AbortSignal,
    answer: Answer,
  ): Promise<Summary> {
    const work = await readWork(request.query, req);
    const { statement } = work;
    const reads =
      statement.kind === 'result' ? statement.reads : statement.kind === 'command' && statement.verb === 'EXPLAIN';
    if (!reads) refuseWriting(request, statement);
    const { slots, sessions, spoolDir } = this.#options;
    const place = request.user === 'reader' ? slots.read : reads ? slots.check : slots.write;
    const run: Run = { sessions, slots: place, state: this.#state(request, work), queryId, signal };
    switch (statement.kind) {
      case 'result':
        return runResult(run, statement, request.defaultFormat, answer);
      case 'command':
        return runCommand(run, statement, request.defaultFormat, answer);
      case 'insert':
        return runInsert(run, statement, (work as Extract<Work, { data: unknown }>).data, spoolDir);
    }
  }

  #state(request: Request, { statement }: Work): Run['state'] {
    const { readerLimits } = this.#options;
    const settings =
      request.user === 'reader' ? withinLimits(request.settings, readerLimits) : new Map(request.settings);
    const loads = statement.kind === 'insert' || (statement.kind === 'command' && statement.fromFile);
    if (loads) for (const [name, value] of INSERT_DEFAULTS) if (!settings.has(name)) settings.set(name, value);
    const readonly = request.user === 'reader' ? 1 : request.safeMethod ? 2 : 0;
    return { database: request.database, settings, params: request.params, readonly };
  }
}

function refuseWriting(request: Request, statement: Statement): void {
  if (request.user === 'writer' && !request.safeMethod) return;
  if (statement.kind === 'command' && !isKnown(statement)) {
    const start = statement.text.trim().slice(0, 60).toLowerCase();
    throw new Exception(62, 'SYNTAX_ERROR', `Syntax error: failed at position 1: ${start}. Expected a query`);
  }
  const why = request.safeMethod
    ? 'For queries over HTTP, method GET implies readonly. You should use method POST for modifying queries'
    : 'This user may only read';
  throw new Exception(164, 'READONLY', `Cannot execute query in readonly mode. ${why}`);
}
