import { useState } from "react";
import { conflicts } from "../api/edits";
import type { Conflict, Progress, Row } from "../api/types";
import { announce } from "../hooks/announce";
import { counted } from "../pure/text";
import { ConfirmRevert } from "./ConfirmRevert";
import { ConflictNote } from "./ConflictNote";
import { Meter } from "./Meter";
import { Wrong } from "./Wrong";

/** Edits in force that contradict one another, found when they are asked for. */
export function Conflicts({ branch, changed }: { branch: string; changed: () => void }) {
  const [found, setFound] = useState<{ conflicts: Conflict[]; branch: string } | null>(null);
  const [progress, setProgress] = useState<Progress | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [taking, setTaking] = useState<Row | null>(null);

  const look = async () => {
    setBusy(true);
    setError(null);
    setProgress(null);
    try {
      const some = await conflicts(branch, setProgress);
      setFound({ conflicts: some, branch });
      announce(some.length === 0 ? "No conflicts" : counted(some.length, "conflict"));
    } catch (caught) {
      setError(caught);
    }
    setBusy(false);
  };

  const forget = (id: string) =>
    setFound(
      (old) =>
        old && {
          ...old,
          conflicts: old.conflicts.filter((each) => each.older.id !== id && each.newer.id !== id),
        },
    );

  const here = !busy && found?.branch === branch ? found.conflicts : null;
  return (
    <section className="part" aria-labelledby="conflicts-title">
      <h2 id="conflicts-title">Conflicts</h2>
      <p className="quiet">
        Edits in force on <b>{branch}</b> of which one answers what another was taught for, and otherwise.
      </p>
      <div className="actions">
        <button type="button" className="plain" disabled={busy} onClick={() => void look()}>
          {busy ? "Looking…" : "Look for conflicts"}
        </button>
      </div>
      {busy && <Meter progress={progress} label="Looking for conflicts" />}
      <Wrong error={error} />
      {here?.length === 0 && <p className="good">No edit contradicts another.</p>}
      {here && here.length > 0 && (
        <ul className="found conflicts" aria-label="Conflicts">
          {here.map((each) => (
            <ConflictNote key={each.older.id + each.newer.id} conflict={each} onTake={setTaking} />
          ))}
        </ul>
      )}
      {taking && (
        <ConfirmRevert
          edit={taking}
          branch={branch}
          onClose={() => setTaking(null)}
          onDone={() => {
            forget(taking.id);
            setTaking(null);
            changed();
          }}
        />
      )}
    </section>
  );
}
