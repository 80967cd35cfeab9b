import { gate } from "../api/edits";
import type { Gate } from "../api/types";
import { useLoaded } from "../hooks/useLoaded";
import { counted } from "../pure/text";
import { Wrong } from "./Wrong";

/** Whether what breaks something is refused. */
export function GateNote({ shown }: { shown: boolean }) {
  const { value, error, again } = useLoaded(gate, shown);
  return (
    <section className="part" aria-labelledby="gate-title">
      <h2 id="gate-title">
        Gate {value && <span className={value.on ? "badge on" : "badge"}>{value.on ? "on" : "off"}</span>}
      </h2>
      <Wrong error={error} again={again} />
      {value && <Does {...value} />}
    </section>
  );
}

function Does({ on, probes, trouble }: Gate) {
  if (!on) {
    return (
      <p className="quiet">
        Edits and merges are committed unchecked. To have each of them checked first, on the server’s machine:{" "}
        <code>memoir config gate.on-commit true</code>
      </p>
    );
  }
  return (
    <>
      <p className="quiet">
        Every edit and merge is checked before it is committed
        {probes !== null && `, with ${counted(probes, "probe")} of this store’s own`}; what breaks something
        is refused. Taking back is never held up.
      </p>
      {trouble && <p className="bad">{trouble}</p>}
    </>
  );
}
