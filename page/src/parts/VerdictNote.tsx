import { useCallback } from "react";
import { edit as oneEdit } from "../api/edits";
import type { Verdict } from "../api/types";
import { useLoaded } from "../hooks/useLoaded";
import { decimals, headline, reasons } from "../pure/verdict";
import { short } from "../pure/text";
import { Fact } from "./Fact";
import { ScoreBar } from "./ScoreBar";

/** Which edit fired, how strongly, and why. */
export function VerdictNote({ verdict }: { verdict: Verdict }) {
  const why = reasons(verdict.evidence);
  const { edit, score, threshold } = verdict;
  const judged = edit !== null && score !== null && threshold !== null ? { score, threshold } : null;
  return (
    <section className={verdict.fired ? "verdict fired" : "verdict"} aria-label="Which edit fired">
      <div className="verdict-head">
        <h3>{headline(verdict)}</h3>
        {judged && <span className="number">score {decimals(judged.score)}</span>}
      </div>
      {edit !== null && <Taught id={edit} branch={verdict.branch} />}
      {judged && <ScoreBar {...judged} fired={verdict.fired} />}
      {why.length > 0 && (
        <dl className="evidence">
          {why.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      <p className="quiet small">
        {verdict.branch} at <code>{short(verdict.commit)}</code>
      </p>
    </section>
  );
}

function Taught({ id, branch }: { id: string; branch: string }) {
  const { value } = useLoaded(
    useCallback(() => oneEdit(id, branch), [id, branch]),
    true,
  );
  return value && <Fact prompt={value.prompt} target={value.target} />;
}
