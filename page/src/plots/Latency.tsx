import type { Answered } from "../api/types";
import { ceiling, quantile } from "../pure/numbers";
import { duration, moment } from "../pure/time";
import { Across, scale, span, Times } from "./Axes";
import { Figure } from "./Figure";

/** How long answers took, to their first token and as a whole. */
export function Latency({ answers }: { answers: readonly Answered[] }) {
  const whole = answers.map((each) => each.seconds);
  const first = answers.flatMap((each) =>
    each.first_token_seconds === null ? [] : [each.first_token_seconds],
  );
  return (
    <Figure
      title="Latency"
      says={
        answers.length === 0
          ? "Nothing was asked yet."
          : `Half of the answers begin within ${told(first, 0.5)}, 95 % within ${told(first, 0.95)}; half are whole within ${told(whole, 0.5)}.`
      }
      empty={answers.length === 0}
      columns={["asked", "first token, s", "whole, s", "tokens"]}
      rows={answers.map((each) => [
        moment(each.time * 1000),
        each.first_token_seconds?.toFixed(3) ?? "",
        each.seconds.toFixed(3),
        each.completion_tokens,
      ])}
    >
      {(area) => {
        const [low, high] = span(answers.map((each) => each.time * 1000));
        const most = ceiling(Math.max(...whole), 4);
        const x = scale(low, high, area.width);
        const y = scale(0, most, area.height);
        return (
          <>
            <Across area={area} low={0} high={most} written={(value) => `${value} s`} />
            <Times area={area} low={low} high={high} />
            {answers.map((each, at) => (
              <g key={at} transform={`translate(${x(each.time * 1000)} 0)`}>
                <circle className="point" cy={area.height - y(each.seconds)} r={3} />
                {each.first_token_seconds !== null && (
                  <circle className="point strong" cy={area.height - y(each.first_token_seconds)} r={3} />
                )}
              </g>
            ))}
            <g className="key" transform={`translate(${area.width} -12)`}>
              <circle className="point strong" cx={-140} r={3} />
              <text x={-132} dy="0.32em">
                first token
              </text>
              <circle className="point" cx={-52} r={3} />
              <text x={-44} dy="0.32em">
                whole
              </text>
            </g>
          </>
        );
      }}
    </Figure>
  );
}

function told(values: readonly number[], share: number): string {
  const found = quantile(values, share);
  return found === null ? "no time known" : duration(found);
}
