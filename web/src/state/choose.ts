/** What a person does to the page: choose a turbine, go to an alarm, set the theme; mirrored in the address. */
import { goLive, goTo } from "./past.ts";
import { isFarm } from "./plant.ts";
import { get, set, type Theme, useStore } from "./store.ts";

export const select = (id: string | null): void => set({ selected: id });

/** To a turbine and a moment at once, with the charts around it. */
export function visit(id: string, at_ms: number): void {
  set({ selected: id, zoom: null });
  goTo(at_ms);
}

const dark = matchMedia("(prefers-color-scheme: dark)");

function wear(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  set({ theme });
}

export function toggleTheme(): void {
  const theme = get().theme === "dark" ? "light" : "dark";
  const system = dark.matches ? "dark" : "light";
  if (theme === system) localStorage.removeItem("ectype.theme");
  else localStorage.setItem("ectype.theme", theme);
  wear(theme);
}

export function startTheme(): void {
  const chosen = (): Theme => {
    const kept = localStorage.getItem("ectype.theme");
    return kept === "light" || kept === "dark" ? kept : dark.matches ? "dark" : "light";
  };
  dark.addEventListener("change", () => wear(chosen()));
  wear(chosen());
}

/** Keeps `#turbine=…&t=…` (or `#twin=…`) in step, so that an address names what is looked at and can be passed on. */
export function startAddress(): void {
  const read = (): void => {
    const asked = new URLSearchParams(location.hash.slice(1));
    set({ selected: asked.get("turbine") ?? asked.get("twin") });
    const t = asked.get("t");
    const at_ms = t ? Date.parse(t) : Number.NaN;
    if (Number.isFinite(at_ms)) goTo(at_ms);
    else if (get().moment !== null) goLive();
  };
  const write = (): void => {
    const { selected, moment, playing, twins } = get();
    if (playing) return;
    const parts: string[] = [];
    if (selected) parts.push(`${isFarm(twins) ? "turbine" : "twin"}=${encodeURIComponent(selected)}`);
    if (moment !== null) parts.push(`t=${new Date(moment).toISOString().slice(0, 19)}Z`);
    const hash = parts.length ? `#${parts.join("&")}` : "";
    if (hash !== location.hash) history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
  };
  // The moment in the address can only be gone to once it is known what has happened.
  const stop = useStore.subscribe((state) => {
    if (state.liveTime === null) return;
    stop();
    read();
    window.addEventListener("hashchange", read);
    let timer = 0;
    useStore.subscribe((now, before) => {
      if (now.selected === before.selected && now.moment === before.moment) return;
      window.clearTimeout(timer);
      timer = window.setTimeout(write, 200);
    });
  });
}
