/** Requests to the server; what it refuses becomes an error in its own words. */

import { key, renew } from "./key";
import type { Broken, Objection } from "./types";

export class ServerError extends Error {
  /**
   * @param message the server's words
   * @param status of HTTP; 0 if no answer came
   * @param retryAfter seconds after which it is worth trying again, if the server says so
   * @param objections to an edit
   * @param broken what the gate would not let break
   */
  constructor(
    message: string,
    readonly status: number,
    readonly retryAfter: number | null = null,
    readonly objections: Objection[] = [],
    readonly broken: Broken[] = [],
  ) {
    super(message);
  }
}

/** A request that was answered with success; asks for a key and tries again where one is needed. */
export async function request(path: string, init: RequestInit = {}): Promise<Response> {
  while (true) {
    const used = key.get();
    const response = await sent(path, init, used);
    if (response.ok) return response;
    const error = await refusal(response);
    // Another request may have got a key meanwhile.
    const again = response.status === 401 && (key.get() !== used || (await renew(error.message)));
    if (!again) throw error;
  }
}

export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return (await request(path, signal ? { signal } : {})).json() as Promise<T>;
}

export function post(path: string, body: unknown, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = {
    method: "POST",
    body: JSON.stringify(body),
    headers: { "Content-Type": "application/json" },
  };
  return request(path, signal ? { ...init, signal } : init);
}

/** A path with those parameters that are given. */
export function withQuery(path: string, query: Record<string, string | number | null>): string {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== "");
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** Whether a request was taken back by the page itself. */
export function aborted(error: unknown): boolean {
  return error instanceof DOMException && error.name === "AbortError";
}

async function sent(path: string, init: RequestInit, used: string | null): Promise<Response> {
  const headers = new Headers(init.headers);
  if (used) headers.set("Authorization", `Bearer ${used}`);
  try {
    return await fetch(path, { ...init, headers });
  } catch (error) {
    if (aborted(error)) throw error;
    throw new ServerError(`No answer from ${location.host}.`, 0);
  }
}

interface Refused {
  error?: { message?: string; objections?: Objection[]; broken?: Broken[] };
}

async function refusal(response: Response): Promise<ServerError> {
  const text = await response.text();
  let told: Refused = {};
  try {
    told = JSON.parse(text) as Refused;
  } catch {
    // Not the server itself, but something before it.
  }
  const message = told.error?.message ?? (text.slice(0, 300) || response.statusText);
  const after = Number(response.headers.get("Retry-After"));
  return new ServerError(
    message,
    response.status,
    after || null,
    told.error?.objections ?? [],
    told.error?.broken ?? [],
  );
}

/** The error that a stream tells in an event. */
export function toldError(data: string): ServerError {
  const { error } = JSON.parse(data) as Refused;
  return new ServerError(error?.message ?? data, 200, null, error?.objections ?? [], error?.broken ?? []);
}
