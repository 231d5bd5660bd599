/** What the server's main thread and the thread of the mirror say to each other. */

import type { PlannedSource } from './chosen.ts';
import type { CourierCounts, CourierFault, Destination } from './courier.ts';

/** Places and limits, given to the thread when it starts. */
export interface OutboxOptions {
  /** Directory of the mirror. */
  readonly directory: string;
  /** Up to this segment all were read when the thread started. */
  readonly position: bigint;
  readonly installation: string;
  /** `host:port` of destinations that may be reached although their addresses are not public. */
  readonly allow: ReadonlySet<string>;
  /** With less free disk than this the queues give way. */
  readonly reserveBytes: number;
  /** Longest time for a batch and its answer. */
  readonly maxMs: number;
}

/** A segment in the inbox, and what of it goes to whom. */
export interface Arrived {
  readonly id: bigint;
  readonly path: string;
  readonly plan: readonly (readonly [string, PlannedSource])[];
}

export type ToOutbox =
  /** All mirrors that there are. */
  | { readonly kind: 'destinations'; readonly destinations: readonly Destination[] }
  | { readonly kind: 'arrived'; readonly segment: Arrived }
  | { readonly kind: 'retry'; readonly tenant: string }
  | { readonly kind: 'stop' };

/** How it stands with a tenant's mirror. Counts begin with the server's start; what waits and what was put aside is on disk. */
export interface MirrorStatus extends CourierCounts {
  readonly tenant: string;
  readonly queuedBytes: number;
  readonly queuedLines: number;
  readonly oldestAt: number | undefined;
  readonly deadBatches: number;
  readonly deadQueuedLines: number;
  readonly dropped: Readonly<Record<'damaged' | 'dead' | 'disk' | 'limit', number>>;
  /** Lines of tokens with a write filter, which do not go. */
  readonly filteredLines: number;
  readonly isExact: boolean | undefined;
  readonly notBefore: number | undefined;
  readonly fault: CourierFault | undefined;
}

export type FromOutbox =
  | { readonly kind: 'status'; readonly statuses: readonly MirrorStatus[] }
  /** The segment is in the queues, or given up; nobody needs it any more. */
  | { readonly kind: 'read'; readonly id: bigint }
  | { readonly kind: 'dead'; readonly tenant: string; readonly source: string; readonly fault: CourierFault }
  | { readonly kind: 'dropped'; readonly tenant: string; readonly lines: number }
  | { readonly kind: 'unread'; readonly id: bigint; readonly reason: string }
  | { readonly kind: 'stopped' };
