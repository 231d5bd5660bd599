/**
 * The straightforward pipeline, as a server process of its own: protobufjs decodes, rows are objects, JSONEachRow goes to the
 * engine, and the next insert takes whatever came while the last one ran. It acknowledges after the insert; it has no log.
 *
 * Same engine, same table, same options as the product. Only ids come in hex, in columns that are converted and not stored,
 * because JSON cannot carry their bytes.
 */

import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Engine } from '@glasshouse/engine';
import { createAgent } from '@glasshouse/engine';
import { SPANS } from '@glasshouse/schema';
import { NAIVE_EVENTS_DDL, toEventRow } from './event-naive.ts';
import { makeDecoders } from './otlp.ts';
import { ROW_COLUMNS, toRows } from './rows.ts';
import { openStore, sizeOf } from './store.ts';
import type { OpenStore } from './store.ts';

/** Spans as OTLP protobuf, or events as JSON lines. */
export type NaiveKind = 'events' | 'traces';

/** What the process is asked, and what it says. */
export type ToNaive =
  | { readonly type: 'open'; readonly dataDir: string; readonly kind: NaiveKind }
  | { readonly type: 'count' }
  | { readonly type: 'stop' };
export type FromNaive =
  { readonly type: 'ready'; readonly port: number } | { readonly type: 'rows'; readonly rows: number };

const ID_COLUMNS = [
  ['trace_id', 'trace_hex', 16],
  ['span_id', 'span_hex', 8],
  ['parent_span_id', 'parent_hex', 8],
] as const;

interface Pending {
  readonly lines: string;
  readonly response: ServerResponse;
}

class Pipeline {
  private readonly toRows: (body: Buffer) => readonly object[];
  private readonly insert: (lines: string) => Promise<void>;
  private pending: Pending[] = [];
  private inserting = false;
  private complained = false;

  constructor(toRowsOf: (body: Buffer) => readonly object[], insert: (lines: string) => Promise<void>) {
    this.toRows = toRowsOf;
    this.insert = insert;
  }

  async handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) chunks.push(chunk as Buffer);
    const rows = this.toRows(Buffer.concat(chunks));
    this.pending.push({ lines: rows.map((row) => JSON.stringify(row)).join('\n'), response });
    if (!this.inserting) await this.flush();
  }

  private async flush(): Promise<void> {
    this.inserting = true;
    while (this.pending.length > 0) {
      const batch = this.pending;
      this.pending = [];
      let status = 200;
      await this.insert(batch.map(({ lines }) => lines).join('\n')).catch((error: unknown) => {
        status = 503;
        if (!this.complained) console.error(String(error));
        this.complained = true;
      });
      for (const { response } of batch) response.writeHead(status, { 'content-length': '0' }).end();
    }
    this.inserting = false;
  }
}

/** Lets the table take ids in hex. */
async function addHexColumns({ store }: OpenStore): Promise<void> {
  for (const [id, text, bytes] of ID_COLUMNS) {
    await store.command(`ALTER TABLE glasshouse.spans ADD COLUMN IF NOT EXISTS ${text} String EPHEMERAL`);
    const value = `toFixedString(unhex(${text}), ${bytes})`;
    await store.command(`ALTER TABLE glasshouse.spans MODIFY COLUMN ${id} ${typeOf(id)} DEFAULT ${value}`);
  }
}

function typeOf(name: string): string {
  const column = SPANS.columns.find((candidate) => candidate.name === name);
  if (column === undefined) throw new Error(`BUG: no column ${name}`);
  return column.type;
}

function inserter(engine: Engine, target: string): (lines: string) => Promise<void> {
  const agent = createAgent(engine);
  const { user, password } = engine.credentials.writer;
  const query = encodeURIComponent(`INSERT INTO ${target} FORMAT JSONEachRow`);
  const options = { agent, method: 'POST', path: `/?query=${query}`, auth: `${user}:${password}` };
  return (lines) =>
    new Promise((resolve, reject) => {
      const outgoing = request(options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        response.on('end', () => {
          if (response.statusCode === 200) resolve();
          else reject(new Error(`cannot insert: ${text.slice(0, 500)}`));
        });
      });
      outgoing.on('error', reject);
      outgoing.end(lines);
    });
}

function tell(message: FromNaive): void {
  process.send?.(message);
}

async function pipelineOf(kind: NaiveKind, open: OpenStore): Promise<Pipeline> {
  if (kind === 'events') {
    await open.store.command(NAIVE_EVENTS_DDL);
    const toRowsOf = (body: Buffer): object[] => body.toString().split('\n').map(toEventRow);
    return new Pipeline(toRowsOf, inserter(open.engine, 'glasshouse.naive_events'));
  }
  await addHexColumns(open);
  const decoders = makeDecoders();
  const columns = ROW_COLUMNS.map((name) => `\`${name}\``).join(', ');
  return new Pipeline((body) => toRows(decoders.traces(body)), inserter(open.engine, `glasshouse.spans (${columns})`));
}

async function main(dataDir: string, kind: NaiveKind): Promise<void> {
  const open = await openStore(dataDir);
  const pipeline = await pipelineOf(kind, open);
  const server = createServer((incoming, response) => {
    pipeline.handle(incoming, response).catch((error: unknown) => {
      response.writeHead(500).end();
      // A fault of the pipeline would be there for every request: once is enough.
      process.exitCode = 1;
      throw error;
    });
  });
  process.on('message', (message: ToNaive) => {
    if (message.type === 'count')
      void sizeOf(open, kind === 'events' ? 'naive_events' : 'spans').then(({ rows }) => tell({ type: 'rows', rows }));
    if (message.type === 'stop') {
      server.close();
      server.closeAllConnections();
      void open.close().then(() => process.disconnect());
    }
  });
  server.listen(0, '127.0.0.1', () => tell({ type: 'ready', port: (server.address() as AddressInfo).port }));
}

process.once('message', (message: ToNaive) => {
  if (message.type === 'open') void main(message.dataDir, message.kind);
});
