import { useCallback, useState } from "react";
import { edit } from "../api/edits";
import type { Edit, Objection } from "../api/types";
import { useLoaded } from "../hooks/useLoaded";
import { counted, short } from "../pure/text";
import { ConfirmRevert } from "./ConfirmRevert";
import { Fact } from "./Fact";

/** What there is to say against an edit, and what can be done: change it, take the other back, or insist. */
export function Objections(props: {
  objections: Objection[];
  branch: string;
  onForce: () => void;
  onChange: () => void;
  onReverted: () => void;
}) {
  const [taking, setTaking] = useState<Edit | null>(null);
  return (
    <div className="objections">
      <h2>{counted(props.objections.length, "objection")}</h2>
      <p className="quiet">Nothing was taught.</p>
      <ul>
        {props.objections.map((each, at) => (
          <li key={at}>
            <h3>{each.kind}</h3>
            <p>{each.what}</p>
            <p className="quiet">{each.remedy}</p>
            {each.others.map((id) => (
              <Other key={id} id={id} branch={props.branch} onTake={setTaking} />
            ))}
          </li>
        ))}
      </ul>
      <div className="actions">
        <button type="button" className="main" onClick={props.onChange}>
          Change it
        </button>
        <button type="button" className="plain" onClick={props.onForce}>
          Teach anyway
        </button>
      </div>
      {taking && (
        <ConfirmRevert
          edit={taking}
          branch={props.branch}
          onClose={() => setTaking(null)}
          onDone={() => {
            setTaking(null);
            props.onReverted();
          }}
        />
      )}
    </div>
  );
}

function Other(props: { id: string; branch: string; onTake: (edit: Edit) => void }) {
  const { id, branch } = props;
  const { value } = useLoaded(
    useCallback(() => edit(id, branch), [id, branch]),
    true,
  );
  return (
    <div className="other">
      <code>{short(id)}</code>
      {value && (
        <>
          <Fact prompt={value.prompt} target={value.target} />
          <button type="button" className="link" onClick={() => props.onTake(value)}>
            Take that one back
          </button>
        </>
      )}
    </div>
  );
}
