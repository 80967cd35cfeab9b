import { useCallback, useEffect, useState } from "react";
import { aborted } from "../api/client";
import type { Page } from "../api/types";

interface Pages<T> {
  items: T[];
  more: boolean;
  loading: boolean;
  error: unknown;
  loadMore: () => void;
  again: () => void;
}

/** A list that comes in pages; begins anew when what it is asked for changes. */
export function usePages<T extends { id: string }>(
  load: (after: string | null, signal: AbortSignal) => Promise<Page<T>>,
  shown: boolean,
): Pages<T> {
  const [state, setState] = useState({ items: [] as T[], more: false, error: null as unknown });
  const [loading, setLoading] = useState(true);
  const [turn, setTurn] = useState(0);
  const [after, setAfter] = useState<string | null>(null);
  const [asked, setAsked] = useState(() => load);

  // Another question: what an older one left behind is of no use.
  if (asked !== load) {
    setAsked(() => load);
    setAfter(null);
  }

  useEffect(() => {
    if (!shown || asked !== load) return;
    const control = new AbortController();
    setLoading(true);
    load(after, control.signal).then(
      (page) => {
        setState((old) => ({
          items: after === null ? page.data : [...old.items, ...page.data],
          more: page.has_more,
          error: null,
        }));
        setLoading(false);
      },
      (error: unknown) => {
        if (aborted(error)) return;
        setState((old) => ({ ...old, error }));
        setLoading(false);
      },
    );
    return () => control.abort();
  }, [load, asked, after, shown, turn]);

  return {
    ...state,
    loading,
    loadMore: useCallback(() => setAfter(state.items.at(-1)?.id ?? null), [state.items]),
    again: useCallback(() => {
      setAfter(null);
      setTurn((old) => old + 1);
    }, []),
  };
}
