"""The scenario with zeep. usage: with_zeep.py WSDL_URL CONTRACT GUID

What the contract of a service has is seen from its WSDL, so the contract's name is not used."""

import datetime
import sys
from types import SimpleNamespace

import zeep
from zeep.plugins import HistoryPlugin, Plugin

import scenario

NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"

# What the contract page does not have is sent where the contract has it.
MORE = {
    "ApplicationToken": "token",
    "Culture": "nb-NO",
    "Client": {"Name": "zeep", "Version": 2},
    "Tags": scenario.strings("<a>", "b"),
    "Address": {"City": "Tromsø", "Street": "1 & 2"},
    "Version": 7,
}


class WrongAction(Plugin):
    """Sends messages with a SOAPAction that does not exist, while it is active."""

    active = False

    def egress(self, envelope, http_headers, operation, binding_options):
        if self.active:
            http_headers["SOAPAction"] = scenario.NO_SUCH_ACTION
        return envelope, http_headers


def with_more(type, value):
    """The members of a type, and those below it, with more of what it has."""
    if not isinstance(value, dict):
        return value
    if list(value) in (["string"], ["KeyValueOfstringstring"]):
        return renamed(type, value)
    members = {name: MORE[name] for name, _ in type.elements if name in MORE}
    for name, element in type.elements:
        if name not in value:
            continue
        given = value[name]
        if isinstance(given, list):
            given = [with_more(element.type, one) for one in given]
        elif isinstance(given, dict):
            given = with_more(element.type, given)
        members[name] = given
    return members


def renamed(type, value):
    """An array or a dictionary with the names that its type has."""
    [(name, element)], [items] = type.elements, value.values()
    if isinstance(element.type, zeep.xsd.ComplexType):
        names = [part for part, _ in element.type.elements]
        items = [dict(zip(names, item.values())) for item in items]
    return {name: items}


class Stack:
    null = None

    def __init__(self, wsdl, _contract):
        self.history, self.wrong_action = HistoryPlugin(), WrongAction()
        plugins = [self.wrong_action, self.history]
        self.client = zeep.Client(wsdl, plugins=plugins, settings=zeep.Settings(strict=True))

    def call(self, operation, **members):
        ports = [port for service in self.client.wsdl.services.values() for port in service.ports.values()]
        port = next(port for port in ports if operation in port.binding._operations)
        message = port.binding.get(operation).input
        arguments = {}
        if message.header is not None and message.header.type.elements:
            headers = [name for name, _ in message.header.type.elements]
            arguments["_soapheaders"] = {name: members.pop(name, MORE.get(name)) for name in headers}
        elements = message.body.type.elements if message.body is not None else []
        if [name for name, _ in elements] == ["request"]:
            arguments["request"] = with_more(elements[0][1].type, members)
        elif elements:
            arguments.update(with_more(message.body.type, members))
        service = self.client.create_service(port.binding.name, port.binding_options["address"])
        return self.checked(getattr(service, operation)(**arguments))

    def checked(self, answer):
        """The members of an answer, wherever they are."""
        if "body" in answer and "header" in answer:
            headers = {name: answer.header[name] for name in answer.header}
            body = answer.body.Result
            answer = SimpleNamespace(**{name: body[name] for name in body}, **headers)
        # A member that must be there and that the host does not have is zero; others are null.
        assert getattr(answer, "Served", datetime.datetime.min) == datetime.datetime.min, answer
        assert getattr(answer, "ServerVersion", None) is None, answer
        # zeep reads an array that is nil as an empty one.
        assert not getattr(getattr(answer, "Warnings", None), "WarningInfoWS", None), answer
        return answer

    def authenticate(self, token):
        return self.call("Authenticate", SignedToken=token)

    def members(self, value):
        return [value[name] for name in value]

    def fields_on_the_wire(self):
        values = self.history.last_received["envelope"].iter("{*}FieldValues")
        text = lambda element: None if element.get(NIL) == "true" else element.text or ""
        return {text(entry[0]): text(entry[1]) for entry in next(values)}

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
