// The scenario with node-soap. usage: node with_soap.js WSDL_URL DIALECT GUID
"use strict";

const soap = require("soap");
const scenario = require("./scenario");

const [wsdl, dialect, guid] = process.argv.slice(2);

async function stack() {
  const client = await soap.createClientAsync(wsdl);
  const request = (operation, members) =>
    dialect === "message" || operation === "WSGetConfigData" ? members : { request: members };
  return {
    call: async (operation, members) => {
      const [answer] = await client[`${operation}Async`](request(operation, members));
      return dialect === "message" ? answer : answer[`${operation}Result`];
    },
    authenticate: async (SignedToken) => {
      const [answer] = await client.AuthenticateAsync(dialect === "message" ? { SignedToken } : { request: { SignedToken } });
      return dialect === "message" ? answer : answer.AuthenticateResult;
    },
    fieldsOnTheWire: () => scenario.fieldsOnTheWire(client.lastResponse),
    faultOfAWrongAction: async (ConnectionGuid) => {
      const headers = { SOAPAction: `"${scenario.NO_SUCH_ACTION}"` };
      return scenario.faultOf(client.WSTestConnectionAsync(request("WSTestConnection", { ConnectionGuid }), {}, headers));
    },
  };
}

scenario.play(stack(), guid);
