import { useState } from "react";
import { check } from "../api/edits";
import type { Progress, Report } from "../api/types";
import { announce } from "../hooks/announce";
import { Conflicts } from "../parts/Conflicts";
import { GateNote } from "../parts/GateNote";
import { Lead } from "../parts/Lead";
import { NeedsEdit } from "../parts/NeedsEdit";
import { Meter } from "../parts/Meter";
import { ReportNote } from "../parts/ReportNote";
import { Wrong } from "../parts/Wrong";
import type { View } from "./shared";

/** Everything that was taught, asked again. */
export function Check(props: View) {
  const [progress, setProgress] = useState<Progress | null>(null);
  const [busy, setBusy] = useState(false);
  const [found, setFound] = useState<{ report: Report; branch: string } | null>(null);
  const [error, setError] = useState<unknown>(null);
  const { branch } = props;

  const run = async () => {
    setBusy(true);
    setError(null);
    setProgress(null);
    try {
      const report = await check(branch.name, setProgress);
      setFound({ report, branch: branch.name });
      announce(report.passed ? "Everything holds" : `${report.broken.length} broken`);
    } catch (caught) {
      setError(caught);
    }
    setBusy(false);
  };

  return (
    <section hidden={!props.shown} aria-labelledby="check-title">
      <Lead id="check-title" title="Check">
        <p>
          Asks everything that was taught on <b>{branch.name}</b>, your own probes, and questions that must
          stay as they were. What is known and cannot have changed is not asked again.
        </p>
      </Lead>
      {!props.mayEdit && <NeedsEdit caller={props.console.caller} />}
      <div className="actions">
        <button type="button" className="main" disabled={busy || !props.mayEdit} onClick={() => void run()}>
          {busy ? "Checking…" : "Check now"}
        </button>
      </div>
      {busy && <Meter progress={progress} label="Checking" />}
      <Wrong error={error} />
      {found && !busy && <ReportNote {...found} changed={props.changed} />}
      {props.mayEdit && (
        <>
          <Conflicts branch={branch.name} changed={props.changed} />
          <GateNote shown={props.shown} />
        </>
      )}
    </section>
  );
}
