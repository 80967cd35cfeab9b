import { useCallback, useState } from "react";
import { edits, type EditFilter } from "../../api/edits";
import type { Edit } from "../../api/types";
import { announce } from "../../hooks/announce";
import { usePages } from "../../hooks/usePages";
import { useSettled } from "../../hooks/useSettled";
import { ConfirmRevert } from "../../parts/ConfirmRevert";
import { EditRow } from "../../parts/EditRow";
import { Wrong } from "../../parts/Wrong";
import { counted, short } from "../../pure/text";
import type { View } from "../shared";

const ALL: EditFilter = { subject: "", author: "", tag: "", status: "" };

/** The edits of a branch, searched and filtered. */
export function Edits(props: View) {
  const [filter, setFilter] = useState<EditFilter>(ALL);
  const [taking, setTaking] = useState<Edit | null>(null);
  const wanted = useSettled(filter);
  const { name, commit } = props.branch;
  // `commit`: another one may have brought or taken edits.
  const load = useCallback(
    (after: string | null, signal: AbortSignal) => edits(name, wanted, after, signal),
    [name, commit, wanted],
  );
  const { items, more, loading, error, loadMore, again } = usePages(load, props.shown);
  const set = (news: Partial<EditFilter>) => setFilter({ ...filter, ...news });

  return (
    <>
      <form className="filters" role="search" onSubmit={(event) => event.preventDefault()}>
        <label className="field grow">
          <span>Search</span>
          <input
            type="search"
            placeholder="text in subject or prompt"
            value={filter.subject}
            onChange={(event) => set({ subject: event.target.value })}
          />
        </label>
        <label className="field">
          <span>Author</span>
          <input value={filter.author} onChange={(event) => set({ author: event.target.value })} />
        </label>
        <label className="field">
          <span>Tag</span>
          <input value={filter.tag} onChange={(event) => set({ tag: event.target.value })} />
        </label>
        <label className="field">
          <span>Status</span>
          <select value={filter.status} onChange={(event) => set({ status: event.target.value })}>
            <option value="">any</option>
            <option value="live">live</option>
            <option value="reverted">taken back</option>
          </select>
        </label>
      </form>
      <Wrong error={error} again={again} />
      {!loading && !error && items.length === 0 && (
        <p className="empty">
          {filter === ALL ? (
            <>
              Nothing was taught on {name} yet.{" "}
              <button type="button" className="link" onClick={() => props.go("teach", "teach-prompt")}>
                Teach the first edit
              </button>
            </>
          ) : (
            <>
              No edit is like that.{" "}
              <button type="button" className="link" onClick={() => setFilter(ALL)}>
                Show all
              </button>
            </>
          )}
        </p>
      )}
      <ul className="rows" aria-label="Edits" aria-busy={loading}>
        {items.map((each) => (
          <EditRow key={each.id} edit={each} onTake={setTaking} />
        ))}
      </ul>
      {items.length > 0 && (
        <p className="quiet small more">
          {counted(items.length, "edit")}
          {more && (
            <>
              {" shown. "}
              <button type="button" className="link" disabled={loading} onClick={loadMore}>
                Show more
              </button>
            </>
          )}
        </p>
      )}
      {taking && (
        <ConfirmRevert
          edit={taking}
          branch={name}
          onClose={() => setTaking(null)}
          onDone={() => {
            setTaking(null);
            announce(`Edit ${short(taking.id)} was taken back`);
            props.changed();
            again();
          }}
        />
      )}
    </>
  );
}
