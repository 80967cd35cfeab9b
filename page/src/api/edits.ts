/** Edits, commits and jobs. */

import { getJson, post, request, ServerError, toldError, withQuery } from "./client";
import { events } from "./sse";
import type {
  Commit,
  Conflict,
  Difference,
  Edit,
  Gate,
  NewEdit,
  Page,
  PastCheck,
  Progress,
  Report,
  Taught,
} from "./types";

export interface EditFilter {
  subject: string;
  author: string;
  tag: string;
  status: string;
}

const AT_ONCE = 50;
const MOST_AT_ONCE = 200;

export function edits(
  branch: string,
  filter: EditFilter,
  after: string | null,
  signal: AbortSignal,
): Promise<Page<Edit>> {
  return getJson(withQuery("/v1/edits", { branch, ...filter, after, limit: AT_ONCE }), signal);
}

export function edit(id: string, branch: string): Promise<Edit> {
  return getJson(withQuery(`/v1/edits/${id}`, { branch }));
}

export function commits(
  branch: string,
  after: string | null,
  limit: number = AT_ONCE,
): Promise<Page<Commit>> {
  return getJson(withQuery("/v1/log", { branch, after, limit }));
}

/** The last commits of a branch, the newest first; about a thousand at most. */
export async function history(branch: string): Promise<Commit[]> {
  const found: Commit[] = [];
  while (found.length < 1000) {
    const page = await commits(branch, found.at(-1)?.id ?? null, MOST_AT_ONCE);
    found.push(...page.data);
    if (!page.has_more) break;
  }
  return found;
}

/** Names of all branches of the store, served or not. */
export async function branches(): Promise<string[]> {
  const page = await getJson<Page<{ id: string }>>("/v1/branches");
  return page.data.map((branch) => branch.id);
}

export function difference(from: string, to: string): Promise<Difference> {
  return getJson(withQuery("/v1/diff", { from, to }));
}

/** Teach one fact; answers once it is live. */
export function teach(
  fact: NewEdit,
  branch: string,
  force: boolean,
  told: (progress: Progress) => void,
): Promise<Taught> {
  return job("/v1/edits?wait=false", { edits: [fact], branch, force }, told);
}

/** Take an edit out of force. */
export async function revert(id: string, branch: string, message: string): Promise<void> {
  await post(withQuery(`/v1/edits/${id}/revert`, { branch }), { message });
}

/** Ask everything that a branch is held to. */
export function check(branch: string, told: (progress: Progress) => void): Promise<Report> {
  return job("/v1/edits/check?wait=false", { branch }, told);
}

/** Whether what breaks something is refused. */
export function gate(): Promise<Gate> {
  return getJson("/v1/gate");
}

/** The last checks of a branch, the oldest first. */
export async function checks(branch: string): Promise<PastCheck[]> {
  const page = await getJson<Page<PastCheck>>(withQuery("/v1/checks", { branch, limit: MOST_AT_ONCE }));
  return page.data.reverse();
}

/** Look which edits in force contradict one another. */
export async function conflicts(branch: string, told: (progress: Progress) => void): Promise<Conflict[]> {
  const taken = await request(withQuery("/v1/conflicts", { branch, wait: "false" }));
  return (await followed<{ conflicts: Conflict[] }>(taken, told)).conflicts;
}

/** Ask for something that takes its time, and follow it to its end. */
async function job<T>(path: string, body: unknown, told: (progress: Progress) => void): Promise<T> {
  return followed(await post(path, body), told);
}

async function followed<T>(taken: Response, told: (progress: Progress) => void): Promise<T> {
  const accepted = (await taken.json()) as { events_url: string };
  const stream = await request(accepted.events_url);
  for await (const { event, data } of events(stream.body!)) {
    if (event === "progress") told(JSON.parse(data) as Progress);
    if (event === "done") return (JSON.parse(data) as { result: T }).result;
    if (event === "refused") throw toldError(data);
  }
  throw new ServerError(
    "The server stopped telling of its work. It may have been finished all the same: look at the log.",
    0,
  );
}
