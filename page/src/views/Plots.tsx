import { useCallback } from "react";
import { answered } from "../api/console";
import { checks, history } from "../api/edits";
import { useLoaded } from "../hooks/useLoaded";
import { Lead } from "../parts/Lead";
import { Wrong } from "../parts/Wrong";
import { InForce } from "../plots/InForce";
import { Latency } from "../plots/Latency";
import { Retention } from "../plots/Retention";
import { Scores } from "../plots/Scores";
import { liveOverTime } from "../pure/history";
import type { View } from "./shared";

/** How the server and the edits do. */
export function Plots(props: View) {
  const { name, commit, edits, threshold } = props.branch;
  const lately = useLoaded(answered, props.shown);
  const made = useLoaded(
    useCallback(() => history(name), [name, commit]),
    props.shown && props.mayEdit,
  );
  const past = useLoaded(
    useCallback(() => checks(name), [name, commit]),
    props.shown && props.mayEdit,
  );
  const here = lately.value?.filter((each) => each.branch === name);
  const refresh = () => {
    lately.again();
    made.again();
    past.again();
    props.changed();
  };
  return (
    <section hidden={!props.shown} aria-labelledby="plots-title">
      <Lead id="plots-title" title="Plots">
        <button type="button" className="plain" onClick={refresh}>
          Refresh
        </button>
      </Lead>
      <Wrong error={lately.error ?? made.error ?? past.error} again={refresh} />
      <div className="plots">
        {past.value && <Retention checks={past.value} branch={name} />}
        {made.value && <InForce standings={liveOverTime(made.value, edits)} branch={name} />}
        {here && <Scores answers={here} threshold={threshold} />}
        {here && <Latency answers={here} />}
      </div>
    </section>
  );
}
