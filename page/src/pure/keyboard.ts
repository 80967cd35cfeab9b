/** Which key does what, wherever nothing is being typed. */

export type Place = "ask" | "teach" | "log" | "check" | "plots";

export type Command = { go: Place; focus: string } | "help";

export const COMMANDS: Record<string, { does: string; command: Command }> = {
  "/": { does: "Ask", command: { go: "ask", focus: "ask-prompt" } },
  e: { does: "New edit", command: { go: "teach", focus: "teach-prompt" } },
  l: { does: "Log", command: { go: "log", focus: "log-title" } },
  c: { does: "Check", command: { go: "check", focus: "check-title" } },
  p: { does: "Plots", command: { go: "plots", focus: "plots-title" } },
  "?": { does: "This help", command: "help" },
};

interface Pressed {
  key: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

/** The command of a key; null while something is typed, or with keys of the browser. */
export function commanded(pressed: Pressed, typing: boolean): Command | null {
  if (typing || pressed.ctrlKey || pressed.metaKey || pressed.altKey) return null;
  return COMMANDS[pressed.key]?.command ?? null;
}

/** Whether what has the focus takes letters. */
export function takesLetters(element: Element | null): boolean {
  if (element === null) return false;
  if (element.closest("dialog")) return true;
  const tag = element.tagName;
  if (tag === "INPUT") return !["checkbox", "radio", "button"].includes((element as HTMLInputElement).type);
  return tag === "TEXTAREA" || tag === "SELECT";
}
