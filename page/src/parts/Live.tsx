import { useEffect, useState } from "react";
import { onAnnounce } from "../hooks/announce";

/** Says aloud, to those who listen to the page, what has just happened. */
export function Live() {
  const [text, setText] = useState("");
  useEffect(() => {
    onAnnounce(setText);
    return () => onAnnounce(() => undefined);
  }, []);
  return (
    <p className="unseen" role="status" aria-live="polite">
      {text}
    </p>
  );
}
