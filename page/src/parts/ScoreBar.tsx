import { decimals, scored } from "../pure/verdict";

/** A score from 0 to 1 against the threshold it fires from. */
export function ScoreBar(props: { score: number; threshold: number; fired: boolean }) {
  const { score, threshold, fired } = props;
  const mark = `${threshold * 100}%`;
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
        <div className="score-mark" style={{ left: mark }} />
      </div>
      <div className="score-words" style={{ left: `clamp(3.25rem, ${mark}, 100% - 3.25rem)` }}>
        fires from {decimals(threshold)}
      </div>
    </div>
  );
}
