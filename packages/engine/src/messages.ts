/**
 * What the supervisor and its child say to each other over the IPC channel. Separate because both sides import it and
 * nothing else of each other.
 *
 * Must stay true: secrets travel here and nowhere else, never in arguments or the environment, which other users can see.
 */
import type { Credentials } from './request.ts';

/** The first message to the child: everything that it needs to open. */
export interface OpenMessage {
  readonly type: 'open';
  /** Absolute; holds `db`, `spool` and `config`. */
  readonly dataDir: string;
  readonly backupDir: string;
  /** Absolute, private to the owner, short: holds the socket and the named pipes. */
  readonly runtimeDir: string;
  readonly socketPath: string;
  readonly credentials: Credentials;
  readonly maxMemoryBytes: number;
  readonly cores: number;
  readonly readSlots: number;
  readonly checkSlots: number;
  readonly writeSlots: number;
  readonly maxWaiting: number;
  readonly maxExecutionSeconds: number;
}

export interface StopMessage {
  readonly type: 'stop';
}

/** From the child: the socket answers. */
export interface ReadyMessage {
  readonly type: 'ready';
  /** Of the engine, `26.7.2.1`. */
  readonly version: string;
}

/** From the child, before it exits: why it could not open. */
export interface FailedMessage {
  readonly type: 'failed';
  readonly reason: string;
}

export type ToChild = OpenMessage | StopMessage;
export type FromChild = ReadyMessage | FailedMessage;
