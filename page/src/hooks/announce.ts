/** What a screen reader is told; shown nowhere. */

type Listener = (text: string) => void;

let listener: Listener = () => undefined;

export function announce(text: string): void {
  listener(text);
}

export function onAnnounce(who: Listener): void {
  listener = who;
}
