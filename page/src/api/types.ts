/** What the server says, as it says it. Ids are 64 hex digits; times are UTC, ISO 8601. */

export type Role = "ask" | "edit" | "admin";

export interface Branch {
  name: string;
  /** The name to ask it under: `smollm2@main`. */
  model: string;
  commit: string;
  /** How many edits are in force. */
  edits: number;
  /** Score from which an edit fires; null where nothing decides prompt by prompt. */
  threshold: number | null;
  /** Whether it answers where none is named. */
  default: boolean;
}

export interface Console {
  version: string;
  model: string;
  caller: { name: string; role: Role; branch: string | null };
  branches: Branch[];
  limits: { max_tokens: number };
}

/** The router's verdict on one prompt, and the state it was given in. */
export interface Verdict {
  /** The edit that fits best; null when none could be meant. */
  edit: string | null;
  score: number | null;
  threshold: number | null;
  fired: boolean;
  evidence: Record<string, unknown>;
  commit: string;
  branch: string;
}

export interface NewEdit {
  prompt: string;
  target: string;
  subject?: string;
  source?: string;
  expires?: string;
  tags?: string[];
}

export type Status = "live" | "reverted" | "damaged";

export interface Edit {
  id: string;
  time: string;
  status: Status;
  commit: string;
  note: string | null;
  author: string;
  prompt: string;
  target: string;
  subject: string | null;
  // Stores of earlier versions have edits without these.
  phrasings?: string[];
  aliases?: string[];
  source?: string | null;
  expires?: string | null;
  tags?: string[];
}

/** An edit as commits and differences tell it. */
export type Row = Pick<Edit, "id" | "time" | "prompt" | "target" | "subject">;

export interface Commit {
  id: string;
  time: string;
  author: string;
  message: string;
  parents: string[];
  /** Branches and tags that point at it. */
  names: string[];
  /** Objections that were overridden. */
  forced: string[];
  add: Row[];
  remove: Row[];
}

export interface Difference {
  a: string;
  b: string;
  added: Row[];
  removed: Row[];
  changed: { before: Row; after: Row }[];
}

export interface Objection {
  kind: string;
  what: string;
  remedy: string;
  /** Ids of stored edits that are involved. */
  others: string[];
}

export interface Receipt {
  id: string;
  commit: string;
  prompt: string;
  target: string;
  steps: number;
  loss: number;
  said: boolean;
  bytes: number;
  /** Wall time by stage. */
  seconds: Record<string, number>;
}

export interface Taught {
  commit: string;
  /** Whether the next question meets it. */
  live: boolean;
  edits: Receipt[];
}

export interface Broken {
  question: { kind: string; prompt: string; text: string; edit: string | null };
  answer: string;
  /** The first commit at which it was so. */
  commit: string | null;
}

/** Two edits in force that answer one thing differently. */
export interface Conflict {
  older: Row;
  newer: Row;
  /** Id of the one that answers what the other was taught for; null if neither does by now. */
  fires: string | null;
  /** How well it fits there; null where only the prompts were compared. */
  score: number | null;
  threshold: number | null;
  evidence: Record<string, unknown>;
  /** The objection in spite of which the newer one was made. */
  forced: string | null;
}

/** How a store is guarded. */
export interface Gate {
  on: boolean;
  /** How many questions of the store's own are asked; null for none. */
  probes: number | null;
  /** Why those cannot be read; then no edit is let through. */
  trouble: string | null;
}

export interface Report {
  passed: boolean;
  asked: number;
  skipped: number;
  why_skipped: string;
  broken: Broken[];
  expired: Row[];
}

/** A check that was made, as the store remembers it. */
export interface PastCheck {
  id: string;
  time: string;
  commit: string;
  /** Edits in force then. */
  edits: number;
  /** Those of them that were still answered. */
  held: number;
  questions: number;
  /** Questions that were not answered as they must be. */
  broken: number;
  /** Edits past their last day. */
  expired: number;
}

/** An answer, as numbers. */
export interface Answered {
  /** When it was asked for, in seconds since 1970. */
  time: number;
  branch: string;
  seconds: number;
  first_token_seconds: number | null;
  completion_tokens: number;
  score: number | null;
  threshold: number | null;
  fired: boolean;
}

export interface Progress {
  what: string;
  done: number;
  total: number;
}

export interface Page<T> {
  data: T[];
  has_more: boolean;
}
