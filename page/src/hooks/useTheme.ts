import { useState } from "react";

export type Theme = "system" | "light" | "dark";

const NAME = "memoir.theme";
const NEXT: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };

function chosen(): Theme {
  const kept = localStorage.getItem(NAME);
  return kept === "light" || kept === "dark" ? kept : "system";
}

/** Put the chosen theme in force; styles do the rest. */
export function applyTheme(theme: Theme = chosen()): void {
  document.documentElement.dataset["theme"] = theme;
}

/** The theme, and what takes the next one. */
export function useTheme(): [Theme, () => void] {
  const [theme, setTheme] = useState(chosen);
  const turn = () => {
    const next = NEXT[theme];
    localStorage.setItem(NAME, next);
    applyTheme(next);
    setTheme(next);
  };
  return [theme, turn];
}
