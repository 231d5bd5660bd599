/**
 * The HTTP agent through which a client reaches the engine's socket. Separate because the server uses it without the rest.
 *
 * Must stay true: idle connections are kept, so that a request costs no new connection.
 */
import type { Agent, AgentOptions } from 'node:http';
import { nodeHttp } from '@glasshouse/model';

/**
 * An agent for `http_agent` of one `@clickhouse/client`, for any host name in the URL. Each client needs its own: it closes
 * sockets which it believes idle, also while another user of the same agent waits on them ("socket hang up").
 */
export function createAgent(engine: { readonly socketPath: string }, maxSockets = 64): Agent {
  const options: AgentOptions & { readonly socketPath: string } = {
    keepAlive: true,
    maxSockets,
    socketPath: engine.socketPath,
  };
  return new nodeHttp.Agent(options);
}
