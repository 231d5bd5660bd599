/**
 * How a text becomes a column's value: the patterns that a text has to fit, shared by the interpreter and the compiler, so that
 * neither accepts what the other refuses. They are written in what both regular expression dialects have in common.
 */

/** Up to 14 digits: more than any request has, and exact as a double. */
export const COUNT = '^[0-9]{1,14}$';
/** A number that is not negative. */
export const NUMBER = '^[0-9]{1,15}(?:[.][0-9]{1,30})?(?:[eE][-+]?[0-9]{1,2})?$';
/** An amount that the engine's decimals hold: digits behind the twelfth are cut off. */
export const MONEY = '^[0-9]{1,15}(?:[.][0-9]{1,30})?(?:[eE]-?[0-9]{1,2})?$';
/** ISO 8601 or SQL, from 1970 to 2261, in UTC where no zone is said. */
export const TIME =
  '^(?:(?:19[7-9][0-9]|2[01][0-9]{2}|22[0-5][0-9])-' +
  '(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)|' +
  '(?:19(?:7[26]|8[048]|9[26])|20(?:0[048]|[2468][048]|[13579][26])|21(?:0[48]|[2468][048]|[13579][26])|' +
  '22(?:0[48]|[24][048]|[135][26]))-02-29)[T ]' +
  '(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]{1,9})?(?:Z|[-+][01][0-9]:[0-5][0-9])?$';
/** Nanoseconds since 1970. */
export const NANOSECONDS = '^[0-8]?[0-9]{1,18}$';
export const SIZE = '^([0-9]{1,5})x([0-9]{1,5})$';
export const DECIMALS = 12;

/** Messages of a flattened list that are looked at, at most. */
export const MAX_MESSAGES = 1_000;
