/**
 * A deployment that is ended from outside: a workspace with a source that events come into, and a project that brings materializations
 * of it. When it is live, each row of the source has to be in the targets once.
 */

import { setTimeout as pause } from 'node:timers/promises';
import type { KillableServer } from './durability-server.ts';

type Json = Readonly<Record<string, unknown>>;

const MS = 60_000;
const BATCH = 200;
const TREE = 'ENGINE "MergeTree"\nENGINE_SORTING_KEY "id"\n';
const SOURCE = {
  'source.datasource': `SCHEMA >\n    \`id\` UInt64 \`json:$.id\`\n\n${TREE}ENGINE_PARTITION_KEY "id % 8"\n`,
};
const TARGETS = {
  'rows.datasource': `SCHEMA >\n    \`id\` UInt64\n\n${TREE}`,
  'sums.datasource': 'SCHEMA >\n    `k` UInt64,\n    `n` UInt64\n\nENGINE "SummingMergeTree"\nENGINE_SORTING_KEY "k"\n',
  'rows_mv.pipe': 'NODE step\nSQL >\n    SELECT id FROM source\nTYPE materialized\nDATASOURCE rows\n',
  'sums_mv.pipe':
    'NODE step\nSQL >\n    SELECT id % 5 AS k, count() AS n FROM source GROUP BY k\nTYPE materialized\nDATASOURCE sums\n',
};

/** A workspace, by whichever server has its data. */
export class Deployed {
  readonly #token: string;
  #next = 0;
  #sending: Promise<void> | undefined;
  #isStopping = false;

  private constructor(token: string) {
    this.#token = token;
  }

  /** Makes a workspace with the source. */
  static async make(server: KillableServer, name: string): Promise<Deployed> {
    const tokens = (await (await fetch(`${server.url}/tokens`)).json()) as { readonly workspace_admin_token: string };
    const admin = new Deployed(tokens.workspace_admin_token);
    const { token } = await admin.#call(server, 'POST', `/v1/workspaces?name=${name}`);
    const made = new Deployed(String(token));
    await made.#deploy(server, SOURCE);
    await made.settle(server, 0);
    return made;
  }

  /** Sends events until `stop`, or until nobody answers. */
  start(server: KillableServer): void {
    this.#isStopping = false;
    const run = async (): Promise<void> => {
      while (!this.#isStopping) {
        const body = Array.from({ length: BATCH }, () => JSON.stringify({ id: this.#next++ })).join('\n');
        await this.#call(server, 'POST', '/v0/events?name=source', body);
        await pause(2);
      }
    };
    this.#sending = run().catch(() => undefined);
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    await this.#sending;
  }

  /** Deploys the materializations. */
  async bring(server: KillableServer): Promise<void> {
    await this.#deploy(server, { ...SOURCE, ...TARGETS });
  }

  /**
   * Sees to it that the last project is live, as a client would after a restart, and waits for so many populations at least. Resolves
   * with how they ended.
   */
  async settle(server: KillableServer, populations: number): Promise<readonly string[]> {
    const project = populations === 0 ? SOURCE : { ...SOURCE, ...TARGETS };
    for (const until = Date.now() + MS; Date.now() < until; await pause(50)) {
      const { deployments } = await this.#call(server, 'GET', '/v1/deployments');
      const [last] = (deployments as readonly Json[]).toSorted((a, b) => Number(b['id']) - Number(a['id']));
      const count = ((last?.['pipes'] ?? []) as readonly Json[]).length;
      const isIt = count === populations && last?.['status'] !== 'failed' && last?.['id'] !== '0';
      if (!isIt) await this.#deploy(server, project);
      else if (last?.['live'] === true) break;
      else if (last?.['status'] === 'data_ready')
        await this.#call(server, 'POST', `/v1/deployments/${String(last['id'])}/set-live`).catch(() => undefined);
    }
    for (const until = Date.now() + MS; Date.now() < until; await pause(50)) {
      const jobs = (await this.#call(server, 'GET', '/v0/jobs?kind=populateview'))['jobs'] as readonly Json[];
      const states = jobs.map(({ status }) => String(status));
      if (states.length >= populations && states.every((state) => /done|error|cancelled/u.test(state))) return states;
    }
    throw new Error('cannot see the end of the populations');
  }

  /** How many rows of the source are in the targets too often or not at all; all that was sent has to be handed over. */
  async astray(server: KillableServer): Promise<{ readonly sent: number; readonly astray: number }> {
    const sql = `SELECT toUInt32(sent) AS sent,
        toUInt32(abs(toInt64(a) - sent) + abs(toInt64(b) - sent) + abs(toInt64(c) - sent)) AS astray
      FROM (SELECT (SELECT toInt64(count()) FROM source) AS sent, (SELECT count() FROM rows) AS a,
        (SELECT uniqExact(id) FROM rows) AS b, (SELECT sum(n) FROM sums) AS c)`;
    const { data } = await this.#call(server, 'POST', '/v0/sql', sql);
    return (data as readonly { readonly sent: number; readonly astray: number }[])[0] ?? { sent: 0, astray: -1 };
  }

  async #deploy(server: KillableServer, files: Readonly<Record<string, string>>): Promise<void> {
    const body = new FormData();
    for (const [name, text] of Object.entries(files)) body.append('data_project://', new Blob([text]), name);
    await this.#call(server, 'POST', '/v1/deploy?auto_promote=true&from=cli', body);
  }

  async #call(server: KillableServer, method: string, path: string, body?: string | FormData): Promise<Json> {
    const response = await fetch(server.url + path, {
      method,
      headers: { authorization: `Bearer ${this.#token}` },
      ...(body === undefined ? {} : { body }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`cannot call ${method} ${path}: ${response.status} ${text}`);
    return JSON.parse(text) as Json;
  }
}
