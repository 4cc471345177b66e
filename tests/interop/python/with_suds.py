"""The scenario with suds. usage: with_suds.py WSDL_URL DIALECT GUID"""

import sys

import suds
from suds.client import Client
from suds.plugin import MessagePlugin
from suds.sax.parser import Parser

import scenario


class Wire(MessagePlugin):
    """Keeps the last answer as it came."""

    last = None

    def received(self, context):
        self.last = context.reply


def below(element, name):
    for child in element.children:
        if child.name == name:
            yield child
        yield from below(child, name)


class Stack:
    # None is left out.
    null = suds.null()

    def __init__(self, wsdl, dialect):
        self.wire = Wire()
        self.client = Client(wsdl, plugins=[self.wire], cache=None)
        self.ports = self.client.wsdl.services[0].ports
        self.members_stand_directly = dialect == "message"

    def service(self, operation):
        return self.client.service[next(port.name for port in self.ports if operation in port.methods)]

    def call(self, operation, **members):
        service = getattr(self.service(operation), operation)
        direct = self.members_stand_directly or operation == "WSGetConfigData"
        return service(**members) if direct else service(request=members)

    def authenticate(self, token):
        service = self.service("Authenticate")
        return service.Authenticate(token if self.members_stand_directly else {"SignedToken": token})

    def members(self, value):
        return [member for _, member in value]

    def fields_on_the_wire(self):
        entries = below(Parser().parse(string=self.wire.last).root(), "KeyValueOfstringstring")
        text = lambda element: None if element.isnil() else str(element.getText() or "")
        return {text(entry[0]): text(entry[1]) for entry in entries}

    def fault_of_a_wrong_action(self, guid):
        soap = next(port for port in self.ports if "WSTestConnection" in port.methods).methods["WSTestConnection"].soap
        right, soap.action = soap.action, scenario.NO_SUCH_ACTION
        try:
            self.call("WSTestConnection", ConnectionGuid=guid)
        except suds.WebFault as fault:
            return fault.fault.faultcode, fault.fault.faultstring
        finally:
            soap.action = right
        raise AssertionError("no fault")


scenario.run(Stack(*sys.argv[1:3]), sys.argv[3])
