/** A small button that opens a sheet beneath it; Esc and a click elsewhere close it. */
import { type ReactNode, useId, useRef } from "react";

interface Props {
  readonly label: ReactNode;
  readonly name?: string;
  readonly title: string;
  readonly className?: string;
  readonly onOpen?: () => void;
  readonly children: ReactNode;
}

export function Popover({ label, name, title, className, onOpen, children }: Props) {
  const id = useId();
  const sheet = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <button
        type="button"
        ref={button}
        className={className ?? "quiet"}
        popoverTarget={id}
        {...(name ? { "aria-label": name, title: name } : {})}
      >
        {label}
      </button>
      <div
        id={id}
        ref={sheet}
        popover="auto"
        className="sheet"
        role="dialog"
        aria-label={title}
        onToggle={(event) => {
          if (event.newState !== "open" || !sheet.current || !button.current) return;
          onOpen?.();
          const from = button.current.getBoundingClientRect();
          const width = sheet.current.offsetWidth;
          sheet.current.style.left = `${Math.max(8, Math.min(innerWidth - width - 8, from.left + from.width / 2 - width / 2))}px`;
          const bar = button.current.closest(".bar")?.getBoundingClientRect();
          sheet.current.style.top = `${Math.max(from.bottom, Math.min(bar?.bottom ?? 0, from.bottom + 30)) + 6}px`;
        }}
      >
        <h2>{title}</h2>
        {children}
      </div>
    </>
  );
}
