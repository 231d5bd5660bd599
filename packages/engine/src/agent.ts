/**
 * The HTTP agent through which a client reaches the engine's socket. Separate because the server uses it without the rest.
 *
 * Must stay true: idle connections are kept, so that a request costs no new connection.
 */
import { Agent, type AgentOptions } from 'node:http';

/** An agent for `http_agent` of `@clickhouse/client`, for any host name in the URL. */
export function createAgent(engine: { readonly socketPath: string }, maxSockets = 64): Agent {
  const options: AgentOptions & { readonly socketPath: string } = { keepAlive: true, maxSockets, socketPath: engine.socketPath };
  return new Agent(options);
}
