import type { Standing } from "../pure/history";
import { ceiling } from "../pure/numbers";
import { moment } from "../pure/time";
import { counted } from "../pure/text";
import { Across, scale, span, Times } from "./Axes";
import { Figure } from "./Figure";

/** How many edits were in force, commit by commit. */
export function InForce({ standings, branch }: { standings: readonly Standing[]; branch: string }) {
  const now = standings.at(-1);
  return (
    <Figure
      title="Edits in force"
      says={
        now
          ? `${counted(now.edits, "edit")} in force on ${branch}.`
          : `Nothing was committed on ${branch} yet.`
      }
      empty={!now}
      columns={["committed", "edits"]}
      rows={standings.map((each) => [moment(each.time), each.edits])}
    >
      {(area) => {
        const [low, high] = span(standings.map((each) => Date.parse(each.time)));
        const most = ceiling(Math.max(...standings.map((each) => each.edits)), 4);
        const x = scale(low, high, area.width);
        const y = scale(0, most, area.height);
        const steps = standings
          .map((each, at) => {
            const height = area.height - y(each.edits);
            const place = x(Date.parse(each.time));
            return at === 0 ? `M${place} ${height}` : `H${place}V${height}`;
          })
          .join("");
        return (
          <>
            <Across
              area={area}
              low={0}
              high={most}
              written={(value) => (Number.isInteger(value) ? String(value) : "")}
            />
            <Times area={area} low={low} high={high} />
            <path className="filled" d={`${steps}V${area.height}H${x(Date.parse(standings[0]!.time))}Z`} />
            <path className="line" d={steps} />
            <circle className="point strong" cx={x(high)} cy={area.height - y(now!.edits)} r={3.5} />
          </>
        );
      }}
    </Figure>
  );
}
