import type { Console } from "../api/types";

/** Said in place of what a caller may not see or do. */
export function NeedsEdit({ caller }: { caller: Console["caller"] }) {
  return (
    <p className="note">
      The key <b>{caller.name}</b> may ask. What was taught is shown to keys with the role edit, and changed
      with them: <code>memoir keys add NAME --role edit</code>
    </p>
  );
}
