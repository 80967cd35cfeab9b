/** Where the server stands, and what it answered lately. */

import { getJson } from "./client";
import type { Answered, Console } from "./types";

export function standing(): Promise<Console> {
  return getJson("/v1/console");
}

/** The last few hundred answers, the oldest first. */
export async function answered(): Promise<Answered[]> {
  return (await getJson<{ answers: Answered[] }>("/v1/stats")).answers;
}
