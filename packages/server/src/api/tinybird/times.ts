/** Times as clients of the interface read them. Some cut off the last seven characters, so there are always six digits. */

/** `YYYY-MM-DD hh:mm:ss.ffffff` in UTC. */
export function timeText(date: Date): string {
  return `${date.toISOString().slice(0, 23).replace('T', ' ')}000`;
}

/** ISO 8601 without a zone, as Python's `datetime.fromisoformat` takes it. */
export function isoText(date: Date): string {
  return `${date.toISOString().slice(0, 23)}000`;
}
