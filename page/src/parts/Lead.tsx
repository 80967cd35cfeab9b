import type { ReactNode } from "react";

/** How a view begins. */
export function Lead(props: { id: string; title: string; children?: ReactNode }) {
  return (
    <header className="lead">
      <h1 id={props.id} tabIndex={-1}>
        {props.title}
      </h1>
      {props.children}
    </header>
  );
}
