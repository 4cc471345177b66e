"""The scenario (see ../README.md) for the Python stacks.

A stack is an object with `call(operation, **members)`, `authenticate(token)`, `fields_on_the_wire()` (the fields of the
last answer as they came, for both stacks read an empty string as None), `fault_of_a_wrong_action()` (its code and text),
`members(value)` (the values of its members in their order) and `null` (what is sent as nil). Arrays and dictionaries are given with the
names of the dialects; in answers their items may have others.
"""

TRICKY = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀"
NO_SUCH_ACTION = '"http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing"'


def done(aspect):
    print("ok", aspect, flush=True)


def limit(aspect, reason):
    print(f"limit {aspect}: {reason}", flush=True)


def strings(*texts):
    return {"string": list(texts)}


def dictionary(**entries):
    return {"KeyValueOfstringstring": [{"Key": key, "Value": value} for key, value in entries.items()]}


def keys_of(answer):
    return [actor.ErpKey for actor in answer.Actors.ErpActorWS]


def run(stack, guid):
    def texts_of(array):
        return stack.members(array)[0]

    def entries_of(dictionary):
        return dict(stack.members(entry) for entry in stack.members(dictionary)[0])

    def fields_of(actor):
        return entries_of(actor.FieldValues)

    def call(operation, **members):
        return stack.call(operation, ConnectionGuid=guid, **members)

    def checked(operation, answer):
        assert answer.State == "Ok" and answer.IsOk is True, (operation, answer)
        done(operation)
        return answer

    def ok(operation, **members):
        return checked(operation, call(operation, **members))

    done("WSDL")

    # Setting up.
    config = checked("WSGetConfigData", stack.call("WSGetConfigData")).FieldMetaDataObjects.FieldMetadataInfoWS
    greeting = next(field for field in config if field.FieldKey == "Greeting")
    assert (greeting.Access, greeting.FieldType, greeting.MaxLength) == ("Mandatory", "Text", 0), greeting
    assert "Greeting & <name>" in greeting.DisplayName, greeting
    settings = dictionary(Greeting="hello", Colour="R&D")
    bad = stack.call("WSTestConfigData", ConnectionInfo=dictionary(Greeting="fail"))
    assert bad.State == "Error" and bad.IsOk is False, bad
    assert bad.UserExplanation == 'US:"not <this> & not that";NO:"ikke <dette> & ikke det"', bad
    checked("WSTestConfigData", stack.call("WSTestConfigData", ConnectionInfo=settings))
    assert call("WSTestConnection").ErrorCode == "UNKNOWN_CONNECTION_ID"
    ok("WSSaveConnection", ConnectionInfo=settings)
    ok("WSTestConnection")

    # What there is.
    types = texts_of(ok("WSGetSupportedActorTypes").Items)
    assert types == ["Customer", "Person", "Project"], types
    fields = ok("WSGetSupportedActorTypeFields", ActorType="Customer").FieldMetaDataObjects.FieldMetadataInfoWS
    credit = next(field for field in fields if field.FieldKey == "CREDIT")
    assert credit.FieldType == "Double" and credit.Access == "Normal", credit
    assert "NAME" in texts_of(ok("WSGetSearchableFields", ActorType="Customer").Items)

    # Reading.
    got = ok("WSGetActors", ActorType="Customer", ErpKeys=strings("M1", "nobody"))
    raw = stack.fields_on_the_wire()
    assert keys_of(got) == ["M1"], got
    assert raw["NAME"] == TRICKY and raw["NULLED"] is None and raw["EMPTY"] == "", raw
    named = call("WSGetActors", ActorType="Customer", ErpKeys=strings("M1"), FieldKeys=strings("NAME"))
    assert fields_of(named.Actors.ErpActorWS[0]) == {"NAME": TRICKY}, named
    assert keys_of(ok("WSSearchActors", ActorType="Customer", SearchText="r&d")) == ["M1"]
    restriction = {"FieldKey": "NAME", "Operator": "contains", "Values": strings("<b>")}
    restrictions = {"SearchRestrictionInfoWS": [restriction]}
    found = ok("WSSearchActorsAdvanced", ActorType="Customer", Restrictions=restrictions)
    assert keys_of(found) == ["M1"], found
    projects = ok("WSGetActorsByTimestamp", ActorType="Project")
    assert len(set(keys_of(projects))) == 1000, len(keys_of(projects))
    assert fields_of(projects.Actors.ErpActorWS[999])["NAME"] == "Project <1000> & Söhne"
    done("1,000 rows")

    # Writing.
    sent = {"NAME": TRICKY, "NULLED": None, "EMPTY": "", "CREDIT": "[F:1.5]"}
    values = dictionary(**{key: stack.null if value is None else value for key, value in sent.items()})
    created = ok("WSCreateActor", Actor={"ActorType": "Customer", "FieldValues": values}).Actor
    assert stack.fields_on_the_wire() == sent, created
    assert fields_of(created)["NAME"] == TRICKY, created
    done("escaping")
    assert fields_of(created)["EMPTY"] is None, "it tells null and empty apart by now: say so"
    limit("null and empty", "sends null and an empty string as two things; reads an empty string as None")
    of_person = {"ActorType": "Person", "FieldValues": dictionary(NAME="Anna")}
    below = ok("WSCreateActor", Actor={**of_person, "ParentActorType": "Customer", "ParentErpKey": created.ErpKey}).Actor
    assert (below.ParentActorType, below.ParentErpKey) == ("Customer", created.ErpKey), below
    parent = {"ParentActorType": "Customer", "ParentActorErpKey": created.ErpKey}
    children = ok("WSSearchActorByParent", ActorType="Person", SearchText="", **parent)
    assert keys_of(children) == [below.ErpKey], children
    change = {"ActorType": "Customer", "ErpKey": created.ErpKey, "FieldValues": dictionary(NAME="Renamed")}
    saved = ok("WSSaveActors", Actors={"ErpActorWS": [change]}).Actors.ErpActorWS[0]
    changed = call("WSGetActorsByTimestamp", ActorType="Customer", UpdatedOnOrAfter=saved.LastModified)
    assert keys_of(changed) == [created.ErpKey], changed
    assert stack.fields_on_the_wire() == {**sent, "NAME": "Renamed"}, changed

    # Lists.
    colours = entries_of(ok("WSGetList", ListName="Colours").ListItems)
    assert colours == {"R&D": "Rød <rosé>", "none": None}, colours
    one = ok("WSGetListItems", ListName="Colours", ListItemKeys=strings("R&D"))
    assert entries_of(one.ListItems) == {"R&D": "Rød <rosé>"}, one
    done("dictionaries")

    # Nobody is set up here to be known, but the answer can be read.
    answer = stack.authenticate("x")
    assert answer.Succeeded is False and answer.Reason, answer
    done("Authenticate")

    code, text = stack.fault_of_a_wrong_action(guid)
    assert "WSNoSuchThing" in text and code.endswith("Client"), (code, text)
    done("fault")

    ok("WSDeleteConnection")
    assert call("WSTestConnection").ErrorCode == "UNKNOWN_CONNECTION_ID"
