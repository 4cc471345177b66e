// The scenario with strong-soap. usage: node with_strong_soap.js WSDL_URL DIALECT GUID
"use strict";

const { soap } = require("strong-soap");
const scenario = require("./scenario");

const [wsdl, dialect, guid] = process.argv.slice(2);

function create() {
  return new Promise((resolve, reject) =>
    soap.createClient(wsdl, {}, (error, client) => (error ? reject(error) : resolve(client))),
  );
}

async function stack() {
  const client = await create();
  let last = "";
  const invoke = (operation, members, options = {}) =>
    new Promise((resolve, reject) =>
      client[operation](members, (error, answer, envelope) => {
        last = typeof envelope === "string" ? envelope : last;
        error ? reject(error) : resolve(answer);
      }, options),
    );
  const ports = Object.assign({}, ...Object.values(client.describe()).flatMap(Object.values));
  const wrapped = (operation, members) => {
    if (operation === "WSGetConfigData") return {};
    // The element of a message has to be named.
    return { [dialect === "message" ? ports[operation].input.body.elements[0].qname.name : "request"]: members };
  };
  const unwrapped = (operation, answer) => (dialect === "message" ? answer : answer[`${operation}Result`]);
  return {
    call: async (operation, members) => unwrapped(operation, await invoke(operation, wrapped(operation, members))),
    authenticate: async (SignedToken) =>
      unwrapped("Authenticate", await invoke("Authenticate", wrapped("Authenticate", { SignedToken }))),
    fieldsOnTheWire: () => scenario.fieldsOnTheWire(last),
    faultOfAWrongAction: async (ConnectionGuid) => {
      const wrongAction = { headers: { SOAPAction: `"${scenario.NO_SUCH_ACTION}"` } };
      return scenario.faultOf(invoke("WSTestConnection", wrapped("WSTestConnection", { ConnectionGuid }), wrongAction));
    },
  };
}

scenario.play(stack(), guid);
