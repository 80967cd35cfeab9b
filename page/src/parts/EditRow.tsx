import { useId, useState } from "react";
import type { Edit } from "../api/types";
import { moment } from "../pure/time";
import { short } from "../pure/text";
import { Fact } from "./Fact";
import { Icon } from "./Icon";

const STATUS = { live: "live", reverted: "taken back", damaged: "damaged" } as const;

/** An edit in a line; opened, with all that is known of it. */
export function EditRow({ edit, onTake }: { edit: Edit; onTake: (edit: Edit) => void }) {
  const [open, setOpen] = useState(false);
  const id = useId();
  return (
    <li className={`row ${edit.status}`}>
      <button
        type="button"
        className="row-line"
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        <Icon name="down" />
        <Fact prompt={edit.prompt} target={edit.target} />
        <span className="row-side">
          {edit.status !== "live" && <span className={`badge ${edit.status}`}>{STATUS[edit.status]}</span>}
          {edit.tags?.map((tag) => (
            <span key={tag} className="tag">
              {tag}
            </span>
          ))}
          <span className="row-when">{moment(edit.time)}</span>
          <code>{short(edit.id)}</code>
        </span>
      </button>
      <div id={id} className="row-more" hidden={!open}>
        <dl className="facts">
          <Entry name="Id" value={edit.id} code />
          <Entry name="Commit" value={edit.commit} code />
          <Entry name="Author" value={edit.author} />
          <Entry name="Taught" value={moment(edit.time)} />
          <Entry name="Subject" value={edit.subject} />
          <Entry name="Other names" value={edit.aliases?.join(", ")} />
          <Entry name="Phrasings" value={edit.phrasings?.join(" · ")} />
          <Entry name="Source" value={edit.source} />
          <Entry name="Holds until" value={edit.expires} />
          <Entry name="Note" value={edit.note} />
        </dl>
        {edit.status !== "reverted" && (
          <button type="button" className="plain" onClick={() => onTake(edit)}>
            Take it back…
          </button>
        )}
      </div>
    </li>
  );
}

function Entry(props: { name: string; value: string | null | undefined; code?: boolean }) {
  if (!props.value) return null;
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>{props.code ? <code>{props.value}</code> : props.value}</dd>
    </div>
  );
}
