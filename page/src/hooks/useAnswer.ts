import { useCallback, useRef, useState } from "react";
import { answer, type Question } from "../api/ask";
import { aborted } from "../api/client";
import type { Verdict } from "../api/types";

export interface Answer {
  stage: "none" | "waiting" | "streaming" | "done" | "stopped" | "failed";
  text: string;
  /** Whether it had more to say than tokens. */
  cut: boolean;
  verdict: Verdict | null;
  tokens: number | null;
  /** From sending to the first piece, and to the last. */
  firstToken: number | null;
  seconds: number | null;
  error: unknown;
}

const NONE: Answer = {
  stage: "none",
  text: "",
  cut: false,
  verdict: null,
  tokens: null,
  firstToken: null,
  seconds: null,
  error: null,
};

export interface Asking extends Answer {
  busy: boolean;
  /** Ask; what was under way is given up. Resolves to the answer as it ended. */
  ask: (question: Question) => Promise<Answer>;
  stop: () => void;
}

/** One answer that grows while it is streamed. */
export function useAnswer(): Asking {
  const [state, setState] = useState<Answer>(NONE);
  const control = useRef<AbortController | null>(null);

  const ask = useCallback(async (question: Question) => {
    control.current?.abort();
    const mine = new AbortController();
    control.current = mine;
    const start = performance.now();
    let now: Answer = { ...NONE, stage: "waiting" };
    const tell = (news: Partial<Answer>) => {
      now = { ...now, ...news };
      if (control.current === mine) setState(now);
    };
    const elapsed = () => (performance.now() - start) / 1000;
    tell({});
    try {
      for await (const piece of answer(question, mine.signal)) {
        if (piece.kind === "text") {
          const firstToken = now.firstToken ?? elapsed();
          tell({ stage: "streaming", text: now.text + piece.text, firstToken });
        } else if (piece.kind === "verdict") tell({ verdict: piece.verdict });
        else if (piece.kind === "cut") tell({ cut: true });
        else tell({ tokens: piece.tokens });
      }
      tell({ stage: "done", seconds: elapsed() });
    } catch (error) {
      if (aborted(error)) tell({ stage: "stopped", seconds: elapsed() });
      else tell({ stage: "failed", error });
    }
    return now;
  }, []);

  const stop = useCallback(() => control.current?.abort(), []);
  return { ...state, busy: state.stage === "waiting" || state.stage === "streaming", ask, stop };
}
