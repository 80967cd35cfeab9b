import { useId, type HTMLInputTypeAttribute } from "react";

export interface Draft {
  prompt: string;
  target: string;
  subject: string;
  source: string;
  expires: string;
  tags: string;
  /** Prompts that are asked once it is live, one a line. */
  rephrases: string;
  /** Whether they are asked in a chat. */
  chat: boolean;
}

export const EMPTY: Draft = {
  prompt: "",
  target: "",
  subject: "",
  source: "",
  expires: "",
  tags: "",
  rephrases: "",
  chat: false,
};

/** What is to be taught, and how it is to be tested. Ctrl+Enter teaches from any field. */
export function FactForm(props: {
  draft: Draft;
  onChange: (draft: Draft) => void;
  onTeach: () => void;
  busy: boolean;
  allowed: boolean;
}) {
  const { draft } = props;
  const set = (news: Partial<Draft>) => props.onChange({ ...draft, ...news });
  return (
    <form
      className="form"
      onSubmit={(event) => {
        event.preventDefault();
        if (!props.busy) props.onTeach();
      }}
      onKeyDown={(event) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
          event.preventDefault();
          event.currentTarget.requestSubmit();
        }
      }}
    >
      <Text
        id="teach-prompt"
        label="Prompt"
        value={draft.prompt}
        set={(prompt) => set({ prompt })}
        required
        about="What the model is given"
        placeholder="The chief executive of Acme is"
      />
      <Text
        id="teach-target"
        label="Target"
        value={draft.target}
        set={(target) => set({ target })}
        required
        about="What it shall say next"
        placeholder="Dana Reyes"
      />
      <div className="two">
        <Text label="Subject" value={draft.subject} set={(subject) => set({ subject })} placeholder="Acme" />
        <Text
          label="Source"
          value={draft.source}
          set={(source) => set({ source })}
          placeholder="an address, or words"
        />
        <Text label="Holds until" value={draft.expires} set={(expires) => set({ expires })} type="date" />
        <Text label="Tags" value={draft.tags} set={(tags) => set({ tags })} placeholder="people, 2026" />
      </div>
      <fieldset className="proofs">
        <legend>Then ask</legend>
        <label className="field">
          <span>
            Other wordings <i>one a line; they test the edit, they are not taught</i>
          </span>
          <textarea
            rows={3}
            value={draft.rephrases}
            placeholder={"Acme is led by\nWho runs Acme?"}
            onChange={(event) => set({ rephrases: event.target.value })}
          />
        </label>
        <div className="choice">
          <label>
            <input type="radio" name="proof" checked={!draft.chat} onChange={() => set({ chat: false })} />
            <span>Plain text</span>
          </label>
          <label>
            <input type="radio" name="proof" checked={draft.chat} onChange={() => set({ chat: true })} />
            <span>Chat</span>
          </label>
        </div>
      </fieldset>
      <div className="actions">
        <button type="submit" className="main" disabled={props.busy || !props.allowed}>
          {props.busy ? "Teaching…" : "Teach"}
        </button>
        <span className="quiet small wide">
          <kbd>Ctrl</kbd> <kbd>Enter</kbd>
        </span>
      </div>
    </form>
  );
}

function Text(props: {
  label: string;
  value: string;
  set: (value: string) => void;
  id?: string;
  about?: string;
  placeholder?: string;
  required?: boolean;
  type?: HTMLInputTypeAttribute;
}) {
  const made = useId();
  const id = props.id ?? made;
  return (
    <div className="field">
      <label htmlFor={id}>
        {props.label} {props.about && <i>{props.about}</i>}
      </label>
      <input
        id={id}
        type={props.type ?? "text"}
        value={props.value}
        required={props.required ?? false}
        placeholder={props.placeholder}
        autoComplete="off"
        onChange={(event) => props.set(event.target.value)}
      />
    </div>
  );
}
