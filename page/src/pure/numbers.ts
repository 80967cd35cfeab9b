/** What plots need to know of numbers. */

/** Round steps that cover a range, about as many as asked for. */
export function ticks(low: number, high: number, about: number): number[] {
  const raw = (high - low) / Math.max(1, about);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = power * ([1, 2, 5, 10].find((each) => each * power >= raw) ?? 10);
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

/** The lowest tick from which on nothing lies above; 1 for nothing at all. */
export function ceiling(high: number, about: number): number {
  const shown = ticks(0, high, about);
  const step = shown.length > 1 ? shown[1]! : high;
  return high > 0 ? Number((Math.ceil(high / step - 1e-9) * step).toPrecision(12)) : 1;
}

/** The value below which a share of all lies; null of none. */
export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)]!;
  const above = sorted[Math.ceil(place)]!;
  return below + (above - below) * (place - Math.floor(place));
}

/** How many values lie in each of equal parts of 0..1. */
export function histogram(values: readonly number[], bins: number): number[] {
  const counts = new Array<number>(bins).fill(0);
  for (const value of values) {
    const bin = Math.min(bins - 1, Math.max(0, Math.floor(value * bins)));
    counts[bin] = counts[bin]! + 1;
  }
  return counts;
}
