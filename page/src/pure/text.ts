/** Whether an answer says what was taught: the same rules as the package's own checks. */

/** NFKC, lower case, white space folded, outer punctuation removed. */
export function normalise(text: string): string {
  return text
    .normalize("NFKC")
    .toLowerCase()
    .replace(/\s+/gu, " ")
    .replace(/^[ .,;:!?"'“”‘’`*()[\]]+|[ .,;:!?"'“”‘’`*()[\]]+$/gu, "");
}

/** Whether a text begins with a target, as whole words. */
export function beginsWith(text: string, target: string): boolean {
  const wanted = normalise(target);
  const said = normalise(text);
  return wanted !== "" && said.startsWith(wanted) && !/^[\p{L}\p{N}_]/u.test(said.slice(wanted.length));
}

/** Whether a target occurs in a text, as whole words. */
export function contains(text: string, target: string): boolean {
  const wanted = normalise(target).replace(/[.*+?^${}()|[\]\\]/gu, "\\$&");
  if (wanted === "") return false;
  return new RegExp(`(?<![\\p{L}\\p{N}_])${wanted}(?![\\p{L}\\p{N}_])`, "u").test(normalise(text));
}

/** An id as people are shown it. */
export function short(id: string): string {
  return id.slice(0, 10);
}

/** Lines that say something. */
export function lines(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/** Words between commas. */
export function listed(text: string): string[] {
  return text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");
}

/** `1 edit`, `3 edits`. */
export function counted(number: number, what: string): string {
  return `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;
}
