/**
 * The invented company whose telemetry is sent: twenty services with their routes, tables, queues and models. Data only.
 *
 * Must stay true: the first service is the one whose name the queries look for.
 */

export interface Service {
  readonly name: string;
  readonly language: string;
  readonly version: string;
  /** Nouns that its routes, tables and functions are about. */
  readonly nouns: readonly [string, ...string[]];
}

export const SERVICES: readonly [Service, ...Service[]] = [
  { name: 'checkout', language: 'nodejs', version: '4.12.1', nouns: ['orders', 'carts', 'coupons', 'shipments'] },
  { name: 'catalog', language: 'go', version: '2.3.0', nouns: ['products', 'categories', 'brands', 'prices'] },
  { name: 'payments', language: 'java', version: '7.0.4', nouns: ['payments', 'refunds', 'ledgers', 'disputes'] },
  { name: 'identity', language: 'go', version: '1.44.2', nouns: ['users', 'sessions', 'tokens', 'groups'] },
  { name: 'gateway', language: 'rust', version: '0.98.0', nouns: ['routes', 'limits', 'tenants', 'certificates'] },
  { name: 'search', language: 'java', version: '5.6.2', nouns: ['queries', 'suggestions', 'indexes', 'synonyms'] },
  { name: 'recommender', language: 'python', version: '3.1.9', nouns: ['recommendations', 'features', 'embeddings'] },
  {
    name: 'assistant',
    language: 'python',
    version: '0.21.0',
    nouns: ['conversations', 'messages', 'tools', 'memories'],
  },
  { name: 'summarizer', language: 'python', version: '0.9.3', nouns: ['documents', 'summaries', 'chunks'] },
  { name: 'agent-runner', language: 'nodejs', version: '1.7.5', nouns: ['runs', 'steps', 'plans', 'artifacts'] },
  { name: 'notifications', language: 'nodejs', version: '2.8.8', nouns: ['emails', 'pushes', 'templates', 'digests'] },
  { name: 'billing', language: 'dotnet', version: '6.2.1', nouns: ['invoices', 'plans', 'meters', 'credits'] },
  { name: 'inventory', language: 'go', version: '3.3.3', nouns: ['stocks', 'warehouses', 'transfers'] },
  { name: 'shipping', language: 'java', version: '4.4.0', nouns: ['labels', 'parcels', 'carriers', 'rates'] },
  { name: 'reviews', language: 'ruby', version: '1.19.6', nouns: ['reviews', 'ratings', 'reports'] },
  { name: 'media', language: 'go', version: '2.0.2', nouns: ['images', 'videos', 'thumbnails'] },
  { name: 'analytics', language: 'python', version: '8.1.0', nouns: ['events', 'funnels', 'cohorts', 'exports'] },
  { name: 'fraud', language: 'python', version: '1.2.7', nouns: ['scores', 'rules', 'cases'] },
  { name: 'scheduler', language: 'rust', version: '0.31.4', nouns: ['jobs', 'triggers', 'workers'] },
  { name: 'web', language: 'nodejs', version: '11.5.0', nouns: ['pages', 'assets', 'fragments', 'experiments'] },
];

export const METHODS = ['GET', 'GET', 'GET', 'POST', 'PUT', 'DELETE'] as const;
export const MODELS = [
  'gpt-4.1-mini',
  'gpt-4.1',
  'claude-sonnet-4',
  'claude-haiku-3.5',
  'gemini-2.5-flash',
  'llama-3.3-70b',
] as const;
export const USER_AGENTS = [
  'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/139.0.0.0 Safari/537.36',
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Safari/605.1.15',
  'okhttp/4.12.0',
  'python-requests/2.32.3',
] as const;
export const QUEUES = ['order-events', 'email-outbox', 'audit', 'search-updates', 'usage-meter'] as const;
export const ERRORS = [
  'deadline exceeded while waiting for upstream',
  'connection reset by peer',
  'duplicate key value violates unique constraint',
  'rate limit of the model provider reached',
  'invalid state transition',
] as const;
export const ERROR_TYPES = [
  'TimeoutError',
  'ConnectionError',
  'IntegrityError',
  'RateLimitError',
  'StateError',
] as const;

/** Pattern of a user's id: 100,000 of them. */
export const USER_PATTERN = 'usr_#####';
