import { useEffect, useState } from "react";
import { askedBy, key } from "../api/key";
import { Modal } from "./Modal";

interface Wanted {
  refused: string;
  give: (key: string | null) => void;
}

/** Asks for an API key whenever the server wants one. */
export function KeyDialog() {
  const [wanted, setWanted] = useState<Wanted | null>(null);
  const [text, setText] = useState("");

  useEffect(() => {
    askedBy((refused) => new Promise((give) => setWanted({ refused, give })));
    return () => askedBy(null);
  }, []);

  if (wanted === null) return null;
  const end = (given: string | null) => {
    setWanted(null);
    setText("");
    wanted.give(given);
  };
  return (
    <Modal title="This server asks for an API key" onClose={() => end(null)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (text.trim()) end(text.trim());
        }}
      >
        <p className={key.get() ? "bad" : "quiet"}>{wanted.refused}</p>
        <label className="field">
          <span>API key</span>
          <input
            type="password"
            autoComplete="off"
            spellCheck={false}
            autoFocus
            placeholder="memoir-…"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
        </label>
        <p className="quiet small">
          Kept for this tab only, and forgotten when it is closed. Whoever runs the server makes keys with{" "}
          <code>memoir keys add NAME</code>.
        </p>
        <div className="actions">
          <button type="submit" className="main">
            Use this key
          </button>
          <button type="button" className="plain" onClick={() => end(null)}>
            Cancel
          </button>
        </div>
      </form>
    </Modal>
  );
}
