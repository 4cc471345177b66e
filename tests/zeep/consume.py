"""Consumes the service as a stranger would: from its WSDL alone, with zeep.

usage: consume.py WSDL_URL DIALECT GUID WORKBOOK
Ends with exit code 0 when every call of the contract worked; an assertion says what did not.
"""

import sys

import zeep
from zeep.plugins import HistoryPlugin, Plugin

wsdl, dialect, guid, workbook = sys.argv[1:]


class WrongAction(Plugin):
    """Sends the next message with a SOAPAction that does not exist."""

    active = False

    def egress(self, envelope, http_headers, operation, binding_options):
        if self.active:
            http_headers["SOAPAction"] = '"http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing"'
        return envelope, http_headers


wrong_action = WrongAction()
history = HistoryPlugin()
client = zeep.Client(wsdl, plugins=[wrong_action, history], settings=zeep.Settings(strict=True))


def call(operation, **members):
    """Calls an operation; members stand directly in a message, or in `request`."""
    service = getattr(client.service, operation)
    if dialect == "message" or operation == "WSGetConfigData":
        return service(**members)
    return service(request=members)


def ok(operation, **members):
    answer = call(operation, **members)
    assert answer.State == "Ok" and answer.IsOk is True, (operation, answer)
    return answer


def strings(*texts):
    return {"string": list(texts)}


def dictionary(**entries):
    return {"KeyValueOfstringstring": [{"Key": key, "Value": value} for key, value in entries.items()]}


def fields_of(actor):
    return {entry.Key: entry.Value for entry in actor.FieldValues.KeyValueOfstringstring}


# Setting up.
config = ok("WSGetConfigData")
keys = [field.FieldKey for field in config.FieldMetaDataObjects.FieldMetadataInfoWS]
assert "Filename" in keys, keys
bad = call("WSTestConfigData", ConnectionInfo=dictionary(Filename="no-such-file.xlsx"))
assert bad.State == "Error" and bad.IsOk is False and bad.UserExplanation, bad
ok("WSTestConfigData", ConnectionInfo=dictionary(Filename=workbook))
unknown = call("WSTestConnection", ConnectionGuid=guid)
assert unknown.ErrorCode == "UNKNOWN_CONNECTION_ID", unknown
ok("WSSaveConnection", ConnectionGuid=guid, ConnectionInfo=dictionary(Filename=workbook))
ok("WSTestConnection", ConnectionGuid=guid)

# Reading.
types = ok("WSGetSupportedActorTypes", ConnectionGuid=guid).Items.string
assert "Customer" in types and "Person" in types, types
fields = ok("WSGetSupportedActorTypeFields", ConnectionGuid=guid, ActorType="Customer")
by_key = {field.FieldKey: field for field in fields.FieldMetaDataObjects.FieldMetadataInfoWS}
assert by_key["NAME"].FieldType == "Text", by_key
searchable = ok("WSGetSearchableFields", ConnectionGuid=guid, ActorType="Customer").Items.string
assert "NAME" in searchable, searchable

found = ok("WSSearchActors", ConnectionGuid=guid, ActorType="Customer", SearchText="a", FieldKeys=strings("NAME"))
first = found.Actors.ErpActorWS[0]
assert fields_of(first).keys() == {"NAME"}, first
got = ok("WSGetActors", ConnectionGuid=guid, ActorType="Customer", ErpKeys=strings(first.ErpKey, "no-such-key"))
assert [actor.ErpKey for actor in got.Actors.ErpActorWS] == [first.ErpKey], got
advanced = ok(
    "WSSearchActorsAdvanced",
    ConnectionGuid=guid,
    ActorType="Customer",
    Restrictions={
        "SearchRestrictionInfoWS": [
            {"FieldKey": "NAME", "Operator": "=", "Values": strings(fields_of(first)["NAME"])},
        ]
    },
    FieldKeys=strings("NAME"),
)
assert first.ErpKey in [actor.ErpKey for actor in advanced.Actors.ErpActorWS], advanced

# Writing.
created = ok(
    "WSCreateActor",
    ConnectionGuid=guid,
    Actor={"ActorType": "Customer", "FieldValues": dictionary(NAME=f"Æsops & søn <{dialect}>")},
)
key = created.Actor.ErpKey
assert key, created
below = ok(
    "WSCreateActor",
    ConnectionGuid=guid,
    Actor={
        "ActorType": "Person",
        "FieldValues": dictionary(FIRSTNAME="Anna"),
        "ParentActorType": "Customer",
        "ParentErpKey": key,
    },
)
children = ok(
    "WSSearchActorByParent",
    ConnectionGuid=guid,
    ActorType="Person",
    SearchText="",
    ParentActorType="Customer",
    ParentActorErpKey=key,
)
assert [actor.ErpKey for actor in children.Actors.ErpActorWS] == [below.Actor.ErpKey], children
saved = ok(
    "WSSaveActors",
    ConnectionGuid=guid,
    Actors={"ErpActorWS": [{"ActorType": "Customer", "ErpKey": key, "FieldValues": dictionary(NAME="Renamed")}]},
)
stamp = saved.Actors.ErpActorWS[0].LastModified
assert stamp, saved
changed = ok("WSGetActorsByTimestamp", ConnectionGuid=guid, ActorType="Customer", UpdatedOnOrAfter=stamp)
assert [actor.ErpKey for actor in changed.Actors.ErpActorWS] == [key], changed
assert fields_of(changed.Actors.ErpActorWS[0])["NAME"] == "Renamed", changed

# Lists.
list_names = {field.ListName for field in by_key.values() if field.FieldType == "List"}
assert list_names, by_key
for name in list_names:
    items = ok("WSGetList", ConnectionGuid=guid, ListName=name).ListItems.KeyValueOfstringstring
    assert items, name
    one = ok("WSGetListItems", ConnectionGuid=guid, ListName=name, ListItemKeys=strings(items[0].Key))
    assert [(item.Key, item.Value) for item in one.ListItems.KeyValueOfstringstring] == [
        (items[0].Key, items[0].Value)
    ], one

# Authenticate is of no use here, but its answer can be read.
port = next(
    port
    for service in client.wsdl.services.values()
    for port in service.ports.values()
    if "Authenticate" in port.binding._operations
)
service = client.create_service(port.binding.name, port.binding_options["address"])
answer = service.Authenticate("x") if dialect == "message" else service.Authenticate({"SignedToken": "x"})
assert answer.Succeeded is False and answer.Reason, answer

# A fault has a text that says what is wrong.
wrong_action.active = True
try:
    call("WSTestConnection", ConnectionGuid=guid)
    raise AssertionError("no fault")
except zeep.exceptions.Fault as fault:
    assert "WSNoSuchThing" in fault.message, fault.message
    assert fault.code.endswith("Client"), fault.code
wrong_action.active = False

ok("WSDeleteConnection", ConnectionGuid=guid)
gone = call("WSTestConnection", ConnectionGuid=guid)
assert gone.ErrorCode == "UNKNOWN_CONNECTION_ID", gone
