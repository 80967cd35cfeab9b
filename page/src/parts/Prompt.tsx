import { useLayoutEffect, useRef } from "react";

/** Where the question is written: Enter asks, Shift+Enter begins a line; it grows with its text. */
export function Prompt(props: {
  value: string;
  onChange: (value: string) => void;
  onAsk: () => void;
  chat: boolean;
}) {
  const ref = useRef<HTMLTextAreaElement>(null);
  useLayoutEffect(() => {
    const area = ref.current!;
    area.style.height = "auto";
    area.style.height = `${area.scrollHeight}px`;
  }, [props.value]);
  return (
    <textarea
      ref={ref}
      id="ask-prompt"
      className="prompt"
      rows={1}
      autoFocus
      aria-label="Prompt"
      placeholder={props.chat ? "Who is the chief executive of Acme?" : "The chief executive of Acme is"}
      value={props.value}
      onChange={(event) => props.onChange(event.target.value)}
      onKeyDown={(event) => {
        if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
        event.preventDefault();
        props.onAsk();
      }}
    />
  );
}
