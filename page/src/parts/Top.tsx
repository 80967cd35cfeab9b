import type { Branch, Console } from "../api/types";
import { useTheme, type Theme } from "../hooks/useTheme";
import type { Place } from "../pure/keyboard";
import { counted, short } from "../pure/text";
import { Icon } from "./Icon";

const NAMES: [Place, string][] = [
  ["ask", "Ask"],
  ["teach", "Teach"],
  ["log", "Log"],
  ["check", "Check"],
  ["plots", "Plots"],
];

const THEMES: Record<Theme, string> = { system: "as the system", light: "light", dark: "dark" };

/** The name of the house, the views, the branch, and two switches. */
export function Top(props: {
  place: Place;
  console: Console | null;
  branch: Branch | null;
  onBranch: (name: string) => void;
  onHelp: () => void;
}) {
  const { console, branch } = props;
  const [theme, turn] = useTheme();
  return (
    <header className="top">
      <div className="top-name">
        <a href="#ask" className="word">
          memoir
        </a>
        {console && <span className="model">{console.model}</span>}
      </div>
      <nav aria-label="Views">
        {NAMES.map(([place, name]) => (
          <a key={place} href={`#${place}`} aria-current={place === props.place ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <div className="top-side">
        {console && branch && (
          <label className="branch">
            <span className="unseen">Branch</span>
            <select value={branch.name} onChange={(event) => props.onBranch(event.target.value)}>
              {console.branches.map((each) => (
                <option key={each.name}>{each.name}</option>
              ))}
            </select>
            <span className="branch-state" title={branch.commit}>
              <code>{short(branch.commit)}</code> · {counted(branch.edits, "edit")}
            </span>
          </label>
        )}
        <button
          type="button"
          className="round"
          onClick={turn}
          aria-label={`Colours: ${THEMES[theme]}`}
          title={`Colours: ${THEMES[theme]}`}
        >
          <Icon name={theme} />
        </button>
        <button
          type="button"
          className="round"
          onClick={props.onHelp}
          aria-label="Keys and help"
          title="Keys (?)"
        >
          <Icon name="help" />
        </button>
      </div>
    </header>
  );
}
