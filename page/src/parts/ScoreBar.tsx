import { decimals, scored } from "../pure/verdict";

/** A score from 0 to 1 against the threshold it fires from. */
export function ScoreBar(props: { score: number; threshold: number; fired: boolean }) {
  const { score, threshold, fired } = props;
  return (
    <div
      className={fired ? "score fired" : "score"}
      role="meter"
      aria-label="Score"
      aria-valuemin={0}
      aria-valuemax={1}
      aria-valuenow={score}
      aria-valuetext={scored(score, threshold)}
    >
      <div className="score-track">
        <div className="score-fill" style={{ width: `${score * 100}%` }} />
        <div className="score-mark" style={{ left: `${threshold * 100}%` }} />
      </div>
      <div className="score-words">
        <span>
          score <b>{decimals(score)}</b>
        </span>
        <span>fires from {decimals(threshold)}</span>
      </div>
    </div>
  );
}
