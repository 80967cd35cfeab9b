import { useState } from "react";
import { Modal } from "./Modal";
import { Fact } from "./Fact";
import { Wrong } from "./Wrong";
import { revert } from "../api/edits";
import type { Row } from "../api/types";
import { short } from "../pure/text";

/** Asks before an edit is taken back, and takes it back. */
export function ConfirmRevert(props: {
  edit: Pick<Row, "id" | "prompt" | "target">;
  branch: string;
  onClose: () => void;
  onDone: () => void;
}) {
  const [why, setWhy] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);

  const take = async () => {
    setBusy(true);
    setError(null);
    try {
      await revert(props.edit.id, props.branch, why);
      props.onDone();
    } catch (caught) {
      setError(caught);
      setBusy(false);
    }
  };

  return (
    <Modal title={`Take back edit ${short(props.edit.id)}?`} onClose={props.onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void take();
        }}
      >
        <p>
          <Fact {...props.edit} />
        </p>
        <p className="quiet">
          On branch <b>{props.branch}</b> the model will answer as if it had never been taught. The log keeps
          both.
        </p>
        <label className="field">
          <span>
            Why <i>optional</i>
          </span>
          <input value={why} onChange={(event) => setWhy(event.target.value)} />
        </label>
        <Wrong error={error} />
        <div className="actions">
          <button type="submit" className="main danger" disabled={busy}>
            {busy ? "Taking it back…" : "Take it back"}
          </button>
          <button type="button" className="plain" autoFocus onClick={props.onClose}>
            Keep it
          </button>
        </div>
      </form>
    </Modal>
  );
}
