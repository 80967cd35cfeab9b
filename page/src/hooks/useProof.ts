import { useCallback, useState } from "react";
import { answer } from "../api/ask";
import type { Verdict } from "../api/types";
import { beginsWith, contains } from "../pure/text";

export interface Proof {
  prompt: string;
  stage: "waiting" | "asking" | "asked" | "failed";
  text: string;
  holds: boolean;
  verdict: Verdict | null;
  error: unknown;
}

/** Tokens that hold a target at the beginning of an answer, or in a chat's first sentences. */
function enough(target: string, chat: boolean): number {
  return Math.ceil(target.length / 2) + (chat ? 40 : 8);
}

/** Asks prompts one after the other, and looks whether each answer says what was taught. */
export function useProof(): {
  proofs: Proof[];
  prove: (prompts: string[], target: string, model: string, chat: boolean) => Promise<Proof[]>;
  clear: () => void;
} {
  const [proofs, setProofs] = useState<Proof[]>([]);

  const prove = useCallback(async (prompts: string[], target: string, model: string, chat: boolean) => {
    let all: Proof[] = prompts.map((prompt) => ({
      prompt,
      stage: "waiting",
      text: "",
      holds: false,
      verdict: null,
      error: null,
    }));
    setProofs(all);
    const tell = (at: number, news: Partial<Proof>) => {
      all = all.map((each, place) => (place === at ? { ...each, ...news } : each));
      setProofs(all);
    };
    for (const [at, prompt] of prompts.entries()) {
      tell(at, { stage: "asking" });
      try {
        const found = await said(prompt, target, model, chat);
        const holds = (chat ? contains : beginsWith)(found.text, target);
        tell(at, { stage: "asked", ...found, holds });
      } catch (error) {
        tell(at, { stage: "failed", error });
      }
    }
    return all;
  }, []);

  return { proofs, prove, clear: useCallback(() => setProofs([]), []) };
}

async function said(prompt: string, target: string, model: string, chat: boolean) {
  let text = "";
  let verdict: Verdict | null = null;
  const question = {
    prompt,
    chat,
    model,
    edits: true,
    explain: true,
    maxTokens: enough(target, chat),
    temperature: 0,
  };
  for await (const piece of answer(question)) {
    if (piece.kind === "text") text += piece.text;
    if (piece.kind === "verdict") verdict = piece.verdict;
  }
  return { text: text.trim(), verdict };
}
