import { useId, useState } from "react";
import { branches, difference } from "../../api/edits";
import type { Difference } from "../../api/types";
import { useLoaded } from "../../hooks/useLoaded";
import { Signed } from "../../parts/Signed";
import { Wrong } from "../../parts/Wrong";
import { short } from "../../pure/text";
import type { View } from "../shared";

/** Which edits lead from one state to another. */
export function Compare(props: View) {
  const known = useLoaded(branches, props.shown);
  const others = props.console.branches.filter((each) => each.name !== props.branch.name);
  const [from, setFrom] = useState(others[0]?.name ?? "");
  const [to, setTo] = useState(props.branch.name);
  const [found, setFound] = useState<Difference | null>(null);
  const [error, setError] = useState<unknown>(null);
  const names = useId();

  const compare = async () => {
    setError(null);
    try {
      setFound(await difference(from.trim(), to.trim()));
    } catch (caught) {
      setFound(null);
      setError(caught);
    }
  };

  return (
    <>
      <form
        className="filters"
        onSubmit={(event) => {
          event.preventDefault();
          void compare();
        }}
      >
        <State label="From" value={from} set={setFrom} names={names} />
        <State label="To" value={to} set={setTo} names={names} />
        <datalist id={names}>
          {known.value?.map((name) => (
            <option key={name} value={name} />
          ))}
        </datalist>
        <button type="submit" className="main">
          Compare
        </button>
      </form>
      <Wrong error={error ?? known.error} />
      {found && <Found {...found} />}
      {!found && error === null && (
        <p className="empty">A state is a branch, a tag, a commit or a beginning of its id, or main~2.</p>
      )}
    </>
  );
}

function State(props: { label: string; value: string; set: (value: string) => void; names: string }) {
  return (
    <label className="field grow">
      <span>{props.label}</span>
      <input
        value={props.value}
        list={props.names}
        required
        autoComplete="off"
        spellCheck={false}
        onChange={(event) => props.set(event.target.value)}
      />
    </label>
  );
}

function Found({ a, b, added, removed, changed }: Difference) {
  return (
    <section aria-label="Difference">
      <p className="summary">
        <code>{short(a)}</code> to <code>{short(b)}</code>: {added.length} added, {removed.length} removed,{" "}
        {changed.length} changed
      </p>
      <ul className="signed wide-rows">
        {changed.map(({ before, after }) => (
          <Signed key={after.id} sign="~" row={after} was={before.target} />
        ))}
        {added.map((row) => (
          <Signed key={row.id} sign="+" row={row} />
        ))}
        {removed.map((row) => (
          <Signed key={row.id} sign="−" row={row} />
        ))}
      </ul>
    </section>
  );
}
