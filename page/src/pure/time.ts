/** Times as people read them. */

/** `21 Nov 2026, 14:05`, in the reader's time zone; of ISO 8601, or milliseconds since 1970. */
export function moment(time: string | number): string {
  return new Date(time).toLocaleString("en-GB", {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "2-digit",
    minute: "2-digit",
  });
}

/** `0.84 s`, `12.3 s`, `640 ms` */
export function duration(seconds: number): string {
  if (seconds < 0.1) return `${Math.round(seconds * 1000)} ms`;
  return `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
}

/** A time on an axis, short where all are of one day. */
export function onAxis(milliseconds: number, span: number): string {
  const time = new Date(milliseconds);
  return span < 86_400_000
    ? time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" })
    : time.toLocaleDateString("en-GB", { day: "numeric", month: "short" });
}
