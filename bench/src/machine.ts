/** What the numbers were measured on. */

import { readFileSync, statfsSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem } from 'node:os';

export function describeMachine(directory: string, engineVersion: string): [string, string][] {
  return [
    ['Processor', `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} logical cores`],
    ['Memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['Kernel', `${process.platform} ${release()}`],
    ['File system', fileSystemOf(directory)],
    ['Node', process.version],
    ['Engine', `embedded ClickHouse ${engineVersion}`],
    ['Load generator', 'a second process on the same cores, over loopback'],
  ];
}

/** Type and options of the mount that holds the directory: the longest mount point that it begins with. */
function fileSystemOf(directory: string): string {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([, point = '']) => point === '/' || directory === point || directory.startsWith(`${point}/`))
    .sort(([, a = ''], [, b = '']) => b.length - a.length);
  const [, , type = 'unknown', options = ''] = mounts[0] ?? [];
  const { bsize, blocks } = statfsSync(directory);
  return `${type}, ${((bsize * blocks) / 2 ** 30).toFixed(0)} GiB (${options.split(',').slice(0, 3).join(', ')})`;
}
