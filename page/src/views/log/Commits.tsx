import { useCallback } from "react";
import { commits } from "../../api/edits";
import type { Commit } from "../../api/types";
import { usePages } from "../../hooks/usePages";
import { Signed } from "../../parts/Signed";
import { Wrong } from "../../parts/Wrong";
import { moment } from "../../pure/time";
import { counted, short } from "../../pure/text";
import type { View } from "../shared";

/** Edits of one commit that are shown at once. */
const MOST = 8;

/** The commits of a branch, the newest first. */
export function Commits(props: View) {
  const { name, commit } = props.branch;
  const load = useCallback((after: string | null) => commits(name, after), [name, commit]);
  const { items, more, loading, error, loadMore, again } = usePages(load, props.shown);
  return (
    <>
      <Wrong error={error} again={again} />
      <ol className="commits" aria-label="Commits" aria-busy={loading}>
        {items.map((each) => (
          <One key={each.id} commit={each} />
        ))}
      </ol>
      {more && (
        <p className="more">
          <button type="button" className="link" disabled={loading} onClick={loadMore}>
            Show more
          </button>
        </p>
      )}
    </>
  );
}

function One({ commit }: { commit: Commit }) {
  const changes = [
    ...commit.add.map((row) => ({ sign: "+" as const, row })),
    ...commit.remove.map((row) => ({ sign: "−" as const, row })),
  ];
  return (
    <li className="commit">
      <div className="commit-head">
        <p className="commit-message">{commit.message}</p>
        {commit.names.map((name) => (
          <span key={name} className="tag">
            {name}
          </span>
        ))}
        {commit.parents.length > 1 && <span className="badge">merge</span>}
      </div>
      <p className="quiet small">
        <code>{short(commit.id)}</code> · {commit.author} · {moment(commit.time)}
      </p>
      {commit.forced.map((text) => (
        <p key={text} className="small forced">
          Overridden: {text}
        </p>
      ))}
      {changes.length > 0 && (
        <ul className="signed">
          {changes.slice(0, MOST).map(({ sign, row }) => (
            <Signed key={sign + row.id} sign={sign} row={row} />
          ))}
        </ul>
      )}
      {changes.length > MOST && (
        <p className="quiet small">and {counted(changes.length - MOST, "more edit")}</p>
      )}
    </li>
  );
}
