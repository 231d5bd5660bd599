/**
 * The embedded store: chDB as a child process behind the ClickHouse HTTP interface, and the supervisor that keeps it there.
 * Whoever uses it speaks HTTP with `@clickhouse/client`, exactly as with a ClickHouse cluster.
 *
 * Must stay true: nothing of the binding shows here; only `src/main.ts`, in its own process, loads it.
 */
export { createAgent } from './agent.ts';
export { startEngine } from './supervisor.ts';
export type { Engine, EngineEvent, EngineOptions, EngineState } from './supervisor.ts';
export type { Credential, Credentials } from './request.ts';
