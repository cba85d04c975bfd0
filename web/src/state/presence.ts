/** Who is here and what they look at: the awareness of one room that has no document. It never reaches the log. */
import { useEffect, useState } from "react";
import { WebsocketProvider } from "y-websocket";
import { Doc } from "yjs";
import { socketBase } from "../api/api.ts";
import { useStore } from "./store.ts";

export interface Person {
  readonly name: string;
  readonly color: string;
  /** The same colour, thin: behind selected text. */
  readonly colorLight: string;
}

export interface Present extends Person {
  readonly client: number;
  readonly me: boolean;
  readonly looksAt: string | null;
}

// Told apart from one another and from the colours that mean something here (alarm, estimate, forecast).
const inks = ["#7a5af0", "#c2418f", "#2b78d4", "#5d8a1f", "#8a6d3b", "#a04bd1", "#3f7f6f", "#d05a83"];
const ways = ["Calm", "Brisk", "Early", "Northern", "Quiet", "Steady", "Bright", "Patient"];
const birds = ["Kestrel", "Heron", "Swift", "Lapwing", "Curlew", "Plover", "Wren", "Osprey"];
const any = <T>(from: readonly T[]): T => from[Math.floor(Math.random() * from.length)]!;

function introduce(): Person {
  const kept = JSON.parse(localStorage.getItem("ectype.person") ?? "null") as Partial<Person> | null;
  const color = kept?.color ?? any(inks);
  const person = { name: kept?.name ?? `${any(ways)} ${any(birds)}`, color, colorLight: `${color}33` };
  localStorage.setItem("ectype.person", JSON.stringify(person));
  return person;
}

let me = introduce();
const hearing = new Set<() => void>();

export const myself = (): Person => me;

/** Changes my name, here and for everybody else. */
export function rename(name: string): void {
  me = { ...me, name: name.trim().slice(0, 40) || me.name };
  localStorage.setItem("ectype.person", JSON.stringify(me));
  for (const hear of hearing) hear();
}

/** Calls `hear` whenever I change my name, until the returned function is called. */
export function onRename(hear: () => void): () => void {
  hearing.add(hear);
  return () => hearing.delete(hear);
}

export function usePresence(): readonly Present[] {
  const [present, setPresent] = useState<readonly Present[]>([]);
  useEffect(() => {
    const doc = new Doc();
    const provider = new WebsocketProvider(`${socketBase}/api/rooms`, "presence", doc, { disableBc: true });
    const { awareness } = provider;
    const tell = (): void => {
      awareness.setLocalState({ user: me, looksAt: useStore.getState().selected });
    };
    const read = (): void => {
      const all: Present[] = [];
      for (const [client, state] of awareness.getStates()) {
        const user = state.user as Person | undefined;
        if (!user?.name) continue;
        all.push({ ...user, client, me: client === doc.clientID, looksAt: (state.looksAt as string | null) ?? null });
      }
      setPresent(all.sort((a, b) => Number(b.me) - Number(a.me) || a.client - b.client));
    };
    awareness.on("change", read);
    const offName = onRename(tell);
    const offStore = useStore.subscribe((now, before) => {
      if (now.selected !== before.selected) tell();
    });
    tell();
    return () => {
      offName();
      offStore();
      provider.destroy();
      doc.destroy();
    };
  }, []);
  return present;
}
