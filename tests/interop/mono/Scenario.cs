// The scenario (see ../README.md) with Mono's WCF client. usage: Scenario.exe URL GUID
//
// The classes come from svcutil, from the WSDL of DATA or PLAIN; with MESSAGE from MessageContracts.cs, on the carriers of DATA.

#if PLAIN
using Ws = SuperOffice.ErpSync;
using Auth = SuperOffice.SuperID.Contracts.V1;
#elif MESSAGE
using Ws = MessageContracts;
using Auth = MessageContracts;
#else
using Ws = www.superoffice.net.EIS.Connector._1._01;
using Auth = www.superoffice.net.EIS.Connector._1._01;
#endif
using System;
using System.Collections.Generic;
using System.Linq;
using System.ServiceModel;
using System.ServiceModel.Channels;
using www.superoffice.net.EIS.Connector._1._01;
using Dict = System.Collections.Generic.Dictionary<string, string>;
#if MESSAGE
using Service = MessageContracts.IErpConnectorWS;
using AuthService = MessageContracts.IIntegrationServiceConnectorAuth;
#else
using Service = IErpConnectorWS;
using AuthService = IIntegrationServiceConnectorAuth;
#endif

static class Scenario
{
    const string Tricky = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";
    const string NoSuchAction = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing";

    static void Done(string aspect)
    {
        Console.WriteLine("ok " + aspect);
    }

    static void Expect(bool holds, string what)
    {
        if (!holds) throw new Exception("expected " + what);
    }

    static void Ok(string operation, dynamic answer)
    {
        Expect(answer.State.ToString() == "Ok" && answer.IsOk, "State Ok of " + operation + ", not " + answer.State + " " + answer.UserExplanation);
        Done(operation);
    }

    static T Channel<T>(string url)
    {
        var binding = new BasicHttpBinding { MaxReceivedMessageSize = int.MaxValue, MaxBufferSize = int.MaxValue };
        binding.ReaderQuotas.MaxArrayLength = binding.ReaderQuotas.MaxStringContentLength = int.MaxValue;
        return new ChannelFactory<T>(binding, new EndpointAddress(url)).CreateChannel();
    }

    static string[] Keys(IEnumerable<ErpActorWS> actors)
    {
        return actors.Select(actor => actor.ErpKey).ToArray();
    }

    static bool Same(Dict left, Dict right)
    {
        return left.Count == right.Count && left.All(pair => right.ContainsKey(pair.Key) && right[pair.Key] == pair.Value);
    }

    static int Main(string[] arguments)
    {
        try
        {
            Run(arguments[0], arguments[1]);
            return 0;
        }
        catch (Exception error)
        {
            Console.Error.WriteLine(error);
            return 1;
        }
    }

    static void Run(string url, string guid)
    {
        var port = Channel<Service>(url);
#if MESSAGE
        Console.WriteLine("limit WSDL: svcutil makes no message contracts; in the dialect message they are written by hand");
#else
        Done("WSDL");
#endif
        Func<Ws.RequestBaseWS> connection = () => new Ws.RequestBaseWS { ConnectionGuid = guid };

        // Setting up.
        var config = port.WSGetConfigData();
        Ok("WSGetConfigData", config);
        var greeting = config.FieldMetaDataObjects.Single(field => field.FieldKey == "Greeting");
        Expect(greeting.Access == FieldAccessInfoWS.Mandatory && greeting.FieldType == FieldMetadataTypeInfoWS.Text
            && greeting.MaxLength == 0 && greeting.DisplayName.Contains("Greeting & <name>"), "the form");
        var bad = port.WSTestConfigData(new Ws.TestConfigDataRequestWS { ConnectionInfo = new Dict { { "Greeting", "fail" } } });
        Expect(bad.State == ResponseStateWS.Error && !bad.IsOk, "State Error");
        Expect(bad.UserExplanation == "US:\"not <this> & not that\";NO:\"ikke <dette> & ikke det\"", "an explanation");
        var settings = new Dict { { "Greeting", "hello" }, { "Colour", "R&D" } };
        Ok("WSTestConfigData", port.WSTestConfigData(new Ws.TestConfigDataRequestWS { ConnectionInfo = settings }));
        Expect(port.WSTestConnection(connection()).ErrorCode == "UNKNOWN_CONNECTION_ID", "UNKNOWN_CONNECTION_ID");
        Ok("WSSaveConnection", port.WSSaveConnection(new Ws.SaveConnectionRequestWS { ConnectionGuid = guid, ConnectionInfo = settings }));
        Ok("WSTestConnection", port.WSTestConnection(connection()));

        // What there is.
        var types = port.WSGetSupportedActorTypes(connection());
        Ok("WSGetSupportedActorTypes", types);
        Expect(types.Items.SequenceEqual(new[] { "Customer", "Person", "Project" }), "three actor types");
        var fields = port.WSGetSupportedActorTypeFields(new Ws.GetSupportedActorTypeFieldsRequestWS { ConnectionGuid = guid, ActorType = "Customer" });
        Ok("WSGetSupportedActorTypeFields", fields);
        Expect(fields.FieldMetaDataObjects.Single(field => field.FieldKey == "CREDIT").FieldType == FieldMetadataTypeInfoWS.Double, "a field");
        var searchable = port.WSGetSearchableFields(new Ws.GetSearchableFieldsRequestWS { ConnectionGuid = guid, ActorType = "Customer" });
        Ok("WSGetSearchableFields", searchable);
        Expect(searchable.Items.Contains("NAME"), "NAME");

        // Reading.
        Func<string[], ErpActorWS[]> m1 = keys =>
        {
            var some = port.WSGetActors(new Ws.GetActorsRequestWS { ConnectionGuid = guid, ActorType = "Customer", ErpKeys = new[] { "M1", "nobody" }, FieldKeys = keys });
            if (keys == null) Ok("WSGetActors", some);
            return some.Actors;
        };
        var got = m1(null);
        Expect(Keys(got).SequenceEqual(new[] { "M1" }), "one actor");
        var values = got[0].FieldValues;
        Expect(values["NAME"] == Tricky, "the text, not " + values["NAME"]);
        Expect(values["NULLED"] == null && values["EMPTY"] == "", "null and empty, not " + values["NULLED"] + " and " + values["EMPTY"]);
        Expect(m1(new string[0])[0].FieldValues.Count == 0, "no field");
        Expect(Same(m1(new[] { "NAME" })[0].FieldValues, new Dict { { "NAME", Tricky } }), "one field");
        var hits = port.WSSearchActors(new Ws.SearchActorsRequestWS { ConnectionGuid = guid, ActorType = "Customer", SearchText = "r&d" });
        Ok("WSSearchActors", hits);
        Expect(Keys(hits.Actors).SequenceEqual(new[] { "M1" }), "a hit");
        var restriction = new SearchRestrictionInfoWS { FieldKey = "NAME", Operator = "contains", Values = new[] { "<b>" } };
        var found = port.WSSearchActorsAdvanced(new Ws.SearchActorsAdvancedRequestWS { ConnectionGuid = guid, ActorType = "Customer", Restrictions = new[] { restriction } });
        Ok("WSSearchActorsAdvanced", found);
        Expect(Keys(found.Actors).SequenceEqual(new[] { "M1" }), "a hit");
        var projects = port.WSGetActorsByTimestamp(new Ws.GetActorsByTimestampRequestWS { ConnectionGuid = guid, ActorType = "Project" });
        Ok("WSGetActorsByTimestamp", projects);
        Expect(Keys(projects.Actors).Distinct().Count() == 1000, "1,000 projects");
        Expect(projects.Actors[999].FieldValues["NAME"] == "Project <1000> & Söhne", "the last project");
        Done("1,000 rows");

        // Writing.
        var sent = new Dict { { "NAME", Tricky }, { "NULLED", null }, { "EMPTY", "" }, { "CREDIT", "[F:1.5]" } };
        var create = new Ws.CreateActorRequestWS { ConnectionGuid = guid, Actor = new ErpActorWS { ActorType = "Customer", FieldValues = sent } };
        var created = port.WSCreateActor(create);
        Ok("WSCreateActor", created);
        Expect(Same(created.Actor.FieldValues, sent), "what was sent");
        Done("escaping");
        Done("null and empty");
        var key = created.Actor.ErpKey;
        create.Actor = new ErpActorWS { ActorType = "Person", FieldValues = new Dict { { "NAME", "Anna" } }, ParentActorType = "Customer", ParentErpKey = key };
        var below = port.WSCreateActor(create).Actor;
        Expect(below.ParentActorType == "Customer" && below.ParentErpKey == key, "a parent");
        var children = port.WSSearchActorByParent(new Ws.SearchActorByParentRequestWS { ConnectionGuid = guid, ActorType = "Person", SearchText = "", ParentActorType = "Customer", ParentActorErpKey = key });
        Ok("WSSearchActorByParent", children);
        Expect(Keys(children.Actors).SequenceEqual(new[] { below.ErpKey }), "a child");
        var change = new ErpActorWS { ActorType = "Customer", ErpKey = key, FieldValues = new Dict { { "NAME", "Renamed" } } };
        var saved = port.WSSaveActors(new Ws.SaveActorsRequestWS { ConnectionGuid = guid, Actors = new[] { change } });
        Ok("WSSaveActors", saved);
        var changed = port.WSGetActorsByTimestamp(new Ws.GetActorsByTimestampRequestWS { ConnectionGuid = guid, ActorType = "Customer", UpdatedOnOrAfter = saved.Actors[0].LastModified });
        sent["NAME"] = "Renamed";
        Expect(Keys(changed.Actors).SequenceEqual(new[] { key }) && Same(changed.Actors[0].FieldValues, sent), "the change");

        // Lists.
        var colours = port.WSGetList(new Ws.GetListRequestWS { ConnectionGuid = guid, ListName = "Colours" });
        Ok("WSGetList", colours);
        Expect(Same(colours.ListItems, new Dict { { "R&D", "Rød <rosé>" }, { "none", "" } }), "two colours");
        var one = port.WSGetListItems(new Ws.GetListItemsRequestWS { ConnectionGuid = guid, ListName = "Colours", ListItemKeys = new[] { "R&D" } });
        Ok("WSGetListItems", one);
        Expect(Same(one.ListItems, new Dict { { "R&D", "Rød <rosé>" } }), "one colour");
        Done("dictionaries");

        // Nobody is set up here to be known, but the answer can be read.
        var answer = Channel<AuthService>(url).Authenticate(new Auth.AuthenticationRequest { SignedToken = "x" });
        Expect(!answer.Succeeded && answer.Reason != "", "a refusal");
        Done("Authenticate");

        using (new OperationContextScope((IContextChannel)port))
        {
            var http = new HttpRequestMessageProperty();
            http.Headers["SOAPAction"] = "\"" + NoSuchAction + "\"";
            OperationContext.Current.OutgoingMessageHeaders.Action = NoSuchAction;
            OperationContext.Current.OutgoingMessageProperties[HttpRequestMessageProperty.Name] = http;
            try
            {
                port.WSTestConnection(connection());
                throw new Exception("expected a fault");
            }
            catch (FaultException fault)
            {
                Expect(fault.Code.Name == "Client" && fault.Message.Contains("WSNoSuchThing"), "a fault, not " + fault.Code.Name + " " + fault.Message);
                Done("fault");
            }
        }

        Ok("WSDeleteConnection", port.WSDeleteConnection(connection()));
        Expect(port.WSTestConnection(connection()).ErrorCode == "UNKNOWN_CONNECTION_ID", "UNKNOWN_CONNECTION_ID");
    }
}
