import { useCallback, useState } from "react";
import { ServerError } from "../api/client";
import { teach } from "../api/edits";
import type { Broken, NewEdit, Objection, Progress, Receipt } from "../api/types";

export type Teaching =
  | { stage: "idle" }
  | { stage: "working"; progress: Progress | null }
  | { stage: "objected"; objections: Objection[]; fact: NewEdit; branch: string }
  | { stage: "breaks"; broken: Broken[]; fact: NewEdit }
  | { stage: "failed"; error: unknown }
  | { stage: "taught"; receipt: Receipt; live: boolean };

/** One fact on its way into the model. */
export function useTeaching(): {
  state: Teaching;
  begin: (fact: NewEdit, branch: string, force: boolean) => Promise<Receipt | null>;
  reset: () => void;
} {
  const [state, setState] = useState<Teaching>({ stage: "idle" });

  const begin = useCallback(async (fact: NewEdit, branch: string, force: boolean) => {
    setState({ stage: "working", progress: null });
    try {
      const taught = await teach(fact, branch, force, (progress) => setState({ stage: "working", progress }));
      const receipt = taught.edits[0]!;
      setState({ stage: "taught", receipt, live: taught.live });
      return receipt;
    } catch (error) {
      if (error instanceof ServerError && error.objections.length > 0) {
        setState({ stage: "objected", objections: error.objections, fact, branch });
      } else if (error instanceof ServerError && error.broken.length > 0) {
        setState({ stage: "breaks", broken: error.broken, fact });
      } else setState({ stage: "failed", error });
      return null;
    }
  }, []);

  return { state, begin, reset: useCallback(() => setState({ stage: "idle" }), []) };
}
