import type { Broken, NewEdit } from "../api/types";
import { counted } from "../pure/text";
import { BrokenList } from "./BrokenList";

/** What an edit would break, so that the gate refused it. */
export function Breaks(props: { broken: Broken[]; fact: NewEdit; onChange: () => void }) {
  return (
    <div className="breaks">
      <h2>It would break {counted(props.broken.length, "answer")}</h2>
      <p className="quiet">
        Nothing was taught: this store’s gate refuses what breaks something. With the new edit in force, the
        model answered:
      </p>
      <BrokenList broken={props.broken} fact={props.fact} />
      <div className="actions">
        <button type="button" className="main" onClick={props.onChange}>
          Change it
        </button>
      </div>
    </div>
  );
}
