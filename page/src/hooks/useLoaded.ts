import { useCallback, useEffect, useState } from "react";

export interface Loaded<T> {
  value: T | null;
  error: unknown;
  loading: boolean;
  again: () => void;
}

/** Something the server is asked for while a view is shown; the last answer stays until the next one. */
export function useLoaded<T>(load: () => Promise<T>, shown: boolean): Loaded<T> {
  const [state, setState] = useState<{ value: T | null; error: unknown; loading: boolean }>({
    value: null,
    error: null,
    loading: false,
  });
  const [turn, setTurn] = useState(0);

  useEffect(() => {
    if (!shown) return;
    let current = true;
    setState((old) => ({ ...old, loading: true }));
    load().then(
      (value) => current && setState({ value, error: null, loading: false }),
      (error: unknown) => current && setState((old) => ({ ...old, error, loading: false })),
    );
    return () => {
      current = false;
    };
  }, [load, shown, turn]);

  return { ...state, again: useCallback(() => setTurn((old) => old + 1), []) };
}
