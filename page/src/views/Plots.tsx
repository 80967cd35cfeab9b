import { useCallback } from "react";
import { answered } from "../api/console";
import { commits } from "../api/edits";
import { useLoaded } from "../hooks/useLoaded";
import { Lead } from "../parts/Lead";
import { Wrong } from "../parts/Wrong";
import { InForce } from "../plots/InForce";
import { Latency } from "../plots/Latency";
import { Retention } from "../plots/Retention";
import { Scores } from "../plots/Scores";
import { kept } from "../pure/checks";
import { liveOverTime } from "../pure/history";
import type { View } from "./shared";

/** Commits that are counted back. */
const COMMITS = 500;

/** How the server and the edits do. */
export function Plots(props: View) {
  const { name, commit, edits, threshold } = props.branch;
  const lately = useLoaded(answered, props.shown);
  const history = useLoaded(
    useCallback(() => commits(name, null, COMMITS), [name, commit]),
    props.shown,
  );
  const here = lately.value?.filter((each) => each.branch === name);
  const refresh = () => {
    lately.again();
    history.again();
    props.changed();
  };
  return (
    <section hidden={!props.shown} aria-labelledby="plots-title">
      <Lead id="plots-title" title="Plots">
        <button type="button" className="plain" onClick={refresh}>
          Refresh
        </button>
      </Lead>
      <Wrong error={lately.error ?? history.error} again={refresh} />
      <div className="plots">
        <Retention checks={props.shown ? kept(props.branch.model) : []} />
        <InForce standings={history.value ? liveOverTime(history.value.data, edits) : []} branch={name} />
        {here && <Scores answers={here} threshold={threshold} />}
        {here && <Latency answers={here} />}
      </div>
    </section>
  );
}
