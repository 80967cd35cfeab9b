import { useCallback, useEffect, useState } from "react";
import { standing } from "./api/console";
import { useLoaded } from "./hooks/useLoaded";
import { usePlace } from "./hooks/usePlace";
import { Help } from "./parts/Help";
import { KeyDialog } from "./parts/KeyDialog";
import { Live } from "./parts/Live";
import { Top } from "./parts/Top";
import { Wrong } from "./parts/Wrong";
import { commanded, takesLetters } from "./pure/keyboard";
import { Ask } from "./views/Ask";
import { Check } from "./views/Check";
import { Log } from "./views/Log";
import { Plots } from "./views/Plots";
import { Teach } from "./views/Teach";
import type { View } from "./views/shared";

/** The frame: where the server stands, which view is shown, what keys do. */
export function App() {
  const [place, go] = usePlace();
  const [help, setHelp] = useState(false);
  const [chosen, setChosen] = useState<string | null>(null);
  const [prompt, setPrompt] = useState("");
  const { value, error, again } = useLoaded(standing, true);

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const command = commanded(event, takesLetters(document.activeElement));
      if (command === null) return;
      event.preventDefault();
      if (command === "help") setHelp(true);
      else go(command.go, command.focus);
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [go]);

  const teach = useCallback(
    (asked: string) => {
      setPrompt(asked);
      go("teach", "teach-target");
    },
    [go],
  );

  const branch =
    value?.branches.find((each) => each.name === chosen) ?? value?.branches.find((each) => each.default);
  const view =
    value && branch
      ? (name: typeof place): View => ({
          shown: place === name,
          console: value,
          branch,
          mayEdit: value.caller.role !== "ask",
          changed: again,
          go,
        })
      : null;

  return (
    <>
      <a
        className="skip"
        href={`#${place}`}
        onClick={() => document.querySelector<HTMLElement>("main")?.focus()}
      >
        Skip to the content
      </a>
      <Top
        place={place}
        console={value}
        branch={branch ?? null}
        onBranch={setChosen}
        onHelp={() => setHelp(true)}
      />
      <main tabIndex={-1}>
        <Wrong error={error} again={again} />
        {view && (
          <>
            <Ask {...view("ask")} teach={teach} />
            <Teach {...view("teach")} asked={prompt} />
            <Log {...view("log")} />
            <Check {...view("check")} />
            <Plots {...view("plots")} />
          </>
        )}
      </main>
      <Live />
      <KeyDialog />
      {help && <Help onClose={() => setHelp(false)} />}
    </>
  );
}
