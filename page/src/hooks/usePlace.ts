import { useCallback, useEffect, useState } from "react";
import type { Place } from "../pure/keyboard";

export const PLACES: readonly Place[] = ["ask", "teach", "log", "check", "plots"];

function here(): Place {
  const name = location.hash.slice(1) as Place;
  return PLACES.includes(name) ? name : "ask";
}

/** Which view is shown, as the address says, and what goes to another and puts the focus there. */
export function usePlace(): [Place, (place: Place, focus?: string) => void] {
  const [state, setState] = useState<{ place: Place; focus?: string | undefined }>(() => ({
    place: here(),
  }));

  useEffect(() => {
    const follow = () => setState((old) => (old.place === here() ? old : { place: here() }));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  const go = useCallback((next: Place, on?: string) => {
    location.hash = next;
    setState({ place: next, focus: on });
  }, []);

  useEffect(() => {
    if (state.focus) document.getElementById(state.focus)?.focus();
  }, [state]); // not of its fields: the same key may be pressed twice

  return [state.place, go];
}
