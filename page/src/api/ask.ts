/** One answer, as it comes. */

import { post, toldError } from "./client";
import { events } from "./sse";
import type { Verdict } from "./types";

export interface Question {
  prompt: string;
  /** As a user's turn in a conversation, or as text to go on with. */
  chat: boolean;
  /** Name of the model, with the branch: `smollm2@main`. */
  model: string;
  edits: boolean;
  /** Whether to tell which edit fired; not everybody may know. */
  explain: boolean;
  maxTokens: number;
  temperature: number;
}

export type Piece =
  | { kind: "text"; text: string }
  | { kind: "verdict"; verdict: Verdict }
  | { kind: "cut" }
  | { kind: "tokens"; tokens: number };

interface Chunk {
  choices?: { text?: string; delta?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: { completion_tokens: number } | null;
  memoir?: Verdict | null;
  error?: unknown;
}

export async function* answer(question: Question, signal?: AbortSignal): AsyncGenerator<Piece> {
  const response = await post(
    question.chat ? "/v1/chat/completions" : "/v1/completions",
    {
      model: question.model,
      ...(question.chat
        ? { messages: [{ role: "user", content: question.prompt }] }
        : { prompt: question.prompt }),
      max_tokens: question.maxTokens,
      temperature: question.temperature,
      stream: true,
      stream_options: { include_usage: true },
      memoir: { edits: question.edits, explain: question.explain },
    },
    signal,
  );
  for await (const { data } of events(response.body!)) {
    if (data === "[DONE]") return;
    const chunk = JSON.parse(data) as Chunk;
    if (chunk.error) throw toldError(data);
    const choice = chunk.choices?.[0];
    const text = choice?.text ?? choice?.delta?.content;
    if (text) yield { kind: "text", text };
    if (choice?.finish_reason === "length") yield { kind: "cut" };
    if (chunk.memoir) yield { kind: "verdict", verdict: chunk.memoir };
    if (chunk.usage) yield { kind: "tokens", tokens: chunk.usage.completion_tokens };
  }
}
