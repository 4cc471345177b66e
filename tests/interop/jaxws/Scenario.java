// The scenario (see ../README.md) with JAX-WS, on classes that wsimport made from the WSDL. They are used by the names of their
// elements, with reflection, so that the scenario is the same for every contract.
// usage: Scenario WSDL_URL GUID SERVICE_CLASS

import java.net.URL;
import java.util.*;
import java.util.stream.Collectors;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.soap.SOAPFaultException;

public class Scenario {
    static final String TRICKY = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";
    static final String NO_SUCH_ACTION = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing";

    static Generated port;
    static String guid;

    static void done(String aspect) {
        System.out.println("ok " + aspect);
    }

    static void expect(boolean holds, String what) {
        if (!holds) throw new AssertionError("expected " + what);
    }

    /** Names and values, one after the other. A value may be null. */
    @SuppressWarnings("unchecked")
    static <T> Map<String, T> map(Object... pairs) {
        Map<String, T> map = new LinkedHashMap<>();
        for (int at = 0; at < pairs.length; at += 2) map.put((String) pairs[at], (T) pairs[at + 1]);
        return map;
    }

    /** A call of the connection. */
    static Map<String, Object> call(String operation, Object... members) {
        Map<String, Object> request = map(members);
        request.put("ConnectionGuid", guid);
        return port.call(operation, request);
    }

    static Map<String, Object> checked(String operation, Map<String, Object> answer) {
        expect("Ok".equals(answer.get("State")) && Boolean.TRUE.equals(answer.get("IsOk")), "State Ok of " + operation + ", not " + answer);
        done(operation);
        return answer;
    }

    static Map<String, Object> ok(String operation, Object... members) {
        return checked(operation, call(operation, members));
    }

    @SuppressWarnings("unchecked")
    static List<Map<String, Object>> list(Map<String, Object> answer, String name) {
        return (List<Map<String, Object>>) answer.get(name);
    }

    static List<Object> keys(Map<String, Object> answer) {
        return list(answer, "Actors").stream().map(actor -> actor.get("ErpKey")).collect(Collectors.toList());
    }

    static Object fields(Map<String, Object> answer) {
        return list(answer, "Actors").get(0).get("FieldValues");
    }

    static Map<String, Object> field(Map<String, Object> answer, String key) {
        return list(answer, "FieldMetaDataObjects").stream().filter(field -> key.equals(field.get("FieldKey"))).findFirst().orElseThrow();
    }

    @SuppressWarnings("unchecked")
    public static void main(String[] arguments) throws Exception {
        guid = arguments[1];
        Generated.Service service = new Generated.Service(arguments[2], new URL(arguments[0]));
        port = service.port("IErpConnectorWS");
        done("WSDL");

        // Setting up.
        Map<String, Object> greeting = field(checked("WSGetConfigData", port.call("WSGetConfigData", map())), "Greeting");
        expect(greeting.get("Access").equals("Mandatory") && greeting.get("FieldType").equals("Text")
            && greeting.get("MaxLength").equals(0) && greeting.get("DisplayName").toString().contains("Greeting & <name>"), "the form, not " + greeting);
        Map<String, Object> bad = port.call("WSTestConfigData", map("ConnectionInfo", map("Greeting", "fail")));
        expect("Error".equals(bad.get("State")) && Boolean.FALSE.equals(bad.get("IsOk")), "State Error, not " + bad);
        expect("US:\"not <this> & not that\";NO:\"ikke <dette> & ikke det\"".equals(bad.get("UserExplanation")), "an explanation, not " + bad);
        Map<String, Object> settings = map("Greeting", "hello", "Colour", "R&D");
        checked("WSTestConfigData", port.call("WSTestConfigData", map("ConnectionInfo", settings)));
        expect("UNKNOWN_CONNECTION_ID".equals(call("WSTestConnection").get("ErrorCode")), "UNKNOWN_CONNECTION_ID");
        ok("WSSaveConnection", "ConnectionInfo", settings);
        ok("WSTestConnection");

        // What there is.
        expect(ok("WSGetSupportedActorTypes").get("Items").equals(List.of("Customer", "Person", "Project")), "three actor types");
        expect(field(ok("WSGetSupportedActorTypeFields", "ActorType", "Customer"), "CREDIT").get("FieldType").equals("Double"), "a field");
        expect(((List<?>) ok("WSGetSearchableFields", "ActorType", "Customer").get("Items")).contains("NAME"), "NAME");

        // Reading.
        Map<String, Object> got = ok("WSGetActors", "ActorType", "Customer", "ErpKeys", List.of("M1", "nobody"));
        expect(keys(got).equals(List.of("M1")), "one actor, not " + got);
        Map<String, Object> values = (Map<String, Object>) fields(got);
        expect(TRICKY.equals(values.get("NAME")), "the text, not " + values);
        expect(values.containsKey("NULLED") && values.get("NULLED") == null && "".equals(values.get("EMPTY")), "null and empty, not " + values);
        Map<String, Object> none = call("WSGetActors", "ActorType", "Customer", "ErpKeys", List.of("M1"), "FieldKeys", List.of());
        expect(fields(none).equals(map()), "no field, not " + none);
        Map<String, Object> named = call("WSGetActors", "ActorType", "Customer", "ErpKeys", List.of("M1"), "FieldKeys", List.of("NAME"));
        expect(fields(named).equals(map("NAME", TRICKY)), "one field, not " + named);
        expect(keys(ok("WSSearchActors", "ActorType", "Customer", "SearchText", "r&d")).equals(List.of("M1")), "a hit");
        Map<String, Object> restriction = map("FieldKey", "NAME", "Operator", "contains", "Values", List.of("<b>"));
        Map<String, Object> found = ok("WSSearchActorsAdvanced", "ActorType", "Customer", "Restrictions", List.of(restriction));
        expect(keys(found).equals(List.of("M1")), "a hit, not " + found);
        Map<String, Object> projects = ok("WSGetActorsByTimestamp", "ActorType", "Project");
        expect(new HashSet<>(keys(projects)).size() == 1000, "1,000 projects");
        Map<String, Object> last = (Map<String, Object>) list(projects, "Actors").get(999).get("FieldValues");
        expect("Project <1000> & Söhne".equals(last.get("NAME")), "the last project, not " + last);
        done("1,000 rows");

        // Writing.
        Map<String, Object> sent = map("NAME", TRICKY, "NULLED", null, "EMPTY", "", "CREDIT", "[F:1.5]");
        Map<String, Object> actor = (Map<String, Object>) ok("WSCreateActor", "Actor", map("ActorType", "Customer", "FieldValues", sent)).get("Actor");
        expect(sent.equals(actor.get("FieldValues")), "what was sent, not " + actor);
        done("escaping");
        done("null and empty");
        Object key = actor.get("ErpKey");
        Map<String, Object> person = map("ActorType", "Person", "FieldValues", map("NAME", "Anna"), "ParentActorType", "Customer", "ParentErpKey", key);
        Map<String, Object> below = (Map<String, Object>) call("WSCreateActor", "Actor", person).get("Actor");
        expect("Customer".equals(below.get("ParentActorType")) && key.equals(below.get("ParentErpKey")), "a parent, not " + below);
        Map<String, Object> children = ok("WSSearchActorByParent", "ActorType", "Person", "SearchText", "", "ParentActorType", "Customer", "ParentActorErpKey", key);
        expect(keys(children).equals(List.of(below.get("ErpKey"))), "a child, not " + children);
        Map<String, Object> change = map("ActorType", "Customer", "ErpKey", key, "FieldValues", map("NAME", "Renamed"));
        Map<String, Object> saved = list(ok("WSSaveActors", "Actors", List.of(change)), "Actors").get(0);
        Map<String, Object> changed = call("WSGetActorsByTimestamp", "ActorType", "Customer", "UpdatedOnOrAfter", saved.get("LastModified"));
        sent.put("NAME", "Renamed");
        expect(keys(changed).equals(List.of(key)) && fields(changed).equals(sent), "the change, not " + changed);

        // Lists.
        Map<String, Object> colours = ok("WSGetList", "ListName", "Colours");
        expect(map("R&D", "Rød <rosé>", "none", "").equals(colours.get("ListItems")), "two colours, not " + colours);
        Map<String, Object> one = ok("WSGetListItems", "ListName", "Colours", "ListItemKeys", List.of("R&D"));
        expect(map("R&D", "Rød <rosé>").equals(one.get("ListItems")), "one colour, not " + one);
        done("dictionaries");

        // Nobody is set up here to be known, but the answer can be read.
        Map<String, Object> answer = service.port("IIntegrationServiceConnectorAuth").call("Authenticate", map("SignedToken", "x"));
        expect(Boolean.FALSE.equals(answer.get("Succeeded")) && !"".equals(answer.get("Reason")), "a refusal, not " + answer);
        done("Authenticate");

        Generated wrong = service.port("IErpConnectorWS");
        wrong.context().put(BindingProvider.SOAPACTION_USE_PROPERTY, true);
        wrong.context().put(BindingProvider.SOAPACTION_URI_PROPERTY, NO_SUCH_ACTION);
        try {
            wrong.call("WSTestConnection", map("ConnectionGuid", guid));
            throw new AssertionError("expected a fault");
        } catch (SOAPFaultException fault) {
            expect(fault.getFault().getFaultCode().endsWith(":Client") && fault.getFault().getFaultString().contains("WSNoSuchThing"), "a fault");
            done("fault");
        }

        ok("WSDeleteConnection");
        expect("UNKNOWN_CONNECTION_ID".equals(call("WSTestConnection").get("ErrorCode")), "UNKNOWN_CONNECTION_ID");
    }
}
