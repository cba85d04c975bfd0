/** The live feed: one WebSocket that follows the log, reconnects by itself and resumes where it stopped. */
import { type FeedFrame, getSpace, socketBase } from "./api.ts";
import { backoff, step } from "./resume.ts";

export type Link = "connecting" | "live" | "catching-up" | "offline";

export interface FeedEvents {
  /** A frame with entries not seen before, in log order. */
  frame(frame: FeedFrame): void;
  link(link: Link): void;
  /** The node's log is not the one we followed (it is shorter): everything has to be read again. Returns the new start. */
  reload(): Promise<number>;
}

/** Follows the log from entry `start` on until the returned function is called. */
export function follow(start: number, events: FeedEvents): () => void {
  let next = start;
  let tries = 0;
  let socket: WebSocket | null = null;
  let timer = 0;
  let over = false;

  const again = (): void => {
    if (over) return;
    window.clearTimeout(timer);
    timer = window.setTimeout(open, backoff(tries, Math.random()));
    tries += 1;
  };

  const open = async (): Promise<void> => {
    window.clearTimeout(timer);
    if (over || socket) return;
    try {
      const { size } = await getSpace();
      if (size < next) next = await events.reload();
      if (over || socket) return;
      events.link(size > next ? "catching-up" : "live");
    } catch {
      events.link("offline");
      again();
      return;
    }
    const mine = new WebSocket(`${socketBase}/api/feed?from=${next}`);
    socket = mine;
    mine.onopen = () => {
      tries = 0;
    };
    mine.onmessage = (message: MessageEvent<string>) => {
      if (socket !== mine) return;
      const frame = JSON.parse(message.data) as FeedFrame;
      const judged = step(next, frame);
      if (judged.what === "gap") {
        mine.close(); // onclose asks again from `next`
        return;
      }
      if (judged.what === "take") {
        next = judged.next;
        events.frame(judged.frame);
      }
      events.link(frame.size > frame.next ? "catching-up" : "live");
    };
    mine.onclose = () => {
      if (socket !== mine) return;
      socket = null;
      if (over) return;
      events.link("offline");
      again();
    };
  };

  const now = (): void => {
    if (!socket && document.visibilityState === "visible") {
      tries = 0;
      void open();
    }
  };
  window.addEventListener("online", now);
  document.addEventListener("visibilitychange", now);
  void open();
  return () => {
    over = true;
    window.clearTimeout(timer);
    window.removeEventListener("online", now);
    document.removeEventListener("visibilitychange", now);
    socket?.close();
  };
}
