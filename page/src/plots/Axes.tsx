import { ticks } from "../pure/numbers";
import { onAxis } from "../pure/time";
import type { Area } from "./Figure";

/** From a range of values to pixels. */
export function scale(low: number, high: number, pixels: number): (value: number) => number {
  return (value) => (high === low ? pixels / 2 : ((value - low) / (high - low)) * pixels);
}

/** Lines across, with their values at the left. */
export function Across(props: { area: Area; low: number; high: number; written: (value: number) => string }) {
  const { area, low, high } = props;
  const y = scale(low, high, area.height);
  return (
    <g className="axis">
      {ticks(low, high, 4).map((value) => (
        <g key={value} transform={`translate(0 ${area.height - y(value)})`}>
          <line x2={area.width} />
          <text x={-8} dy="0.32em" textAnchor="end">
            {props.written(value)}
          </text>
        </g>
      ))}
    </g>
  );
}

/** Times below: the first, the last, and one between where there is room. */
export function Times({ area, low, high }: { area: Area; low: number; high: number }) {
  const middle = area.width > 360 ? [(low + high) / 2] : [];
  const shown = high === low ? [low] : [low, ...middle, high];
  const x = scale(low, high, area.width);
  return (
    <g className="axis">
      {shown.map((time, at) => (
        <text
          key={time}
          x={x(time)}
          y={area.height + 18}
          textAnchor={
            high === low ? "middle" : at === 0 ? "start" : at === shown.length - 1 ? "end" : "middle"
          }
        >
          {onAxis(time, high - low)}
        </text>
      ))}
    </g>
  );
}

/** The lowest and the highest of some numbers. */
export function span(values: readonly number[]): [number, number] {
  return [Math.min(...values), Math.max(...values)];
}
