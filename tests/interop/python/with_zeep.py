"""The scenario with zeep. usage: with_zeep.py WSDL_URL DIALECT GUID"""

import sys

import zeep
from zeep.plugins import HistoryPlugin, Plugin

import scenario

ARRAYS = "{http://schemas.microsoft.com/2003/10/Serialization/Arrays}"
NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


class WrongAction(Plugin):
    """Sends messages with a SOAPAction that does not exist, while it is active."""

    active = False

    def egress(self, envelope, http_headers, operation, binding_options):
        if self.active:
            http_headers["SOAPAction"] = scenario.NO_SUCH_ACTION
        return envelope, http_headers


class Stack:
    null = None

    def __init__(self, wsdl, dialect):
        self.history, self.wrong_action = HistoryPlugin(), WrongAction()
        plugins = [self.wrong_action, self.history]
        self.client = zeep.Client(wsdl, plugins=plugins, settings=zeep.Settings(strict=True))
        self.members_stand_directly = dialect == "message"

    def call(self, operation, **members):
        service = getattr(self.client.service, operation)
        direct = self.members_stand_directly or operation == "WSGetConfigData"
        return service(**members) if direct else service(request=members)

    def authenticate(self, token):
        ports = [port for service in self.client.wsdl.services.values() for port in service.ports.values()]
        port = next(port for port in ports if "Authenticate" in port.binding._operations)
        service = self.client.create_service(port.binding.name, port.binding_options["address"])
        return service.Authenticate(token if self.members_stand_directly else {"SignedToken": token})

    def fields_on_the_wire(self):
        entries = self.history.last_received["envelope"].iter(f"{ARRAYS}KeyValueOfstringstring")
        text = lambda element: None if element.get(NIL) == "true" else element.text or ""
        return {entry[0].text: text(entry[1]) for entry in entries}

    def fault_of_a_wrong_action(self, guid):
        self.wrong_action.active = True
        try:
            self.call("WSTestConnection", ConnectionGuid=guid)
        except zeep.exceptions.Fault as fault:
            return fault.code, fault.message
        finally:
            self.wrong_action.active = False
        raise AssertionError("no fault")


scenario.run(Stack(*sys.argv[1:3]), sys.argv[3])
