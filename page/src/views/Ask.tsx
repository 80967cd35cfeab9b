import { useState } from "react";
import { announce } from "../hooks/announce";
import { useAnswer, type Asking } from "../hooks/useAnswer";
import { NeedsEdit } from "../parts/NeedsEdit";
import { Prompt } from "../parts/Prompt";
import { VerdictNote } from "../parts/VerdictNote";
import { Wrong } from "../parts/Wrong";
import { headline } from "../pure/verdict";
import { duration } from "../pure/time";
import { counted } from "../pure/text";
import type { View } from "./shared";

/** Questions that are remembered while the page is open. */
const MOST = 12;

interface Asked {
  prompt: string;
  answer: string;
  fired: boolean;
}

/** One prompt, asked with edits on and off, side by side. */
export function Ask(props: View & { teach: (prompt: string) => void }) {
  const [prompt, setPrompt] = useState("");
  const [chat, setChat] = useState(true);
  const [maxTokens, setMaxTokens] = useState(64);
  const [temperature, setTemperature] = useState(0);
  const [asked, setAsked] = useState<string | null>(null);
  const [past, setPast] = useState<Asked[]>([]);
  const on = useAnswer();
  const off = useAnswer();
  const busy = on.busy || off.busy;

  const ask = (text = prompt.trim()) => {
    if (text === "") return;
    const question = { prompt: text, chat, model: props.branch.model, maxTokens, temperature };
    setAsked(text);
    void on.ask({ ...question, edits: true, explain: props.mayEdit }).then((answer) => {
      if (answer.stage !== "done") return;
      announce(`${answer.text}. ${answer.verdict ? headline(answer.verdict) : ""}`);
      const now = { prompt: text, answer: answer.text, fired: answer.verdict?.fired ?? false };
      setPast((old) => [now, ...old.filter((each) => each.prompt !== text)].slice(0, MOST));
    });
    if (props.mayEdit) void off.ask({ ...question, edits: false, explain: false });
  };
  const stop = () => {
    on.stop();
    off.stop();
  };

  return (
    <section
      hidden={!props.shown}
      aria-labelledby="ask-title"
      onKeyDown={(event) => event.key === "Escape" && stop()}
    >
      <h1 id="ask-title" className="unseen">
        Ask
      </h1>
      <form
        className="ask"
        onSubmit={(event) => {
          event.preventDefault();
          ask();
        }}
      >
        <Prompt value={prompt} onChange={setPrompt} onAsk={() => ask()} chat={chat} />
        <div className="ask-row">
          <fieldset className="choice">
            <legend className="unseen">How it is asked</legend>
            <label>
              <input type="radio" name="how" checked={chat} onChange={() => setChat(true)} />
              <span>Chat</span>
            </label>
            <label>
              <input type="radio" name="how" checked={!chat} onChange={() => setChat(false)} />
              <span>Plain text</span>
            </label>
          </fieldset>
          <label className="inline">
            <span>Tokens</span>
            <input
              type="number"
              className="number"
              min={1}
              max={props.console.limits.max_tokens}
              required
              value={maxTokens}
              onChange={(event) => setMaxTokens(event.target.valueAsNumber)}
            />
          </label>
          <label className="inline">
            <span>Temperature</span>
            <input
              type="number"
              className="number"
              min={0}
              max={2}
              step={0.1}
              required
              value={temperature}
              onChange={(event) => setTemperature(event.target.valueAsNumber)}
            />
          </label>
          <span className="push" />
          {busy ? (
            <button type="button" className="plain" onClick={stop}>
              Stop
            </button>
          ) : (
            <button type="submit" className="main" disabled={prompt.trim() === ""}>
              {props.mayEdit ? "Ask both" : "Ask"}
            </button>
          )}
        </div>
      </form>
      {!props.mayEdit && <NeedsEdit caller={props.console.caller} />}
      <div className={props.mayEdit ? "pair" : "pair single"}>
        <Column title="With edits" name="on" answer={on} again={() => ask()}>
          {on.verdict && <VerdictNote verdict={on.verdict} />}
          {on.stage === "done" && props.mayEdit && asked !== null && !on.verdict?.fired && (
            <p className="hint">
              Not what it should say?{" "}
              <button type="button" className="link" onClick={() => props.teach(asked)}>
                Teach it
              </button>
            </p>
          )}
        </Column>
        {props.mayEdit && <Column title="Without" name="off" answer={off} again={() => ask()} />}
      </div>
      <Before
        past={past.filter((each) => each.prompt !== asked)}
        onAsk={(text) => {
          setPrompt(text);
          ask(text);
        }}
      />
    </section>
  );
}

/** What was asked before, to be asked again: after an edit, say. */
function Before({ past, onAsk }: { past: Asked[]; onAsk: (prompt: string) => void }) {
  if (past.length === 0) return null;
  return (
    <section className="before" aria-labelledby="before-title">
      <h2 id="before-title">Asked before</h2>
      <ul>
        {past.map((each) => (
          <li key={each.prompt}>
            <button type="button" onClick={() => onAsk(each.prompt)}>
              <span className="before-prompt">{each.prompt}</span>
              <span className={each.fired ? "before-said fired" : "before-said"}>{each.answer.trim()}</span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Column(props: {
  title: string;
  name: string;
  answer: Asking;
  again: () => void;
  children?: React.ReactNode;
}) {
  const { answer } = props;
  const id = `answer-${props.name}`;
  return (
    <article className={`answer ${props.name}`} aria-labelledby={id} aria-busy={answer.busy}>
      <header>
        <h2 id={id}>{props.title}</h2>
        <span className="quiet small number">{timing(answer)}</span>
      </header>
      <Said answer={answer} />
      {answer.stage === "failed" && <Wrong error={answer.error} again={props.again} />}
      {props.children}
    </article>
  );
}

function Said({ answer }: { answer: Asking }) {
  if (answer.stage === "none") return <p className="said nothing">The answer appears here.</p>;
  if (answer.stage === "failed" && answer.text === "") return null;
  if (answer.stage === "done" && answer.text.trim() === "") {
    return <p className="said nothing">The model ends at once.</p>;
  }
  return (
    <p className="said">
      {answer.text.trimStart()}
      {answer.busy && <span className="caret" aria-hidden="true" />}
      {answer.cut && <span className="quiet"> […]</span>}
    </p>
  );
}

function timing(answer: Asking): string {
  if (answer.stage === "waiting") return "waiting…";
  const told = [];
  if (answer.stage === "stopped") told.push("stopped");
  if (answer.tokens !== null) told.push(counted(answer.tokens, "token"));
  if (answer.firstToken !== null) told.push(`first after ${duration(answer.firstToken)}`);
  if (answer.seconds !== null) told.push(`all after ${duration(answer.seconds)}`);
  return told.join(" · ");
}
