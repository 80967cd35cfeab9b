/** A verdict in words. */

import type { Verdict } from "../api/types";
import { short } from "./text";

export function headline(verdict: Verdict): string {
  if (verdict.edit === null) return "No stored edit is about this";
  const id = short(verdict.edit);
  return verdict.fired ? `Edit ${id} fired` : `No edit fired; nearest ${id}`;
}

export function decimals(value: number): string {
  return value.toFixed(3);
}

/** `score 0.987, fires from 0.540` */
export function scored(score: number, threshold: number): string {
  return `score ${decimals(score)}, fires from ${decimals(threshold)}`;
}

/** Why, as pairs of a name and what it is; names of several words are joined by `_` on the wire. */
export function reasons(evidence: Record<string, unknown>): [string, string][] {
  return Object.entries(evidence).map(([name, value]) => [name.replaceAll("_", " "), plain(value)]);
}

function plain(value: unknown): string {
  if (Array.isArray(value)) return value.map(plain).join(" ");
  if (typeof value === "object" && value !== null) return JSON.stringify(value);
  return String(value);
}
