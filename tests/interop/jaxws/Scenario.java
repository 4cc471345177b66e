// The scenario (see ../README.md) with JAX-WS, on classes that wsimport made from the WSDL. A package for each namespace: of the two
// last, only the dialect plain has classes.
// usage: Scenario WSDL_URL GUID

import com.microsoft.schemas._2003._10.serialization.arrays.*;
import net.superoffice.eis.connector._1.*;
import org.datacontract.schemas._2004._07.superoffice.*;
import org.datacontract.schemas._2004._07.superoffice_superid_contracts.*;
import java.net.URL;
import java.util.*;
import java.util.stream.Collectors;
import javax.xml.ws.BindingProvider;
import javax.xml.ws.soap.SOAPFaultException;

public class Scenario {
    static final String TRICKY = "Æsop's \"R&D\" <b>søn</b> ]]> 漢字 😀";
    static final String NO_SUCH_ACTION = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSNoSuchThing";

    static void done(String aspect) {
        System.out.println("ok " + aspect);
    }

    static void expect(boolean holds, String what) {
        if (!holds) throw new AssertionError("expected " + what);
    }

    static void ok(String operation, ResponseStateWS state, Boolean isOk) {
        expect(state == ResponseStateWS.OK && isOk, "State Ok of " + operation + ", not " + state);
        done(operation);
    }

    static ArrayOfstring strings(String... texts) {
        ArrayOfstring array = new ArrayOfstring();
        array.getString().addAll(Arrays.asList(texts));
        return array;
    }

    static ArrayOfKeyValueOfstringstring dictionary(Map<String, String> entries) {
        ArrayOfKeyValueOfstringstring array = new ArrayOfKeyValueOfstringstring();
        entries.forEach((key, value) -> {
            ArrayOfKeyValueOfstringstring.KeyValueOfstringstring pair = new ArrayOfKeyValueOfstringstring.KeyValueOfstringstring();
            pair.setKey(key);
            pair.setValue(value);
            array.getKeyValueOfstringstring().add(pair);
        });
        return array;
    }

    static Map<String, String> entries(ArrayOfKeyValueOfstringstring dictionary) {
        Map<String, String> entries = new LinkedHashMap<>();
        dictionary.getKeyValueOfstringstring().forEach(pair -> entries.put(pair.getKey(), pair.getValue()));
        return entries;
    }

    static List<String> keys(ActorArrayPluginResponseWS answer) {
        return answer.getActors().getErpActorWS().stream().map(ErpActorWS::getErpKey).collect(Collectors.toList());
    }

    static ErpActorWS first(ActorArrayPluginResponseWS answer) {
        return answer.getActors().getErpActorWS().get(0);
    }

    public static void main(String[] arguments) throws Exception {
        String guid = arguments[1];
        ErpConnectorService service = new ErpConnectorService(new URL(arguments[0]));
        IErpConnectorWS port = service.getBasicHttpBindingIErpConnectorWS();
        done("WSDL");

        RequestBaseWS base = new RequestBaseWS();
        base.setConnectionGuid(guid);

        // Setting up.
        FieldMetadataInfoArrayPluginResponseWS config = port.wsGetConfigData();
        ok("WSGetConfigData", config.getState(), config.isIsOk());
        FieldMetadataInfoWS greeting = field(config, "Greeting");
        expect(greeting.getAccess() == FieldAccessInfoWS.MANDATORY && greeting.getFieldType() == FieldMetadataTypeInfoWS.TEXT
            && greeting.getMaxLength() == 0 && greeting.getDisplayName().contains("Greeting & <name>"), "the form");
        TestConfigDataRequestWS test = new TestConfigDataRequestWS();
        test.setConnectionInfo(dictionary(Map.of("Greeting", "fail")));
        ConnectorResultBaseWS bad = port.wsTestConfigData(test);
        expect(bad.getState() == ResponseStateWS.ERROR && !bad.isIsOk(), "State Error");
        expect(bad.getUserExplanation().equals("US:\"not <this> & not that\";NO:\"ikke <dette> & ikke det\""), "an explanation");
        ArrayOfKeyValueOfstringstring settings = dictionary(Map.of("Greeting", "hello", "Colour", "R&D"));
        test.setConnectionInfo(settings);
        ConnectorResultBaseWS tested = port.wsTestConfigData(test);
        ok("WSTestConfigData", tested.getState(), tested.isIsOk());
        expect("UNKNOWN_CONNECTION_ID".equals(port.wsTestConnection(base).getErrorCode()), "UNKNOWN_CONNECTION_ID");
        SaveConnectionRequestWS save = new SaveConnectionRequestWS();
        save.setConnectionGuid(guid);
        save.setConnectionInfo(settings);
        ConnectorResultBaseWS savedConnection = port.wsSaveConnection(save);
        ok("WSSaveConnection", savedConnection.getState(), savedConnection.isIsOk());
        ConnectorResultBaseWS testedConnection = port.wsTestConnection(base);
        ok("WSTestConnection", testedConnection.getState(), testedConnection.isIsOk());

        // What there is.
        StringArrayPluginResponseWS types = port.wsGetSupportedActorTypes(base);
        ok("WSGetSupportedActorTypes", types.getState(), types.isIsOk());
        expect(types.getItems().getString().equals(List.of("Customer", "Person", "Project")), "three actor types");
        GetSupportedActorTypeFieldsRequestWS ofType = new GetSupportedActorTypeFieldsRequestWS();
        ofType.setConnectionGuid(guid);
        ofType.setActorType("Customer");
        FieldMetadataInfoArrayPluginResponseWS fields = port.wsGetSupportedActorTypeFields(ofType);
        ok("WSGetSupportedActorTypeFields", fields.getState(), fields.isIsOk());
        expect(field(fields, "CREDIT").getFieldType() == FieldMetadataTypeInfoWS.DOUBLE, "a field");
        GetSearchableFieldsRequestWS searchableOf = new GetSearchableFieldsRequestWS();
        searchableOf.setConnectionGuid(guid);
        searchableOf.setActorType("Customer");
        StringArrayPluginResponseWS searchable = port.wsGetSearchableFields(searchableOf);
        ok("WSGetSearchableFields", searchable.getState(), searchable.isIsOk());
        expect(searchable.getItems().getString().contains("NAME"), "NAME");

        // Reading.
        GetActorsRequestWS get = new GetActorsRequestWS();
        get.setConnectionGuid(guid);
        get.setActorType("Customer");
        get.setErpKeys(strings("M1", "nobody"));
        ActorArrayPluginResponseWS got = port.wsGetActors(get);
        ok("WSGetActors", got.getState(), got.isIsOk());
        expect(keys(got).equals(List.of("M1")), "one actor");
        Map<String, String> values = entries(first(got).getFieldValues());
        expect(values.get("NAME").equals(TRICKY), "the text, not " + values);
        expect(values.get("NULLED") == null && values.get("EMPTY").equals(""), "null and empty, not " + values);
        get.setFieldKeys(strings());
        expect(entries(first(port.wsGetActors(get)).getFieldValues()).isEmpty(), "no field");
        get.setFieldKeys(strings("NAME"));
        expect(entries(first(port.wsGetActors(get)).getFieldValues()).equals(Map.of("NAME", TRICKY)), "one field");
        SearchActorsRequestWS search = new SearchActorsRequestWS();
        search.setConnectionGuid(guid);
        search.setActorType("Customer");
        search.setSearchText("r&d");
        ActorArrayPluginResponseWS hits = port.wsSearchActors(search);
        ok("WSSearchActors", hits.getState(), hits.isIsOk());
        expect(keys(hits).equals(List.of("M1")), "a hit");
        SearchRestrictionInfoWS restriction = new SearchRestrictionInfoWS();
        restriction.setFieldKey("NAME");
        restriction.setOperator("contains");
        restriction.setValues(strings("<b>"));
        SearchActorsAdvancedRequestWS advanced = new SearchActorsAdvancedRequestWS();
        advanced.setConnectionGuid(guid);
        advanced.setActorType("Customer");
        advanced.setRestrictions(new ArrayOfSearchRestrictionInfoWS());
        advanced.getRestrictions().getSearchRestrictionInfoWS().add(restriction);
        ActorArrayPluginResponseWS found = port.wsSearchActorsAdvanced(advanced);
        ok("WSSearchActorsAdvanced", found.getState(), found.isIsOk());
        expect(keys(found).equals(List.of("M1")), "a hit");
        GetActorsByTimestampRequestWS since = new GetActorsByTimestampRequestWS();
        since.setConnectionGuid(guid);
        since.setActorType("Project");
        ActorArrayPluginResponseWS projects = port.wsGetActorsByTimestamp(since);
        ok("WSGetActorsByTimestamp", projects.getState(), projects.isIsOk());
        expect(new HashSet<>(keys(projects)).size() == 1000, "1,000 projects");
        ErpActorWS last = projects.getActors().getErpActorWS().get(999);
        expect(entries(last.getFieldValues()).get("NAME").equals("Project <1000> & Söhne"), "the last project");
        done("1,000 rows");

        // Writing.
        Map<String, String> sent = new HashMap<>(Map.of("NAME", TRICKY, "EMPTY", "", "CREDIT", "[F:1.5]"));
        sent.put("NULLED", null);
        CreateActorRequestWS create = new CreateActorRequestWS();
        create.setConnectionGuid(guid);
        create.setActor(new ErpActorWS());
        create.getActor().setActorType("Customer");
        create.getActor().setFieldValues(dictionary(sent));
        ActorPluginResponseWS created = port.wsCreateActor(create);
        ok("WSCreateActor", created.getState(), created.isIsOk());
        expect(entries(created.getActor().getFieldValues()).equals(sent), "what was sent");
        done("escaping");
        done("null and empty");
        String key = created.getActor().getErpKey();
        create.getActor().setActorType("Person");
        create.getActor().setFieldValues(dictionary(Map.of("NAME", "Anna")));
        create.getActor().setParentActorType("Customer");
        create.getActor().setParentErpKey(key);
        ErpActorWS below = port.wsCreateActor(create).getActor();
        expect(below.getParentActorType().equals("Customer") && below.getParentErpKey().equals(key), "a parent");
        SearchActorByParentRequestWS ofParent = new SearchActorByParentRequestWS();
        ofParent.setConnectionGuid(guid);
        ofParent.setActorType("Person");
        ofParent.setSearchText("");
        ofParent.setParentActorType("Customer");
        ofParent.setParentActorErpKey(key);
        ActorArrayPluginResponseWS children = port.wsSearchActorByParent(ofParent);
        ok("WSSearchActorByParent", children.getState(), children.isIsOk());
        expect(keys(children).equals(List.of(below.getErpKey())), "a child");
        ErpActorWS change = new ErpActorWS();
        change.setActorType("Customer");
        change.setErpKey(key);
        change.setFieldValues(dictionary(Map.of("NAME", "Renamed")));
        SaveActorsRequestWS saveActors = new SaveActorsRequestWS();
        saveActors.setConnectionGuid(guid);
        saveActors.setActors(new ArrayOfErpActorWS());
        saveActors.getActors().getErpActorWS().add(change);
        ActorArrayPluginResponseWS saved = port.wsSaveActors(saveActors);
        ok("WSSaveActors", saved.getState(), saved.isIsOk());
        since.setActorType("Customer");
        since.setUpdatedOnOrAfter(first(saved).getLastModified());
        ActorArrayPluginResponseWS changed = port.wsGetActorsByTimestamp(since);
        sent.put("NAME", "Renamed");
        expect(keys(changed).equals(List.of(key)) && entries(first(changed).getFieldValues()).equals(sent), "the change");

        // Lists.
        GetListRequestWS list = new GetListRequestWS();
        list.setConnectionGuid(guid);
        list.setListName("Colours");
        ListItemArrayPluginResponseWS colours = port.wsGetList(list);
        ok("WSGetList", colours.getState(), colours.isIsOk());
        expect(entries(colours.getListItems()).equals(Map.of("R&D", "Rød <rosé>", "none", "")), "two colours");
        GetListItemsRequestWS items = new GetListItemsRequestWS();
        items.setConnectionGuid(guid);
        items.setListName("Colours");
        items.setListItemKeys(strings("R&D"));
        ListItemArrayPluginResponseWS one = port.wsGetListItems(items);
        ok("WSGetListItems", one.getState(), one.isIsOk());
        expect(entries(one.getListItems()).equals(Map.of("R&D", "Rød <rosé>")), "one colour");
        done("dictionaries");

        // Nobody is set up here to be known, but the answer can be read.
        AuthenticationRequest token = new AuthenticationRequest();
        token.setSignedToken("x");
        AuthenticationResponse answer = service.getBasicHttpBindingIIntegrationServiceConnectorAuth().authenticate(token);
        expect(!answer.isSucceeded() && !answer.getReason().isEmpty(), "a refusal");
        done("Authenticate");

        IErpConnectorWS wrong = service.getBasicHttpBindingIErpConnectorWS();
        Map<String, Object> context = ((BindingProvider) wrong).getRequestContext();
        context.put(BindingProvider.SOAPACTION_USE_PROPERTY, true);
        context.put(BindingProvider.SOAPACTION_URI_PROPERTY, NO_SUCH_ACTION);
        try {
            wrong.wsTestConnection(base);
            throw new AssertionError("expected a fault");
        } catch (SOAPFaultException fault) {
            expect(fault.getFault().getFaultCode().endsWith(":Client") && fault.getFault().getFaultString().contains("WSNoSuchThing"), "a fault");
            done("fault");
        }

        ConnectorResultBaseWS deleted = port.wsDeleteConnection(base);
        ok("WSDeleteConnection", deleted.getState(), deleted.isIsOk());
        expect("UNKNOWN_CONNECTION_ID".equals(port.wsTestConnection(base).getErrorCode()), "UNKNOWN_CONNECTION_ID");
    }

    static FieldMetadataInfoWS field(FieldMetadataInfoArrayPluginResponseWS fields, String key) {
        return fields.getFieldMetaDataObjects().getFieldMetadataInfoWS().stream()
            .filter(field -> field.getFieldKey().equals(key)).findFirst().orElseThrow();
    }
}
