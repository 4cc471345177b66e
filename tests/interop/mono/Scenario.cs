// The scenario (see ../README.md) with Mono's WCF client. usage: Scenario.exe URL GUID
//
// The classes come from svcutil, or from message_contracts.py with MESSAGE_CONTRACTS. They are used by the names of the contract,
// with reflection, so that the scenario is the same for every contract.

using System;
using System.Collections;
using System.Collections.Generic;
using System.Linq;
using System.Reflection;
using System.Runtime.ExceptionServices;
using System.ServiceModel;
using System.ServiceModel.Channels;
using Dict = System.Collections.Generic.Dictionary<string, string>;
using Members = System.Collections.Generic.Dictionary<string, object>;

// A port, whose messages are members by their names.
class Port<T>
{
    // What the contract page does not have is sent where the contract has it.
    static readonly Members More = new Members
    {
        { "ApplicationToken", "token" }, { "Culture", "nb-NO" }, { "Client", new Members { { "Name", "Mono" } } },
        { "Tags", new[] { "<a>", "b" } }, { "Address", new Members { { "City", "Tromsø" }, { "Street", "1 & 2" } } }, { "Version", 7 },
    };

    public readonly T Channel;

    public Port(string url)
    {
        var binding = new BasicHttpBinding { MaxReceivedMessageSize = int.MaxValue, MaxBufferSize = int.MaxValue };
        binding.ReaderQuotas.MaxArrayLength = binding.ReaderQuotas.MaxStringContentLength = int.MaxValue;
        Channel = new ChannelFactory<T>(binding, new EndpointAddress(url)).CreateChannel();
    }

    public object Call(string operation, Members members)
    {
        var method = typeof(T).GetMethod(operation);
        var parameters = method.GetParameters().Select(parameter => Made(parameter.ParameterType, members)).ToArray();
        try
        {
            return method.Invoke(Channel, parameters);
        }
        catch (TargetInvocationException error)
        {
            ExceptionDispatchInfo.Capture(error.InnerException).Throw();
            throw;
        }
    }

    static object Made(Type type, object value)
    {
        var items = value as object[];
        if (type.IsArray && items != null && type != typeof(string[]))
        {
            var array = Array.CreateInstance(type.GetElementType(), items.Length);
            for (var at = 0; at < items.Length; at++) array.SetValue(Made(type.GetElementType(), items[at]), at);
            return array;
        }
        // A class of its own for an array or a dictionary.
        if (value is string[] && !type.IsArray)
        {
            var list = (List<string>)Activator.CreateInstance(type);
            list.AddRange((string[])value);
            return list;
        }
        if (value is Dict && type != typeof(Dict))
        {
            var dictionary = (Dict)Activator.CreateInstance(type);
            foreach (var pair in (Dict)value) dictionary.Add(pair.Key, pair.Value);
            return dictionary;
        }
        var members = value as Members;
        if (members == null) return value;
        var bean = Activator.CreateInstance(type);
        foreach (var member in members.Concat(More.Where(more => !members.ContainsKey(more.Key))))
        {
            var property = type.GetProperty(member.Key);
            var field = type.GetField(member.Key);
            if (property != null) property.SetValue(bean, Made(property.PropertyType, member.Value));
            else if (field != null) field.SetValue(bean, Made(field.FieldType, member.Value));
        }
        return bean;
    }
}

static class Scenario
{
    const string Tricky = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";
    const string NoSuchAction = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing";

    static Port<IErpConnectorWS> port;
    static string guid;

    static void Done(string aspect)
    {
        Console.WriteLine("ok " + aspect);
    }

    static void Expect(bool holds, string what)
    {
        if (!holds) throw new Exception("expected " + what);
    }

    // A member of an answer, of its header, or of the only member of its body.
    static object Get(object bean, string name)
    {
        var property = bean.GetType().GetProperty(name);
        if (property != null) return property.GetValue(bean);
        var field = bean.GetType().GetField(name);
        if (field != null) return field.GetValue(bean);
        var result = bean.GetType().GetField("Result");
        Expect(result != null, name + " in " + bean.GetType());
        return Get(result.GetValue(bean), name);
    }

    static string Text(object bean, string name)
    {
        var value = Get(bean, name);
        return value == null ? null : value.ToString();
    }

    static object Call(string operation, Members members = null)
    {
        return port.Call(operation, new Members(members ?? new Members()) { { "ConnectionGuid", guid } });
    }

    static object Checked(string operation, object answer)
    {
        Expect(Text(answer, "State") == "Ok" && (bool)Get(answer, "IsOk"), "State Ok of " + operation + ", not " + Text(answer, "State") + " " + Text(answer, "UserExplanation"));
        Done(operation);
        return answer;
    }

    static object Ok(string operation, Members members = null)
    {
        return Checked(operation, Call(operation, members));
    }

    static object[] Items(object answer, string name)
    {
        return ((IEnumerable)Get(answer, name)).Cast<object>().ToArray();
    }

    static object Field(object answer, string key)
    {
        return Items(answer, "FieldMetaDataObjects").Single(field => Text(field, "FieldKey") == key);
    }

    static bool HasKeys(object answer, params string[] keys)
    {
        return Items(answer, "Actors").Select(actor => Text(actor, "ErpKey")).SequenceEqual(keys);
    }

    static Dict Fields(object actor)
    {
        return (Dict)Get(actor, "FieldValues");
    }

    static bool Same(Dict left, Dict right)
    {
        return left.Count == right.Count && left.All(pair => right.ContainsKey(pair.Key) && right[pair.Key] == pair.Value);
    }

    static int Main(string[] arguments)
    {
        try
        {
            guid = arguments[1];
            Run(arguments[0]);
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error);
            return 1;
        }
    }

    static void Run(string url)
    {
        port = new Port<IErpConnectorWS>(url);
#if MESSAGE_CONTRACTS
        Console.WriteLine("limit WSDL: svcutil makes no message contracts; a script of the test makes those that svcutil of .NET makes");
#elif ONE_DOCUMENT
        Console.WriteLine("limit WSDL: svcutil makes nothing of imported documents; it gets the same contract in one document");
#else
        Done("WSDL");
#endif

        // Setting up.
        var greeting = Field(Checked("WSGetConfigData", port.Call("WSGetConfigData", new Members())), "Greeting");
        Expect(Text(greeting, "Access") == "Mandatory" && Text(greeting, "FieldType") == "Text"
            && (int)Get(greeting, "MaxLength") == 0 && Text(greeting, "DisplayName").Contains("Greeting & <name>"), "the form");
        var bad = port.Call("WSTestConfigData", new Members { { "ConnectionInfo", new Dict { { "Greeting", "fail" } } } });
        Expect(Text(bad, "State") == "Error" && !(bool)Get(bad, "IsOk"), "State Error");
        Expect(Text(bad, "UserExplanation") == "US:\"not <this> & not that\";NO:\"ikke <dette> & ikke det\"", "an explanation, not " + Text(bad, "UserExplanation"));
        var settings = new Members { { "ConnectionInfo", new Dict { { "Greeting", "hello" }, { "Colour", "R&D" } } } };
        Checked("WSTestConfigData", port.Call("WSTestConfigData", settings));
        Expect(Text(Call("WSTestConnection"), "ErrorCode") == "UNKNOWN_CONNECTION_ID", "UNKNOWN_CONNECTION_ID");
        Ok("WSSaveConnection", settings);
        Ok("WSTestConnection");

        // What there is.
        var ofCustomer = new Members { { "ActorType", "Customer" } };
        Expect(Items(Ok("WSGetSupportedActorTypes"), "Items").SequenceEqual(new[] { "Customer", "Person", "Project" }), "three actor types");
        Expect(Text(Field(Ok("WSGetSupportedActorTypeFields", ofCustomer), "CREDIT"), "FieldType") == "Double", "a field");
        Expect(Items(Ok("WSGetSearchableFields", ofCustomer), "Items").Contains("NAME"), "NAME");

        // Reading.
        Func<string[], Members> m1 = fields => new Members { { "ActorType", "Customer" }, { "ErpKeys", new[] { "M1", "nobody" } }, { "FieldKeys", fields } };
        var got = Ok("WSGetActors", m1(null));
        Expect(HasKeys(got, "M1"), "one actor");
        var values = Fields(Items(got, "Actors")[0]);
        Expect(values["NAME"] == Tricky, "the text, not " + values["NAME"]);
        Expect(values["NULLED"] == null && values["EMPTY"] == "", "null and empty, not " + values["NULLED"] + " and " + values["EMPTY"]);
        Expect(Fields(Items(Call("WSGetActors", m1(new string[0])), "Actors")[0]).Count == 0, "no field");
        Expect(Same(Fields(Items(Call("WSGetActors", m1(new[] { "NAME" })), "Actors")[0]), new Dict { { "NAME", Tricky } }), "one field");
        Expect(HasKeys(Ok("WSSearchActors", new Members(ofCustomer) { { "SearchText", "r&d" } }), "M1"), "a hit");
        var restriction = new Members { { "FieldKey", "NAME" }, { "Operator", "contains" }, { "Values", new[] { "<b>" } } };
        Expect(HasKeys(Ok("WSSearchActorsAdvanced", new Members(ofCustomer) { { "Restrictions", new object[] { restriction } } }), "M1"), "a hit");
        var projects = Items(Ok("WSGetActorsByTimestamp", new Members { { "ActorType", "Project" } }), "Actors");
        Expect(projects.Select(actor => Text(actor, "ErpKey")).Distinct().Count() == 1000, "1,000 projects");
        Expect(Fields(projects[999])["NAME"] == "Project <1000> & Söhne", "the last project");
        Done("1,000 rows");

        // Writing.
        var sent = new Dict { { "NAME", Tricky }, { "NULLED", null }, { "EMPTY", "" }, { "CREDIT", "[F:1.5]" } };
        var customer = new Members(ofCustomer) { { "FieldValues", sent } };
        var created = Get(Ok("WSCreateActor", new Members { { "Actor", customer } }), "Actor");
        Expect(Same(Fields(created), sent), "what was sent");
        Done("escaping");
        Done("null and empty");
        var key = Text(created, "ErpKey");
        var person = new Members { { "ActorType", "Person" }, { "FieldValues", new Dict { { "NAME", "Anna" } } }, { "ParentActorType", "Customer" }, { "ParentErpKey", key } };
        var below = Get(Call("WSCreateActor", new Members { { "Actor", person } }), "Actor");
        Expect(Text(below, "ParentActorType") == "Customer" && Text(below, "ParentErpKey") == key, "a parent");
        var ofParent = new Members { { "ActorType", "Person" }, { "SearchText", "" }, { "ParentActorType", "Customer" }, { "ParentActorErpKey", key } };
        Expect(HasKeys(Ok("WSSearchActorByParent", ofParent), Text(below, "ErpKey")), "a child");
        var change = new Members(ofCustomer) { { "ErpKey", key }, { "FieldValues", new Dict { { "NAME", "Renamed" } } } };
        var saved = Ok("WSSaveActors", new Members { { "Actors", new object[] { change } } });
        var since = new Members(ofCustomer) { { "UpdatedOnOrAfter", Text(Items(saved, "Actors")[0], "LastModified") } };
        var changed = Call("WSGetActorsByTimestamp", since);
        sent["NAME"] = "Renamed";
        Expect(HasKeys(changed, key) && Same(Fields(Items(changed, "Actors")[0]), sent), "the change");

        // Lists.
        var colours = new Members { { "ListName", "Colours" } };
        Expect(Same((Dict)Get(Ok("WSGetList", colours), "ListItems"), new Dict { { "R&D", "Rød <rosé>" }, { "none", "" } }), "two colours");
        var one = Ok("WSGetListItems", new Members(colours) { { "ListItemKeys", new[] { "R&D" } } });
        Expect(Same((Dict)Get(one, "ListItems"), new Dict { { "R&D", "Rød <rosé>" } }), "one colour");
        Done("dictionaries");

        // Nobody is set up here to be known, but the answer can be read.
        var answer = new Port<IIntegrationServiceConnectorAuth>(url).Call("Authenticate", new Members { { "SignedToken", "x" } });
        Expect(!(bool)Get(answer, "Succeeded") && Text(answer, "Reason") != "", "a refusal");
        Done("Authenticate");

        using (new OperationContextScope((IContextChannel)port.Channel))
        {
            var http = new HttpRequestMessageProperty();
            http.Headers["SOAPAction"] = "\"" + NoSuchAction + "\"";
            OperationContext.Current.OutgoingMessageHeaders.Action = NoSuchAction;
            OperationContext.Current.OutgoingMessageProperties[HttpRequestMessageProperty.Name] = http;
            try
            {
                Call("WSTestConnection");
                throw new Exception("expected a fault");
            }
            catch (FaultException fault)
            {
                Expect(fault.Code.Name == "Client" && fault.Message.Contains("WSNoSuchThing"), "a fault, not " + fault.Code.Name + " " + fault.Message);
                Done("fault");
            }
        }

        Ok("WSDeleteConnection");
        Expect(Text(Call("WSTestConnection"), "ErrorCode") == "UNKNOWN_CONNECTION_ID", "UNKNOWN_CONNECTION_ID");
    }
}
