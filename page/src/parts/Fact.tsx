import { Icon } from "./Icon";

/** What an edit teaches: a prompt, and what shall follow it. */
export function Fact({ prompt, target }: { prompt: string; target: string }) {
  return (
    <span className="fact">
      <span className="fact-prompt">{prompt}</span>
      <span className="fact-target">
        <Icon name="arrow" />
        <span className="unseen"> gives </span>
        {target}
      </span>
    </span>
  );
}
