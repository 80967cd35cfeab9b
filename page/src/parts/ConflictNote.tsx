import type { Conflict, Row } from "../api/types";
import { short } from "../pure/text";
import { moment } from "../pure/time";
import { decimals } from "../pure/verdict";
import { Fact } from "./Fact";
import { ScoreBar } from "./ScoreBar";

/** Two edits, why they are taken to be about the same, and a way to take back either. */
export function ConflictNote({ conflict, onTake }: { conflict: Conflict; onTake: (edit: Row) => void }) {
  const { older, newer, fires, score, threshold, forced } = conflict;
  const other = fires === older.id ? newer : older;
  return (
    <li>
      {[older, newer].map((edit) => (
        <div key={edit.id} className="side">
          <Fact prompt={edit.prompt} target={edit.target} />
          <span className="quiet small">
            <code>{short(edit.id)}</code> {moment(edit.time)}
          </span>
          <button
            type="button"
            className="link"
            aria-label={`Take back ${edit.prompt} ${edit.target}`}
            onClick={() => onTake(edit)}
          >
            Take it back…
          </button>
        </div>
      ))}
      {fires !== null && (
        <p className="small">
          <code>{short(fires)}</code>
          {score === null ? " has the same prompt as " : " fires on what was taught with "}
          <code>{short(other.id)}</code>
          {score !== null && `: score ${decimals(score)}`}
        </p>
      )}
      {score !== null && threshold !== null && <ScoreBar score={score} threshold={threshold} fired />}
      {forced !== null && <p className="small forced">Made in spite of: {forced}</p>}
    </li>
  );
}
