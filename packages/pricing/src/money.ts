/**
 * Exact dollars. Money is a whole number of 1e-12 dollars (what `Decimal(38, 12)` holds), a price of one unit is a whole number
 * of 1e-18 dollars, and prices are written as decimal texts. Binary fractions are left out on purpose: 0.1 + 0.2 of them is not
 * 0.3, and a bill adds up millions.
 *
 * Must stay true: nothing in this room multiplies or adds money as a fraction. The one rounding is that of a part of a cost to
 * 1e-12 dollars, half up; all else is exact.
 */

import { AppError } from '@glasshouse/model';

/** Money, in 1e-12 dollars. */
export type Money = bigint;

/** Digits behind the point of money, as in `Decimal(38, 12)`. */
export const MONEY_SCALE = 12;
/** Digits behind the point of the price of one unit. */
export const UNIT_SCALE = 18;

const DECIMAL = /^([+-]?)(\d{1,38})(?:\.(\d{1,40}))?(?:[eE]([+-]?\d{1,3}))?$/;

/**
 * A decimal text, such as `2.50`, `1e-7` or `-3`, as a whole number of 10^-scale; further digits are rounded half away from
 * zero. Undefined if the text is no decimal, or has more than 38 digits then.
 */
export function parseDecimal(text: string, scale: number): bigint | undefined {
  const match = DECIMAL.exec(text.trim());
  if (match === null) return undefined;
  const [, sign = '', whole = '', fraction = '', exponent = '0'] = match;
  const digits = BigInt(whole + fraction);
  const shift = Number(exponent) - fraction.length + scale;
  if (shift > 60 || shift < -100) return digits === 0n ? 0n : undefined;
  const value = shift >= 0 ? digits * 10n ** BigInt(shift) : divideHalfUp(digits, 10n ** BigInt(-shift));
  if (value >= 10n ** 38n) return undefined;
  return sign === '-' ? -value : value;
}

/** The quotient of two numbers that aren't negative, rounded half up. */
export function divideHalfUp(numerator: bigint, denominator: bigint): bigint {
  return (numerator * 2n + denominator) / (denominator * 2n);
}

/**
 * Money that a client reports, as a number or as text, exactly: a number means the shortest decimal that denotes it, because
 * that is what the client's JSON said. Undefined for what is no money: negative, not finite, no decimal.
 */
export function moneyOf(value: unknown): Money | undefined {
  if (typeof value !== 'number' && typeof value !== 'string') return undefined;
  const money = parseDecimal(String(value), MONEY_SCALE);
  return money === undefined || money < 0n ? undefined : money;
}

/** A whole number of 10^-scale as a decimal text with at least `digits` digits behind the point, and no more than it needs. */
export function formatDecimal(value: bigint, scale: number, digits = 0): string {
  const sign = value < 0n ? '-' : '';
  const text = (value < 0n ? -value : value).toString().padStart(scale + 1, '0');
  const whole = text.slice(0, text.length - scale);
  const fraction = text
    .slice(text.length - scale)
    .replace(/0+$/, '')
    .padEnd(digits, '0');
  return `${sign}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Money as a decimal text, such as `0.006125`: what a `Decimal(38, 12)` column takes. */
export function formatMoney(money: Money): string {
  return formatDecimal(money, MONEY_SCALE);
}

/** The price of one unit, in 1e-18 dollars, of a price in dollars for `per` units. Throws if the text is no price. */
export function unitPrice(price: string, per: number): bigint {
  const scaled = parseDecimal(price, UNIT_SCALE);
  if (scaled === undefined || scaled < 0n) {
    throw new AppError('bad_request', `cannot read PRICE=${price}: it is no decimal of dollars, such as "0.15"`);
  }
  return divideHalfUp(scaled, BigInt(per));
}

/** What `quantity` units cost, rounded half up to 1e-12 dollars. */
export function multiply(quantity: number, unit: bigint): Money {
  return (BigInt(quantity) * unit + 500_000n) / 1_000_000n;
}
