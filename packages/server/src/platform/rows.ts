/** How values of control rows are written. */

/** `YYYY-MM-DD hh:mm:ss.sss` in UTC, as a DateTime64(3, 'UTC') column takes it. */
export function dateTime(date: Date): string {
  return date.toISOString().slice(0, 23).replace('T', ' ');
}
