import { useState } from "react";
import { Lead } from "../parts/Lead";
import { NeedsEdit } from "../parts/NeedsEdit";
import { Commits } from "./log/Commits";
import { Compare } from "./log/Compare";
import { Edits } from "./log/Edits";
import type { View } from "./shared";

const PARTS = { edits: "Edits", commits: "Commits", compare: "Compare" } as const;

type Part = keyof typeof PARTS;

/** What was taught, what was committed, and what two states do not share. */
export function Log(props: View) {
  const [part, setPart] = useState<Part>("edits");
  return (
    <section hidden={!props.shown} aria-labelledby="log-title">
      <Lead id="log-title" title="Log">
        <fieldset className="choice">
          <legend className="unseen">What is listed</legend>
          {(Object.keys(PARTS) as Part[]).map((each) => (
            <label key={each}>
              <input type="radio" name="part" checked={part === each} onChange={() => setPart(each)} />
              <span>{PARTS[each]}</span>
            </label>
          ))}
        </fieldset>
      </Lead>
      {!props.mayEdit && <NeedsEdit caller={props.console.caller} />}
      {props.mayEdit && part === "edits" && <Edits {...props} />}
      {props.mayEdit && part === "commits" && <Commits {...props} />}
      {props.mayEdit && part === "compare" && <Compare {...props} />}
    </section>
  );
}
