import type { PastCheck } from "../api/types";
import { moment } from "../pure/time";
import { short } from "../pure/text";
import { Across, scale, span, Times } from "./Axes";
import { Figure } from "./Figure";

/** The share of edits that were still answered, check by check. */
export function Retention({ checks, branch }: { checks: readonly PastCheck[]; branch: string }) {
  const share = (each: PastCheck) => (each.edits === 0 ? 1 : each.held / each.edits);
  const last = checks.at(-1);
  return (
    <Figure
      title="Retention"
      says={
        last
          ? `${last.held} of ${last.edits} edits were still answered in the last check.`
          : `Nothing was checked on ${branch} yet.`
      }
      empty={!last}
      columns={["checked", "commit", "edits", "held", "broken", "expired"]}
      rows={checks.map((each) => [
        moment(each.time),
        short(each.commit),
        each.edits,
        each.held,
        each.broken,
        each.expired,
      ])}
    >
      {(area) => {
        const [first, end] = span(checks.map((each) => Date.parse(each.time)));
        const lowest = Math.min(...checks.map(share));
        const low = lowest < 0.5 ? 0 : 0.5;
        const x = scale(first, end, area.width);
        const y = scale(low, 1, area.height);
        const points = checks.map(
          (each) => [x(Date.parse(each.time)), area.height - y(share(each))] as const,
        );
        return (
          <>
            <Across area={area} low={low} high={1} written={(value) => `${Math.round(value * 100)} %`} />
            <Times area={area} low={first} high={end} />
            <polyline className="line" points={points.map((point) => point.join(",")).join(" ")} />
            {points.map(([cx, cy], at) => (
              <circle key={at} className="point strong" cx={cx} cy={cy} r={3.5} />
            ))}
          </>
        );
      }}
    </Figure>
  );
}
