/**
 * The other side of the mirror's thread: reads segments of the inbox into the queues of tenants, and has these sent.
 *
 * Must stay true: the position is written after the queues are durable, and nothing behind it is sent; so a segment that is read twice is
 * sent once. A segment that cannot be read is given up after some attempts, counted and told, and holds up no other.
 */

import { mkdirSync, readdirSync, renameSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '@glasshouse/model';
import { syncDirectory } from '../wal/segment.ts';
import { chosenOf } from './chosen.ts';
import type { Destination } from './courier.ts';
import { Courier } from './courier.ts';
import type { Arrived, FromOutbox, MirrorStatus, OutboxOptions, ToOutbox } from './messages.ts';
import type { Post } from './post.ts';
import { Queue } from './queue.ts';

export interface OutboxParts extends Omit<OutboxOptions, 'allow' | 'maxMs'> {
  readonly post: Post;
  readonly now: () => number;
  readonly random: () => number;
  readonly tell: (message: FromOutbox) => void;
}

interface Tenant {
  readonly queue: Queue;
  readonly courier: Courier;
  readonly running: Promise<void>;
  filteredLines: number;
  /** Lines given up, as last told. */
  toldDropped: number;
}

const POSITION = 'position';
const MAX_ATTEMPTS = 5;
const ATTEMPT_MS = 500;
const TELL_MS = 200;
const DISK_CHECK_MS = 2_000;
/** The queues give way this much before the log refuses data. */
const MARGIN_BYTES = 256 << 20;

export class Outbox {
  private readonly parts: OutboxParts;
  private readonly queues: string;
  private readonly tenants = new Map<string, Tenant>();
  private readonly arrived: Arrived[] = [];
  private position: bigint;
  private isReading = false;
  private isStopped = false;
  private telling: NodeJS.Timeout | undefined;
  private readonly diskCheck: NodeJS.Timeout;

  constructor(parts: OutboxParts) {
    this.parts = parts;
    this.position = parts.position;
    this.queues = join(parts.directory, 'queues');
    mkdirSync(this.queues, { recursive: true, mode: 0o700 });
    this.diskCheck = setInterval(() => this.giveWay(), DISK_CHECK_MS);
    this.diskCheck.unref();
  }

  handle(message: ToOutbox): void {
    switch (message.kind) {
      case 'destinations':
        this.configure(message.destinations);
        return;
      case 'arrived':
        this.arrived.push(message.segment);
        void this.read();
        return;
      case 'retry':
        this.tenants.get(message.tenant)?.courier.retryDead();
        return;
      case 'stop':
        void this.stop();
        return;
    }
  }

  /** Ends what is under way; what was not answered is sent again after the next start. */
  async stop(): Promise<void> {
    this.isStopped = true;
    clearInterval(this.diskCheck);
    clearTimeout(this.telling);
    for (const { courier } of this.tenants.values()) courier.stop();
    await Promise.all([...this.tenants.values()].map(({ running }) => running));
    this.parts.tell({ kind: 'stopped' });
  }

  statuses(): readonly MirrorStatus[] {
    return [...this.tenants].map(([tenant, { queue, courier, filteredLines }]) => {
      const dead = queue.dead();
      return {
        tenant,
        ...courier.counts,
        queuedBytes: queue.bytes,
        queuedLines: queue.lines,
        oldestAt: queue.oldestAt,
        deadBatches: dead.batches,
        deadQueuedLines: dead.lines,
        dropped: { ...queue.dropped },
        filteredLines,
        isExact: courier.isExact,
        notBefore: courier.notBefore,
        fault: courier.fault,
      };
    });
  }

  private configure(destinations: readonly Destination[]): void {
    for (const destination of destinations) {
      const known = this.tenants.get(destination.tenant);
      if (known === undefined) this.tenants.set(destination.tenant, this.open(destination));
      else known.courier.configure(destination);
    }
    const wanted = new Set(destinations.map(({ tenant }) => tenant));
    for (const [tenant, { courier, queue }] of this.tenants) {
      if (wanted.has(tenant)) continue;
      courier.stop();
      queue.clear();
      this.tenants.delete(tenant);
    }
    const kept = new Set([...wanted].map(directoryOf));
    for (const name of readdirSync(this.queues))
      if (!kept.has(name)) rmSync(join(this.queues, name), { recursive: true, force: true });
    this.changed();
  }

  private open(destination: Destination): Tenant {
    const { post, installation, now, random, tell } = this.parts;
    const { tenant, limitBytes } = destination;
    const queue = new Queue(join(this.queues, directoryOf(tenant)), limitBytes);
    const courier = new Courier(destination, {
      queue,
      position: () => this.position,
      post,
      installation,
      now,
      random,
      onChanged: () => this.changed(),
      onDead: ({ source }, fault) => tell({ kind: 'dead', tenant, source, fault }),
    });
    return { queue, courier, running: courier.run(), filteredLines: 0, toldDropped: 0 };
  }

  /** Reads what has arrived, a segment after the other. */
  private async read(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    for (let next = this.arrived.shift(); next !== undefined && !this.isStopped; next = this.arrived.shift()) {
      await this.readOne(next);
      this.changed();
      // So that what is on its way to destinations goes on in between.
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.isReading = false;
  }

  private async readOne(segment: Arrived): Promise<void> {
    const { tell } = this.parts;
    for (let attempt = 1; !this.isStopped; attempt++) {
      try {
        this.enqueue(segment);
        break;
      } catch (error) {
        if (attempt === MAX_ATTEMPTS) {
          tell({ kind: 'unread', id: segment.id, reason: messageOf(error) });
          this.giveUp(segment.id);
          break;
        }
        if ((error as NodeJS.ErrnoException).code === 'ENOSPC') this.dropOldest();
        await new Promise((resolve) => setTimeout(resolve, ATTEMPT_MS));
      }
    }
    if (this.isStopped) return;
    rmSync(segment.path, { force: true });
    tell({ kind: 'read', id: segment.id });
    for (const { courier } of this.tenants.values()) courier.wake();
  }

  private enqueue({ id, path, plan }: Arrived): void {
    if (id <= this.position) return;
    const { batches, filtered } = chosenOf(path, id, new Map(plan));
    this.giveWay();
    for (const [tenant, own] of batches) this.tenants.get(tenant)?.queue.add(id, own, this.parts.now());
    this.moveOn(id);
    for (const [tenant, lines] of filtered) {
      const known = this.tenants.get(tenant);
      if (known !== undefined) known.filteredLines += lines;
    }
  }

  private giveUp(id: bigint): void {
    try {
      this.moveOn(id);
    } catch {
      // A full disk. The segment is removed all the same, so no start reads it again, and the next one writes the position.
      this.position = id;
    }
  }

  private moveOn(id: bigint): void {
    const { directory } = this.parts;
    const path = join(directory, POSITION);
    writeFileSync(`${path}.tmp`, id.toString(), { mode: 0o600, flush: true });
    renameSync(`${path}.tmp`, path);
    syncDirectory(directory);
    this.position = id;
  }

  /** Makes room on a disk that is nearly full, before the log has to refuse anything. */
  private giveWay(): void {
    const { directory, reserveBytes } = this.parts;
    try {
      for (;;) {
        const { bavail, bsize } = statfsSync(directory);
        if (bavail * bsize >= reserveBytes + MARGIN_BYTES || !this.dropOldest()) break;
      }
    } catch {
      // Where the file system cannot tell, a failing write will.
    }
    this.changed();
  }

  /** Gives up the oldest file of all queues. Returns false if there is none. */
  private dropOldest(): boolean {
    const oldest = [...this.tenants.values()]
      .filter(({ queue }) => queue.oldestAt !== undefined)
      .toSorted((a, b) => (a.queue.oldestAt ?? 0) - (b.queue.oldestAt ?? 0))[0];
    return oldest?.queue.dropOldest('disk') ?? false;
  }

  /** Tells how it stands, soon. */
  private changed(): void {
    if (this.isStopped) return;
    this.telling ??= setTimeout(() => {
      this.telling = undefined;
      for (const [tenant, known] of this.tenants) {
        const dropped = Object.values(known.queue.dropped).reduce((sum, lines) => sum + lines, 0);
        if (dropped > known.toldDropped)
          this.parts.tell({ kind: 'dropped', tenant, lines: dropped - known.toldDropped });
        known.toldDropped = dropped;
      }
      this.parts.tell({ kind: 'status', statuses: this.statuses() });
    }, TELL_MS);
  }
}

/** Names of tenants are plain, but this is a path. */
function directoryOf(tenant: string): string {
  return encodeURIComponent(tenant).replaceAll('.', '%2E');
}
