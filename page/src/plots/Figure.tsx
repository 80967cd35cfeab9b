import type { ReactNode } from "react";
import { useWidth } from "../hooks/useWidth";

/** Room around what is drawn, in pixels. */
export const ROOM = { left: 44, right: 12, top: 24, bottom: 26 };
const HEIGHT = 208;

export interface Area {
  width: number;
  height: number;
}

/** A plot with its title, what it says in words, and its numbers for those who want them. */
export function Figure(props: {
  title: string;
  says: string;
  empty: boolean;
  columns: string[];
  rows: (string | number)[][];
  children: (area: Area) => ReactNode;
}) {
  const [width, ref] = useWidth();
  const area = { width: width - ROOM.left - ROOM.right, height: HEIGHT - ROOM.top - ROOM.bottom };
  return (
    <figure className="plot">
      <figcaption>
        <h2>{props.title}</h2>
        <p className="quiet">{props.says}</p>
      </figcaption>
      <div ref={ref} className="plot-room">
        {!props.empty && width > 0 && (
          <svg width={width} height={HEIGHT} role="img" aria-label={`${props.title}: ${props.says}`}>
            <g transform={`translate(${ROOM.left} ${ROOM.top})`}>{props.children(area)}</g>
          </svg>
        )}
      </div>
      {!props.empty && (
        <details>
          <summary>Numbers</summary>
          <div className="numbers" tabIndex={0} role="region" aria-label={`Numbers of ${props.title}`}>
            <table>
              <thead>
                <tr>
                  {props.columns.map((name) => (
                    <th key={name} scope="col">
                      {name}
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {props.rows.map((row, at) => (
                  <tr key={at}>
                    {row.map((cell, place) => (
                      <td key={place}>{cell}</td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        </details>
      )}
    </figure>
  );
}
