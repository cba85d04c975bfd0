// The official JavaScript client of Azure Digital Twins does everything it can do; run by test_javascript.py.
import assert from "node:assert/strict";
import { createRequire } from "node:module";

const require = createRequire(process.argv[3]);
const { DigitalTwinsClient } = require("@azure/digital-twins-core");

const credential = { getToken: async () => ({ token: "none", expiresOnTimestamp: Date.now() + 864e5 }) };
const client = new DigitalTwinsClient(process.argv[2], credential);
const all = async (pages) => {
  const found = [];
  for await (const each of pages) found.push(each);
  return found;
};
const room = (values = {}) => JSON.stringify({ $metadata: { $model: "dtmi:js:Room;1" }, ...values });
const model = {
  "@context": "dtmi:dtdl:context;3",
  "@id": "dtmi:js:Part;1",
  "@type": "Interface",
  contents: [
    { "@type": "Property", name: "wear", schema: "double" },
    { "@type": "Telemetry", name: "now", schema: "double" },
  ],
};
const whole = {
  ...model,
  "@id": "dtmi:js:Room;1",
  contents: [
    { "@type": "Property", name: "temperature", schema: "double" },
    { "@type": "Telemetry", name: "motion", schema: "double" },
    { "@type": "Component", name: "part", schema: "dtmi:js:Part;1" },
    { "@type": "Relationship", name: "next", properties: [{ "@type": "Property", name: "door", schema: "string" }] },
  ],
};

assert.equal((await client.createModels([whole, model])).length, 2);
assert.equal((await client.getModel("dtmi:js:Room;1", true)).model["@id"], "dtmi:js:Room;1");
assert.deepEqual((await all(client.listModels())).map((each) => each.id).sort(), ["dtmi:js:Part;1", "dtmi:js:Room;1"]);

const made = await client.upsertDigitalTwin("r1", room({ temperature: 20, part: { $metadata: {}, wear: 0.1 } }));
assert.equal(made.body.$dtId, "r1");
await client.upsertDigitalTwin("r2", room());
await client.updateDigitalTwin("r1", [{ op: "replace", path: "/temperature", value: 21 }]);
const read = await client.getDigitalTwin("r1");
assert.equal(read.body.temperature, 21);
await assert.rejects(
  client.updateDigitalTwin("r1", [{ op: "replace", path: "/temperature", value: 22 }], { ifMatch: made.etag }),
  (error) => error.statusCode === 412,
);
await client.updateComponent("r1", "part", [{ op: "replace", path: "/wear", value: 0.2 }]);
assert.equal((await client.getComponent("r1", "part")).body.wear, 0.2);

await client.upsertRelationship("r1", "n", { $relationshipName: "next", $targetId: "r2", door: "oak" });
await client.updateRelationship("r1", "n", [{ op: "replace", path: "/door", value: "elm" }]);
assert.equal((await client.getRelationship("r1", "n")).body.door, "elm");
assert.deepEqual((await all(client.listRelationships("r1"))).map((each) => each.$targetId), ["r2"]);
assert.deepEqual((await all(client.listIncomingRelationships("r2"))).map((each) => each.sourceId), ["r1"]);

await client.publishTelemetry("r1", { motion: 1 }, "m-1");
// Version 1.1.0 hands its third and fourth argument on in the wrong order; so they are given in that order.
await client.publishComponentTelemetry("r1", "part", "m-2", { now: 1 });
const rows = await all(client.queryTwins("SELECT * FROM digitaltwins WHERE temperature = 21"));
assert.deepEqual(rows.map((each) => each.$dtId), ["r1"]);
await assert.rejects(all(client.queryTwins("SELECT FROM")), (error) => error.statusCode === 400);

await client.upsertEventRoute("hook", "hook", "true");
assert.equal((await client.getEventRoute("hook")).endpointName, "hook");
assert.deepEqual((await all(client.listEventRoutes())).map((each) => each.id), ["hook"]);
await client.deleteEventRoute("hook");

await client.deleteRelationship("r1", "n");
await client.deleteDigitalTwin("r1");
await assert.rejects(client.getDigitalTwin("r1"), (error) => error.statusCode === 404);
await client.deleteDigitalTwin("r2");
await client.decomissionModel("dtmi:js:Room;1");
await client.deleteModel("dtmi:js:Room;1");
console.log("all of it");
