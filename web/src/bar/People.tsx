/** Who is here and what they look at; my own name can be changed. */
import { useState } from "react";
import { select } from "../state/choose.ts";
import { myself, rename, usePresence } from "../state/presence.ts";
import { Popover } from "./Popover.tsx";

const initials = (name: string): string =>
  name
    .split(/\s+/)
    .map((word) => word[0] ?? "")
    .slice(0, 2)
    .join("")
    .toUpperCase();

export function People() {
  const present = usePresence();
  const [name, setName] = useState(() => myself().name);
  const most = present.slice(0, 4);
  return (
    <div className="people" data-testid="people">
      <Popover
        className="avatars"
        name={`${present.length} here`}
        title="Here now"
        label={
          <>
            {most.map((person) => (
              <span key={person.client} className="avatar" style={{ background: person.color }} data-testid="avatar">
                {initials(person.name)}
              </span>
            ))}
            {present.length > most.length && <span className="avatar is-more">+{present.length - most.length}</span>}
            {present.length === 0 && <span className="avatar is-more">–</span>}
          </>
        }
      >
        <label className="field">
          Your name
          <input
            value={name}
            maxLength={40}
            data-testid="name-input"
            onChange={(event) => setName(event.target.value)}
            onBlur={() => {
              rename(name);
              setName(myself().name);
            }}
            onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
          />
        </label>
        <ul className="present">
          {present.map((person) => (
            <li key={person.client}>
              <span className="avatar" style={{ background: person.color }}>
                {initials(person.name)}
              </span>
              {person.name}
              {person.me ? (
                <small>you</small>
              ) : person.looksAt ? (
                <button type="button" className="quiet" onClick={() => select(person.looksAt)}>
                  at {person.looksAt}
                </button>
              ) : (
                <small>at the farm</small>
              )}
            </li>
          ))}
        </ul>
      </Popover>
    </div>
  );
}
