import type { Answered } from "../api/types";
import { ceiling, histogram } from "../pure/numbers";
import { counted } from "../pure/text";
import { decimals } from "../pure/verdict";
import { Across, scale } from "./Axes";
import { Figure } from "./Figure";

const BINS = 25;

/** How well the nearest edit fitted each prompt, against the score it fires from. */
export function Scores({ answers, threshold }: { answers: readonly Answered[]; threshold: number | null }) {
  const judged = answers.filter((each) => each.score !== null);
  const fired = judged.filter((each) => each.fired);
  const all = histogram(
    judged.map((each) => each.score!),
    BINS,
  );
  const hot = histogram(
    fired.map((each) => each.score!),
    BINS,
  );
  return (
    <Figure
      title="Scores"
      says={
        judged.length === 0
          ? "No prompt was judged yet."
          : `Edits fired on ${fired.length} of ${counted(judged.length, "judged prompt")}.`
      }
      empty={judged.length === 0}
      columns={["score from", "prompts", "fired"]}
      rows={all.flatMap((count, at) => (count > 0 ? [[(at / BINS).toFixed(2), count, hot[at]!]] : []))}
    >
      {(area) => {
        const most = ceiling(Math.max(...all), 4);
        const x = scale(0, 1, area.width);
        const y = scale(0, most, area.height);
        const width = Math.max(1, area.width / BINS - 2);
        return (
          <>
            <Across area={area} low={0} high={most} written={whole} />
            {all.map((count, at) => (
              <g key={at} transform={`translate(${x(at / BINS) + 1} 0)`}>
                <rect className="bar" width={width} y={area.height - y(count)} height={y(count)} />
                <rect
                  className="bar fired"
                  width={width}
                  y={area.height - y(hot[at]!)}
                  height={y(hot[at]!)}
                />
              </g>
            ))}
            <g className="axis">
              {[0, 0.5, 1].map((value) => (
                <text
                  key={value}
                  x={x(value)}
                  y={area.height + 18}
                  textAnchor={value === 0 ? "start" : value === 1 ? "end" : "middle"}
                >
                  {value}
                </text>
              ))}
            </g>
            {threshold !== null && (
              <g className="threshold" transform={`translate(${x(threshold)} 0)`}>
                <line y1={-16} y2={area.height} />
                <text x={threshold > 0.6 ? -6 : 6} y={-7} textAnchor={threshold > 0.6 ? "end" : "start"}>
                  fires from {decimals(threshold)}
                </text>
              </g>
            )}
          </>
        );
      }}
    </Figure>
  );
}

function whole(value: number): string {
  return Number.isInteger(value) ? String(value) : "";
}
