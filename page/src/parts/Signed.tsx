import type { Row } from "../api/types";
import { short } from "../pure/text";
import { Fact } from "./Fact";

const WORDS = { "+": "brought", "−": "taken", "~": "changed" } as const;

/** An edit that came, went or changed. */
export function Signed({ sign, row, was }: { sign: keyof typeof WORDS; row: Row; was?: string }) {
  const kind = { "+": "plus", "−": "minus", "~": "turned" }[sign];
  return (
    <li className={kind}>
      <span className="sign" aria-label={WORDS[sign]}>
        {sign}
      </span>
      <span>
        <Fact prompt={row.prompt} target={row.target} />
        {was !== undefined && <span className="quiet"> was {was}</span>}
      </span>
      <code>{short(row.id)}</code>
    </li>
  );
}
