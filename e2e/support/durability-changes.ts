/**
 * Changes of the control plane, made as fast as they are answered, each under a name of its own that is also the id of its request:
 * so that whatever is there afterwards can be held against the audit log.
 */

import type { KillableServer } from './durability-server.ts';

export const ADMIN = 'admin-token-of-the-tests';
const AUTHORIZED = { authorization: `Bearer ${ADMIN}`, 'content-type': 'application/json' };

/** A row of the audit log, as far as it is looked at. */
export interface Recorded {
  readonly id: string;
  readonly action: string;
  readonly outcome: string;
  readonly message?: string;
  readonly requestId: string;
}

interface Change {
  readonly action: string;
  readonly request: (name: string) => readonly [method: string, path: string, body?: object];
}

type Fields = Readonly<Record<string, unknown>>;

const CHANGES: readonly Change[] = [
  { action: 'key.create', request: (name) => ['POST', '/api/v1/admin/keys', { name, tenant: 'changed' }] },
  {
    action: 'key.create',
    request: (name) => ['POST', '/api/v1/tenants/changed/api-keys', { name, projectId: 'p' }],
  },
  { action: 'token.create', request: (name) => ['POST', `/v0/tokens?name=${name}&scope=DATASOURCES:CREATE`] },
  { action: 'quota.set', request: (name) => ['PUT', '/api/v1/quotas', { tenant: name, bytesPerDay: 1e15 }] },
  {
    action: 'prices.override',
    request: (name) => [
      'POST',
      '/api/v1/prices/overrides',
      { provider: 'openai', models: [`model-of-${name}`], prices: { input: '1' }, note: name },
    ],
  },
  { action: 'secret.create', request: (name) => ['POST', `/v0/variables?name=${name.replaceAll('-', '_')}&value=x`] },
];

export class Changes {
  /** Status of those that were answered, by name. */
  readonly answered = new Map<string, number>();
  /** Action of all that were sent, by name. */
  readonly sent = new Map<string, string>();
  private working: Promise<unknown> = Promise.resolve();
  private isOver = false;

  start(server: KillableServer, atOnce: number): void {
    this.isOver = false;
    this.working = Promise.all(Array.from({ length: atOnce }, () => this.work(server)));
  }

  async stop(): Promise<void> {
    this.isOver = true;
    await this.working;
  }

  private async work(server: KillableServer): Promise<void> {
    while (!this.isOver) {
      const number = this.sent.size;
      const { action, request } = CHANGES[number % CHANGES.length] as Change;
      const name = `change-${number}`;
      const [method, path, body] = request(name);
      this.sent.set(name, action);
      try {
        const answer = await fetch(server.url + path, {
          method,
          headers: { ...AUTHORIZED, 'x-request-id': name },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        });
        // An answer that was cut off is none.
        await answer.text();
        this.answered.set(name, answer.status);
      } catch {
        if (!server.isRunning) return;
      }
    }
  }
}

async function ask(server: KillableServer, path: string): Promise<Fields> {
  const answer = await fetch(server.url + path, { headers: AUTHORIZED });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`cannot ask ${path}: ${answer.status} ${text}`);
  return JSON.parse(text) as Fields;
}

/** Names of all changes that the server has. */
export async function present(server: KillableServer): Promise<ReadonlySet<string>> {
  const [keys, apiKeys, tokens, quotas, prices, secrets] = await Promise.all(
    [
      '/api/v1/admin/keys?tenant=changed',
      '/api/v1/tenants/changed/api-keys',
      '/v0/tokens',
      '/api/v1/quotas',
      '/api/v1/prices/overrides',
      '/v0/variables',
    ].map((path) => ask(server, path)),
  );
  const texts = [
    ...listOf(keys, 'keys').map(({ name }) => name),
    ...listOf(apiKeys, 'apiKeys').map(({ name }) => name),
    ...listOf(tokens, 'tokens').map(({ name }) => name),
    ...listOf(quotas, 'quotas').map(({ tenant }) => tenant),
    ...listOf(prices, 'overrides').map(({ note }) => note),
    ...listOf(secrets, 'variables').map(({ name }) => String(name).replaceAll('_', '-')),
  ];
  return new Set(texts.flatMap((text) => (/^change-\d+$/u.test(String(text)) ? [String(text)] : [])));
}

function listOf(answer: Fields | undefined, field: string): readonly Fields[] {
  return (answer?.[field] ?? []) as readonly Fields[];
}

/** All rows of the audit log about changes. */
export async function recorded(server: KillableServer): Promise<readonly Recorded[]> {
  const { entries } = await ask(server, '/api/v1/audit?limit=10000');
  return (entries as readonly Recorded[]).filter(({ requestId }) => requestId.startsWith('change-'));
}
