/** A file system of its own, small enough to be filled. */

import { spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Mounts a small file system, and gives what unmounts it. Throws without the rights for that. */
export function smallDisk(path: string, megabytes: number): () => void {
  mkdirSync(path, { recursive: true });
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path], {
    encoding: 'utf8',
  });
  if (status !== 0)
    throw new Error(
      `cannot mount a tmpfs on ${path}: ${stderr.trim()}. This test needs root, for a disk that can be filled.`,
    );
  return () => spawnSync('umount', ['-l', path]);
}

/** Takes all the space that is left on a disk, and gives it back when called. */
export function fillDisk(disk: string): () => void {
  const path = join(disk, 'ballast');
  const fd = openSync(path, 'a');
  for (let size = 1 << 20; size >= 1;) {
    try {
      if (writeSync(fd, Buffer.alloc(size, 1)) === 0) size >>= 1;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
      size >>= 1;
    }
  }
  closeSync(fd);
  return () => rmSync(path, { force: true });
}
