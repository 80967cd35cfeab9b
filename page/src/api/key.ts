/** The API key, kept for this tab only, and asked for by whoever shows the dialog. */

const NAME = "memoir.key";

type Asker = (refused: string) => Promise<string | null>;

let asker: Asker | null = null;
let asking: Promise<string | null> | null = null;

export const key = {
  get: (): string | null => sessionStorage.getItem(NAME),
  set: (value: string): void => sessionStorage.setItem(NAME, value),
  forget: (): void => sessionStorage.removeItem(NAME),
};

/** Say who asks the user for a key. */
export function askedBy(who: Asker | null): void {
  asker = who;
}

/**
 * Ask the user for a key, once for all requests that need one.
 *
 * @param refused why the server wants one, in its words
 * @returns whether there is another key now
 */
export async function renew(refused: string): Promise<boolean> {
  asking ??= (asker?.(refused) ?? Promise.resolve(null)).finally(() => (asking = null));
  const given = await asking;
  if (given === null) return false;
  key.set(given);
  return true;
}
