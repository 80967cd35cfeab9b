import type { Proof } from "../hooks/useProof";
import { decimals } from "../pure/verdict";
import { Icon } from "./Icon";
import { Wrong } from "./Wrong";

const WORDS = { waiting: "waiting", asking: "asking…", failed: "not asked" } as const;

/** Prompts, what was answered, and whether it is what was taught. */
export function ProofList({ proofs, target }: { proofs: Proof[]; target: string }) {
  return (
    <ul className="proof" aria-label={`Does it say ${target}?`}>
      {proofs.map((each) => (
        <li key={each.prompt} className={mark(each)}>
          <span className="proof-mark">
            {each.stage === "asked" && <Icon name={each.holds ? "check" : "cross"} />}
            <span className="unseen">
              {each.stage === "asked" ? (each.holds ? "Holds: " : "Missed: ") : ""}
            </span>
          </span>
          <div>
            <p className="proof-prompt">{each.prompt}</p>
            {each.stage === "asked" ? (
              <p className="proof-text">{each.text || "The model ends at once."}</p>
            ) : (
              <p className="quiet small">{WORDS[each.stage]}</p>
            )}
            <Wrong error={each.error} />
          </div>
          <span className="quiet small number">
            {each.verdict?.score != null &&
              `${each.verdict.fired ? "fired" : "not fired"} ${decimals(each.verdict.score)}`}
          </span>
        </li>
      ))}
    </ul>
  );
}

function mark(proof: Proof): string {
  if (proof.stage !== "asked") return "open";
  return proof.holds ? "holds" : "missed";
}
