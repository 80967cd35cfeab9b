import { useCallback } from "react";
import { edit } from "../api/edits";
import type { Verdict } from "../api/types";
import { useLoaded } from "../hooks/useLoaded";
import { headline, reasons } from "../pure/verdict";
import { short } from "../pure/text";
import { Fact } from "./Fact";
import { ScoreBar } from "./ScoreBar";

/** Which edit fired, how strongly, and why. */
export function VerdictNote({ verdict }: { verdict: Verdict }) {
  const why = reasons(verdict.evidence);
  return (
    <section className={verdict.fired ? "verdict fired" : "verdict"} aria-label="Which edit fired">
      <h3>{headline(verdict)}</h3>
      {verdict.edit !== null && <Taught id={verdict.edit} branch={verdict.branch} />}
      {verdict.score !== null && verdict.threshold !== null && verdict.edit !== null && (
        <ScoreBar score={verdict.score} threshold={verdict.threshold} fired={verdict.fired} />
      )}
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
    useCallback(() => edit(id, branch), [id, branch]),
    true,
  );
  return value && <Fact prompt={value.prompt} target={value.target} />;
}
