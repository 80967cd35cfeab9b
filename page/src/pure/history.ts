/** How many edits were in force when. */

import type { Commit } from "../api/types";

export interface Standing {
  time: string;
  edits: number;
}

/**
 * Count back from the number in force now.
 *
 * @param commits of one branch, the newest first; older ones may be missing
 * @param now the number in force after the first of them
 * @returns the oldest first
 */
export function liveOverTime(commits: readonly Commit[], now: number): Standing[] {
  const told: Standing[] = [];
  let edits = now;
  for (const commit of commits) {
    told.push({ time: commit.time, edits });
    edits += commit.remove.length - commit.add.length;
  }
  return told.reverse();
}
