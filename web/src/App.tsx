/** The page: bar, scene, panel, timeline. */
import { Component, lazy, type ReactNode, Suspense, useEffect } from "react";
import { TopBar } from "./bar/TopBar.tsx";
import { FarmPanel } from "./panels/FarmPanel.tsx";
import { TurbinePanel } from "./panels/TurbinePanel.tsx";
import { Overview } from "./plant/Overview.tsx";
import { PlantPanel } from "./plant/PlantPanel.tsx";
import { TwinPanel } from "./plant/TwinPanel.tsx";
import { FarmMap } from "./scene/FarmMap.tsx";
import { hasWebGl } from "./scene/quality.ts";
import { select } from "./state/choose.ts";
import { farmOf, turbines } from "./state/farm.ts";
import { goLive, play } from "./state/past.ts";
import { isFarm, nameOf } from "./state/plant.ts";
import { get, useStore } from "./state/store.ts";
import { Timeline } from "./timeline/Timeline.tsx";

const Scene = lazy(() => import("./scene/Scene.tsx"));
const drawable = hasWebGl();

/** Shows the flat map where the scene cannot be drawn after all (a driver that gives up). */
class OrMap extends Component<{ children: ReactNode }, { broken: boolean }> {
  override state = { broken: false };
  static getDerivedStateFromError(): { broken: boolean } {
    return { broken: true };
  }
  override render(): ReactNode {
    return this.state.broken ? <FarmMap /> : this.props.children;
  }
}

function useKeys(): void {
  useEffect(() => {
    const key = (event: KeyboardEvent): void => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.closest("input, select, textarea, [contenteditable], .cm-editor")) return;
      const { twins, selected, moment, playing } = get();
      const nth = turbines(twins)[Number(event.key) - 1];
      if (event.key === "Escape" && selected !== null) select(null);
      else if (event.key === "l") goLive();
      else if (event.key === " " && moment !== null && !target.closest("button")) {
        event.preventDefault();
        play(!playing);
      } else if (/^[1-9]$/.test(event.key) && nth) select(nth.id);
    };
    window.addEventListener("keydown", key);
    return () => window.removeEventListener("keydown", key);
  }, []);
}

export function App() {
  useKeys();
  const twins = useStore((state) => state.twins);
  const selected = useStore((state) => state.selected);
  const name = useStore((state) => state.space?.name);
  const attribution = useStore((state) => farmOf(state.twins)?.attribution as string | undefined);
  const farm = isFarm(twins);
  const turbine = turbines(twins).find(({ id }) => id === selected);
  const twin = farm ? undefined : twins.find(({ $dtId }) => $dtId === selected);
  const title = turbine?.name ?? (twin && nameOf(twin));
  useEffect(() => {
    document.title = [title, name, "Ectype"].filter(Boolean).join(" · ");
  }, [title, name]);
  return (
    <div className="page">
      <TopBar />
      <main className="stage" aria-label={farm ? "Scene" : "Twins"}>
        {!farm ? (
          <Overview />
        ) : drawable ? (
          <OrMap>
            <Suspense fallback={<div className="scene is-loading" />}>
              <Scene />
            </Suspense>
          </OrMap>
        ) : (
          <FarmMap />
        )}
        {attribution && <p className="attribution">Data: {attribution}</p>}
      </main>
      <aside className="panel" aria-label={title ?? (farm ? "Farm" : name)}>
        {farm ? (
          turbine ? (
            <TurbinePanel turbine={turbine} />
          ) : (
            <FarmPanel />
          )
        ) : twin ? (
          <TwinPanel key={twin.$dtId} twin={twin} />
        ) : (
          <PlantPanel />
        )}
      </aside>
      <Timeline />
    </div>
  );
}
