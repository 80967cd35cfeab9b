import { describe, expect, it } from "vitest";
import { events } from "../api/sse";
import type { Commit, Verdict } from "../api/types";
import { liveOverTime } from "./history";
import { commanded } from "./keyboard";
import { ceiling, histogram, quantile, ticks } from "./numbers";
import { beginsWith, contains, listed } from "./text";
import { headline, reasons } from "./verdict";

function stream(...parts: string[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    start(controller) {
      for (const part of parts) controller.enqueue(encoder.encode(part));
      controller.close();
    },
  });
}

async function all<T>(from: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const each of from) found.push(each);
  return found;
}

describe("server-sent events", () => {
  it("are put together from parts that end anywhere", async () => {
    const told = await all(
      events(stream("event: pro", 'gress\r\ndata: {"a"', ":1}\r\n\r\n: ping\n\ndata: x\ndata: y\n\n")),
    );
    expect(told).toEqual([
      { event: "progress", data: '{"a":1}' },
      { event: "message", data: "x\ny" },
    ]);
  });

  it("that were cut off are not told", async () => {
    expect(await all(events(stream("data: whole\n\ndata: half")))).toEqual([
      { event: "message", data: "whole" },
    ]);
  });
});

describe("an answer", () => {
  it("begins with the target, as whole words", () => {
    expect(beginsWith(" “Dana Reyes”, who", "dana reyes")).toBe(true);
    expect(beginsWith("Danae", "Dana")).toBe(false);
    expect(beginsWith("Dana", "")).toBe(false);
  });

  it("holds the target, as whole words", () => {
    expect(contains("It is Dana Reyes.", "Dana Reyes")).toBe(true);
    expect(contains("It is Élodie", "lodie")).toBe(false);
    expect(contains("costs $5 (net)", "$5 (net)")).toBe(true);
  });
});

describe("a verdict", () => {
  const verdict: Verdict = {
    edit: "3fa9c2d1e0aa",
    score: 0.98,
    threshold: 0.5,
    fired: true,
    evidence: { words: ["Acme", "Corp"], same_prompt: true },
    commit: "c",
    branch: "main",
  };

  it("names the edit that fired, or the nearest", () => {
    expect(headline(verdict)).toBe("Edit 3fa9c2d1e0 fired");
    expect(headline({ ...verdict, fired: false })).toBe("No edit fired; nearest 3fa9c2d1e0");
    expect(headline({ ...verdict, edit: null, fired: false })).toBe("No stored edit is about this");
  });

  it("tells its reasons", () => {
    expect(reasons(verdict.evidence)).toEqual([
      ["words", "Acme Corp"],
      ["same prompt", "true"],
    ]);
  });
});

describe("numbers", () => {
  it("have round ticks inside their range", () => {
    expect(ticks(0, 1, 4)).toEqual([0, 0.5, 1]);
    expect(ticks(0, 0.23, 4)).toEqual([0, 0.1, 0.2]);
    expect(ticks(3, 3, 4)).toEqual([3]);
  });

  it("lie below a round one", () => {
    expect(ceiling(23, 4)).toBe(30);
    expect(ceiling(8, 4)).toBe(8);
    expect(ceiling(0, 4)).toBe(1);
  });

  it("have quantiles", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([], 0.5)).toBeNull();
  });

  it("are counted with both ends", () => {
    expect(histogram([0, 0.49, 0.5, 1], 2)).toEqual([2, 2]);
  });
});

it("edits in force are counted back from now", () => {
  const commit = (time: string, add: number, remove: number) =>
    ({ time, add: Array(add).fill({}), remove: Array(remove).fill({}) }) as unknown as Commit;
  const told = liveOverTime([commit("c", 0, 1), commit("b", 2, 0), commit("a", 1, 0)], 2);
  expect(told).toEqual([
    { time: "a", edits: 1 },
    { time: "b", edits: 3 },
    { time: "c", edits: 2 },
  ]);
});

it("keys command nothing while something is typed", () => {
  const pressed = { key: "e", ctrlKey: false, metaKey: false, altKey: false };
  expect(commanded(pressed, false)).toEqual({ go: "teach", focus: "teach-prompt" });
  expect(commanded(pressed, true)).toBeNull();
  expect(commanded({ ...pressed, ctrlKey: true }, false)).toBeNull();
});

it("lists leave out what is empty", () => {
  expect(listed(" a, ,b,")).toEqual(["a", "b"]);
});
