/** What types say of their properties: words and units, asked for once a type. */
import { type Content, getContents } from "../api/api.ts";
import { aboutTwin } from "../state/plant.ts";
import { get, set, useStore } from "../state/store.ts";

const asked = new Set<string>();

/** What a type says of its properties; asked for once. */
export function useContents(model: string): Readonly<Record<string, Content>> {
  const contents = useStore((state) => state.contents[model]);
  if (contents === undefined && !asked.has(model)) {
    asked.add(model);
    getContents(model).then(
      (found) => set({ contents: { ...get().contents, [model]: { ...aboutTwin, ...found } } }),
      () => asked.delete(model),
    );
  }
  return contents ?? aboutTwin;
}
