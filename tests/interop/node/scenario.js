// The scenario (see ../README.md) for the Node stacks.
//
// A stack has `call(operation, members)`, `authenticate(token)`, `fieldsOnTheWire()` (those of the last answer as they came) and
// `faultOfAWrongAction(guid)` (its code and text).
"use strict";

const assert = require("node:assert/strict");

const TRICKY = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";
const NO_SUCH_ACTION = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing";

function done(aspect) {
  console.log(`ok ${aspect}`);
}

function limit(aspect, reason) {
  console.log(`limit ${aspect}: ${reason}`);
}

// A single element is not an array to these stacks, and no element is nothing.
function list(node) {
  return node === undefined || node === null ? [] : [].concat(node);
}

async function run(stack, guid) {
  const strings = (...texts) => ({ string: texts });
  const dictionary = (entries) => ({
    KeyValueOfstringstring: Object.entries(entries).map(([Key, Value]) => ({ Key, Value })),
  });
  const actors = (answer) => list(answer.Actors && answer.Actors.ErpActorWS);
  const keys = (answer) => actors(answer).map((actor) => actor.ErpKey);
  const entries = (node) => Object.fromEntries(list(node.KeyValueOfstringstring).map((e) => [e.Key, e.Value]));
  const call = (operation, members = {}) => stack.call(operation, { ...members, ConnectionGuid: guid });
  const checked = (operation, answer) => {
    assert.equal(answer.State, "Ok", JSON.stringify(answer));
    assert.equal(answer.IsOk, true);
    done(operation);
    return answer;
  };
  const ok = async (operation, members) => checked(operation, await call(operation, members));

  done("WSDL");

  // Setting up.
  const config = checked("WSGetConfigData", await stack.call("WSGetConfigData", {}));
  const greeting = list(config.FieldMetaDataObjects.FieldMetadataInfoWS).find((f) => f.FieldKey === "Greeting");
  assert.deepEqual([greeting.Access, greeting.FieldType, greeting.MaxLength], ["Mandatory", "Text", 0]);
  assert.match(greeting.DisplayName, /Greeting & <name>/);
  const bad = await stack.call("WSTestConfigData", { ConnectionInfo: dictionary({ Greeting: "fail" }) });
  assert.deepEqual([bad.State, bad.IsOk], ["Error", false]);
  assert.equal(bad.UserExplanation, 'US:"not <this> & not that";NO:"ikke <dette> & ikke det"');
  const settings = dictionary({ Greeting: "hello", Colour: "R&D" });
  checked("WSTestConfigData", await stack.call("WSTestConfigData", { ConnectionInfo: settings }));
  assert.equal((await call("WSTestConnection")).ErrorCode, "UNKNOWN_CONNECTION_ID");
  await ok("WSSaveConnection", { ConnectionInfo: settings });
  await ok("WSTestConnection");

  // What there is.
  const types = await ok("WSGetSupportedActorTypes");
  assert.deepEqual(list(types.Items.string), ["Customer", "Person", "Project"]);
  const fields = await ok("WSGetSupportedActorTypeFields", { ActorType: "Customer" });
  const credit = fields.FieldMetaDataObjects.FieldMetadataInfoWS.find((f) => f.FieldKey === "CREDIT");
  assert.deepEqual([credit.FieldType, credit.Access], ["Double", "Normal"]);
  const searchable = await ok("WSGetSearchableFields", { ActorType: "Customer" });
  assert.ok(list(searchable.Items.string).includes("NAME"));

  // Reading.
  const got = await ok("WSGetActors", { ActorType: "Customer", ErpKeys: strings("M1", "nobody") });
  assert.deepEqual(keys(got), ["M1"]);
  assert.equal(entries(actors(got)[0].FieldValues).NAME, TRICKY);
  assert.equal(stack.fieldsOnTheWire().get("EMPTY"), "");
  assert.equal(stack.fieldsOnTheWire().get("NULLED"), null);
  const named = { ActorType: "Customer", ErpKeys: strings("M1"), FieldKeys: strings("NAME") };
  assert.deepEqual(entries(actors(await call("WSGetActors", named))[0].FieldValues), { NAME: TRICKY });
  assert.deepEqual(keys(await ok("WSSearchActors", { ActorType: "Customer", SearchText: "r&d" })), ["M1"]);
  const restriction = { FieldKey: "NAME", Operator: "contains", Values: strings("<b>") };
  const restrictions = { SearchRestrictionInfoWS: [restriction] };
  const found = await ok("WSSearchActorsAdvanced", { ActorType: "Customer", Restrictions: restrictions });
  assert.deepEqual(keys(found), ["M1"]);
  const projects = await ok("WSGetActorsByTimestamp", { ActorType: "Project" });
  assert.equal(new Set(keys(projects)).size, 1000);
  assert.equal(entries(actors(projects)[999].FieldValues).NAME, "Project <1000> & Söhne");
  done("1,000 rows");

  // Writing.
  const sent = { NAME: TRICKY, NULLED: null, EMPTY: "", CREDIT: "[F:1.5]" };
  const created = await ok("WSCreateActor", { Actor: { ActorType: "Customer", FieldValues: dictionary(sent) } });
  const key = created.Actor.ErpKey;
  assert.equal(entries(created.Actor.FieldValues).NAME, TRICKY);
  done("escaping");
  assert.deepEqual(Object.fromEntries(stack.fieldsOnTheWire()), sent, "both are sent, and come back");
  const read = entries(created.Actor.FieldValues);
  if (read.EMPTY === "" && (read.NULLED ?? null) === null) {
    done("null and empty");
  } else {
    limit("null and empty", `sends null and an empty string as two things; reads an empty string as ${read.EMPTY}`);
  }
  const below = { ParentActorType: "Customer", ParentErpKey: key };
  const anna = { ActorType: "Person", FieldValues: dictionary({ NAME: "Anna" }), ...below };
  const person = (await ok("WSCreateActor", { Actor: anna })).Actor;
  assert.deepEqual([person.ParentActorType, person.ParentErpKey], ["Customer", key]);
  const parent = { ParentActorType: "Customer", ParentActorErpKey: key };
  const children = await ok("WSSearchActorByParent", { ActorType: "Person", SearchText: "", ...parent });
  assert.deepEqual(keys(children), [person.ErpKey]);
  const change = { ActorType: "Customer", ErpKey: key, FieldValues: dictionary({ NAME: "Renamed" }) };
  const saved = await ok("WSSaveActors", { Actors: { ErpActorWS: [change] } });
  const since = { ActorType: "Customer", UpdatedOnOrAfter: actors(saved)[0].LastModified };
  assert.deepEqual(keys(await call("WSGetActorsByTimestamp", since)), [key]);
  assert.deepEqual(Object.fromEntries(stack.fieldsOnTheWire()), { ...sent, NAME: "Renamed" });

  // Lists.
  const colours = await ok("WSGetList", { ListName: "Colours" });
  assert.equal(entries(colours.ListItems)["R&D"], "Rød <rosé>");
  assert.deepEqual(Object.fromEntries(stack.fieldsOnTheWire()), { "R&D": "Rød <rosé>", none: "" });
  const one = await ok("WSGetListItems", { ListName: "Colours", ListItemKeys: strings("R&D") });
  assert.deepEqual(entries(one.ListItems), { "R&D": "Rød <rosé>" });
  done("dictionaries");

  // Nobody is set up here to be known, but the answer can be read.
  const answer = await stack.authenticate("x");
  assert.equal(answer.Succeeded, false);
  assert.ok(answer.Reason);
  done("Authenticate");

  const fault = await stack.faultOfAWrongAction(guid);
  assert.match(fault.code, /:Client$/);
  assert.match(fault.text, /WSNoSuchThing/);
  done("fault");

  await ok("WSDeleteConnection");
  assert.equal((await call("WSTestConnection")).ErrorCode, "UNKNOWN_CONNECTION_ID");
}

// The fields of an answer as they came: key to text, or null.
function fieldsOnTheWire(xml) {
  const unescape = (text) =>
    text.replace(/&(lt|gt|quot|apos|amp);/g, (_, name) => ({ lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" })[name]);
  const fields = new Map();
  const entry = /<(?:\w+:)?Key>([^<]*)<\/(?:\w+:)?Key><(?:\w+:)?Value([^>]*?)(?:\/>|>([^<]*)<)/g;
  for (const [, key, attributes, value] of xml.matchAll(entry)) {
    fields.set(unescape(key), /nil="true"/.test(attributes) ? null : unescape(value ?? ""));
  }
  return fields;
}

// The code and text of the fault that a call ends with.
async function faultOf(answer) {
  try {
    await answer;
  } catch (error) {
    const fault = error.root.Envelope.Body.Fault;
    return { code: fault.faultcode, text: fault.faultstring };
  }
  throw new Error("no fault");
}

// Plays the scenario, and ends the program as its result says.
function play(stack, guid) {
  stack
    .then((stack) => run(stack, guid))
    .catch((error) => {
      console.error(error.stack);
      process.exit(1);
    });
}

module.exports = { NO_SUCH_ACTION, faultOf, fieldsOnTheWire, play };
