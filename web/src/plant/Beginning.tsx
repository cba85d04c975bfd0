/** What to do first in a space that holds nothing yet. */
import { base } from "../api/api.ts";

const tank = `{"@context": "dtmi:dtdl:context;3", "@id": "dtmi:plant:Tank;1", "@type": "Interface",
 "contents": [{"@type": "Telemetry", "name": "level", "schema": "double"}]}`;

export function Beginning() {
  const send = (method: string, path: string, body: string): string =>
    `curl -X ${method} '${base}${path}?api-version=2023-10-31' -H 'content-type: application/json' -d '${body}'`;
  return (
    <div className="overview beginning">
      <h2>Nothing is here yet</h2>
      <p>A type, a twin of it, and a reading: then it shows itself here.</p>
      <pre>{send("POST", "/models", `[${tank}]`)}</pre>
      <pre>{send("PUT", "/digitaltwins/tank-1", '{"$metadata": {"$model": "dtmi:plant:Tank;1"}}')}</pre>
      <pre>mosquitto_pub -q 1 -t plant/tank-1/level -m 2.5</pre>
      <p>
        Devices that publish already need no curl: <code>ectype bind</code> looks at what comes in and proposes types,
        twins and bindings.
      </p>
    </div>
  );
}
