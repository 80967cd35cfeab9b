/** What checks found, kept by this browser: numbers only, never what was taught. */

import type { Report } from "../api/types";

export interface Checked {
  time: string;
  commit: string;
  /** Edits in force then. */
  edits: number;
  /** Those of them that were still answered. */
  held: number;
}

const MOST = 200;

/** A check's result as it is kept. */
export function checked(report: Report, commit: string, edits: number, time: string): Checked {
  const lost = new Set(
    report.broken.filter((each) => each.question.kind === "edit").map((each) => each.question.edit),
  );
  return { time, commit, edits, held: edits - lost.size };
}

export function kept(model: string): Checked[] {
  const text = localStorage.getItem(name(model));
  return text === null ? [] : (JSON.parse(text) as Checked[]);
}

export function keep(model: string, one: Checked): void {
  localStorage.setItem(name(model), JSON.stringify([...kept(model), one].slice(-MOST)));
}

function name(model: string): string {
  return `memoir.checks ${model}`;
}
