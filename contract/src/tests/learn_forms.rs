//! Learning from every form that services publish, and from what is no WSDL of a connector service.

use super::learn::{SERVICE, assert_messages_hold_every_value, document};
use super::recordings::fixtures;
use crate::learn::{Comparison, WsdlDocument, compare, imports, learn};
use crate::wsdl::LearnedWsdl;

/// A part of a WSDL that is replaced by another one.
type Edit = (&'static str, &'static str);

/// The recorded WSDL of `message` with these edits.
fn edited(edits: &[Edit]) -> String {
    let mut text = std::fs::read_to_string(fixtures().join("wsdl/message.wsdl")).unwrap();
    for (from, to) in edits {
        assert!(text.contains(from), "the WSDL has no {from}");
        text = text.replacen(from, to, 1);
    }
    text
}

/// The recorded WSDL, in which actors are derived from another type over so many levels.
fn derived(levels: usize) -> String {
    const ACTOR: &str = r#"<xs:complexType name="ErpActorWS"><xs:sequence>"#;
    let name = |level: usize| if level == 0 { "ErpActorWS".to_owned() } else { format!("L{level}") };
    let mut types = String::new();
    for level in 0..levels {
        let (name, base) = (name(level), name(level + 1));
        types += &format!(
            r#"<xs:complexType name="{name}"><xs:complexContent><xs:extension base="tns:{base}"/></xs:complexContent></xs:complexType>"#
        );
    }
    types += &format!(r#"<xs:complexType name="{}"><xs:sequence>"#, name(levels));
    edited(&[]).replacen(ACTOR, &types, 1)
}

/// The recorded WSDL, in which the members of an actor are in so many sequences inside each other.
fn nested(sequences: usize) -> String {
    const START: &str = r#"<xs:complexType name="ErpActorWS">"#;
    let text = edited(&[]);
    let (before, rest) = text.split_once(START).unwrap();
    let (members, after) = rest.split_once("</xs:complexType>").unwrap();
    let (open, close) = ("<xs:sequence>".repeat(sequences), "</xs:sequence>".repeat(sequences));
    format!("{before}{START}\n{open}{members}{close}</xs:complexType>{after}")
}

const ACTORS: &str = r#"<xs:element minOccurs="0" maxOccurs="unbounded" name="ErpActorWS" nillable="true" type="tns:ErpActorWS"/>"#;
const LIST_NAME: &str = r#"<xs:element minOccurs="0" name="ListName" nillable="true" type="xs:string"/>"#;
const PAIR: &str = r#"<xs:element minOccurs="0" maxOccurs="unbounded" name="KeyValueOfstringstring">"#;
const KEY: &str = r#"<xs:element name="Key" nillable="true" type="xs:string"/>"#;
const VALUE: &str = r#"<xs:element name="Value" nillable="true" type="xs:string"/>"#;
const SCHEMA_END: &str = "</xs:schema>";
const TYPES_END: &str = "</wsdl:types>";
const SERVICE_START: &str = r#"<wsdl:service name="ErpConnectorService">"#;
const BINDING: &str = r#"<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>"#;

#[test]
fn forms_that_services_publish_are_all_understood() {
    let nothing: &[&str] = &[];
    let table: &[(&str, &[Edit], &[&str])] = &[
        (
            "policies of addressing, and of transport security",
            &[
                (
                    "<wsdl:types>",
                    r##"<wsp:Policy wsu:Id="p"><wsp:ExactlyOne><wsp:All><wsaw:UsingAddressing/></wsp:All></wsp:ExactlyOne></wsp:Policy><wsdl:types>"##,
                ),
                (
                    BINDING,
                    r##"<wsp:PolicyReference URI="#p"/><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>"##,
                ),
            ],
            nothing,
        ),
        (
            "a second binding for SOAP 1.2, and one for HTTP GET",
            &[(
                SERVICE_START,
                r#"<wsdl:binding name="Get" type="tns:Get"><http:binding xmlns:http="http://schemas.xmlsoap.org/wsdl/http/" verb="GET"/></wsdl:binding><wsdl:binding name="Soap12" type="tns:IErpConnectorWS"><soap12:binding transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="WSGetConfigData"><soap12:operation soapAction="urn:other" style="document"/><wsdl:input><soap12:body use="literal"/></wsdl:input><wsdl:output><soap12:body use="literal"/></wsdl:output></wsdl:operation></wsdl:binding><wsdl:service name="ErpConnectorService">"#,
            )],
            nothing,
        ),
        (
            "bindings of style rpc and encoded before the one that has documents",
            &[(
                r#"<wsdl:binding name="BasicHttpBinding_IErpConnectorWS""#,
                r#"<wsdl:binding name="Rpc" type="tns:IErpConnectorWS"><soap:binding style="rpc" transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="WSGetConfigData"><soap:operation soapAction="urn:rpc"/></wsdl:operation></wsdl:binding><wsdl:binding name="Encoded" type="tns:IErpConnectorWS"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/><wsdl:operation name="WSTestConfigData"><soap:operation soapAction="urn:encoded"/><wsdl:input><soap:body use="encoded"/></wsdl:input></wsdl:operation></wsdl:binding><wsdl:binding name="BasicHttpBinding_IErpConnectorWS""#,
            )],
            nothing,
        ),
        (
            "annotations, defaults and what may come in any number",
            &[(
                LIST_NAME,
                r#"<xs:annotation><xs:documentation>x</xs:documentation></xs:annotation><xs:element default="x" minOccurs="0" maxOccurs="1" name="ListName" nillable="1" type="xs:string"><xs:annotation/></xs:element><xs:any minOccurs="0" maxOccurs="unbounded"/>"#,
            )],
            nothing,
        ),
        (
            "a member by reference",
            &[
                (LIST_NAME, r#"<xs:element ref="tns:ListName" minOccurs="0"/>"#),
                (SCHEMA_END, r#"<xs:element name="ListName" nillable="true" type="xs:string"/></xs:schema>"#),
            ],
            nothing,
        ),
        (
            "the namespace of each element by its form",
            &[
                (r#" elementFormDefault="qualified""#, ""),
                (
                    LIST_NAME,
                    r#"<xs:element form="qualified" minOccurs="0" name="ListName" nillable="true" type="xs:string"/>"#,
                ),
                (
                    LIST_NAME,
                    r#"<xs:element form="qualified" minOccurs="0" name="ListName" nillable="true" type="xs:string"/>"#,
                ),
            ],
            &[
                r#"replies: the namespace of all members is """#,
                r#"requests of all operations but WSGetConfigData, WSGetList: the namespace of all members is """#,
                r#"requests of WSGetList: the namespace of ConnectionGuid is """#,
                r#"the item of an array of actors is <ErpActorWS> of "", not <ErpActorWS> of "http://www.superoffice.net/EIS/Connector/1.0""#,
                r#"the item of an array of fields is <FieldMetadataInfoWS> of "", not <FieldMetadataInfoWS> of "http://www.superoffice.net/EIS/Connector/1.0""#,
                r#"the item of an array of restrictions is <SearchRestrictionInfoWS> of "", not <SearchRestrictionInfoWS> of "http://www.superoffice.net/EIS/Connector/1.0""#,
                r#"ErpActorWS: the namespace of all members is """#,
                r#"FieldMetadataInfoWS: the namespace of Access, DefaultValue, DisplayDescription, DisplayName, FieldKey, FieldType, MaxLength, Rank is """#,
                r#"SearchRestrictionInfoWS: the namespace of all members is """#,
            ],
        ),
        (
            "an array with an anonymous type, which is a choice of one",
            &[(
                r#"<xs:element minOccurs="0" name="Actors" nillable="true" type="tns:ArrayOfErpActorWS"/>"#,
                r#"<xs:element minOccurs="0" name="Actors" nillable="true"><xs:complexType><xs:choice minOccurs="0" maxOccurs="unbounded"><xs:element name="ErpActorWS" nillable="true" type="tns:ErpActorWS"/></xs:choice></xs:complexType></xs:element>"#,
            )],
            &[
                "replies of WSGetActors, WSSearchActorsAdvanced, WSSearchActors, WSSearchActorByParent, WSSaveActors, WSGetActorsByTimestamp: Actors has the type anonymous, not ArrayOfErpActorWS",
            ],
        ),
        (
            "a dictionary with names of its own (CollectionDataContract)",
            &[
                (PAIR, r#"<xs:element minOccurs="0" maxOccurs="unbounded" name="Setting">"#),
                (KEY, r#"<xs:element name="Name" nillable="true" type="xs:string"/>"#),
                (VALUE, r#"<xs:element name="Text" nillable="true" type="xs:string"/>"#),
            ],
            &[
                r#"the entry of a dictionary is <Setting> of "http://schemas.microsoft.com/2003/10/Serialization/Arrays", not <KeyValueOfstringstring> of "http://schemas.microsoft.com/2003/10/Serialization/Arrays""#,
                r#"the key of a dictionary is <Name> of "http://schemas.microsoft.com/2003/10/Serialization/Arrays", not <Key> of "http://schemas.microsoft.com/2003/10/Serialization/Arrays""#,
                r#"the value of a dictionary is <Text> of "http://schemas.microsoft.com/2003/10/Serialization/Arrays", not <Value> of "http://schemas.microsoft.com/2003/10/Serialization/Arrays""#,
            ],
        ),
        (
            "a type that stands in two schemas",
            &[(
                TYPES_END,
                r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified" targetNamespace="http://www.superoffice.net/EIS/Connector/1.0"><xs:complexType name="ArrayOfErpActorWS"><xs:sequence><xs:element minOccurs="0" maxOccurs="unbounded" name="ErpActorWS" nillable="true" type="tns:ErpActorWS"/></xs:sequence></xs:complexType></xs:schema></wsdl:types>"#,
            )],
            nothing,
        ),
    ];
    for (what, edits, differences) in table {
        let learned =
            learn("learned", &[document(edited(edits))]).unwrap_or_else(|error| panic!("{what}: {error}"));
        let compared = compare(&learned.layout);
        assert_eq!(compared.builtin, "message", "{what}");
        assert_eq!(compared.differences, *differences, "{what}");
        assert_messages_hold_every_value(learned.layout, what);
    }
}

/// A schema without a target namespace is in that of the schema that includes it.
#[test]
fn included_schema_is_in_the_namespace_that_includes_it() {
    let carriers = r#"<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" elementFormDefault="qualified"><xs:complexType name="ArrayOfErpActorWS"><xs:sequence><xs:element minOccurs="0" maxOccurs="unbounded" name="ErpActorWS" nillable="true" type="ErpActorWS"/></xs:sequence></xs:complexType></xs:schema>"#;
    let whole = edited(&[]);
    let start = whole.find(r#"<xs:complexType name="ArrayOfErpActorWS">"#).unwrap();
    let end = start + whole[start..].find("</xs:complexType>").unwrap() + "</xs:complexType>".len();
    let import = r#"<xs:import namespace="http://schemas.microsoft.com/2003/10/Serialization/Arrays"/>"#;
    let without = format!("{}{}", &whole[..start], &whole[end..]).replacen(
        import,
        &format!(r#"<xs:include schemaLocation="more/outer.xsd"/>{import}"#),
        1,
    );
    let outer = r#"<schema xmlns="http://www.w3.org/2001/XMLSchema"><include schemaLocation="carriers.xsd"/></schema>"#;
    let at = |path: &str, text: &str| WsdlDocument {
        url: format!("http://localhost/{path}"),
        text: text.to_owned(),
    };
    let documents = [document(without), at("more/outer.xsd", outer), at("more/carriers.xsd", carriers)];
    let learned = learn("message", &documents).unwrap();
    assert_eq!(compare(&learned.layout), Comparison { builtin: "message".to_owned(), differences: vec![] });
    let incomplete = learn("message", &documents[..2]).unwrap_err();
    assert_eq!(
        incomplete.to_string(),
        r#"the reply of WSGetActors: the type <ArrayOfErpActorWS> of "http://www.superoffice.net/EIS/Connector/1.0" is not in the WSDL or what it imports"#
    );
}

#[test]
fn deep_wsdls_are_learned_as_far_as_the_limits_and_then_refused() {
    let learn = |text: &str| learn("message", &[document(text)]);
    let nothing = Comparison { builtin: "message".to_owned(), differences: vec![] };
    for text in [nested(50), derived(16)] {
        assert_eq!(compare(&learn(&text).unwrap().layout), nothing);
    }
    let deep = |count: usize| format!("{}{}", "<a>".repeat(count), "</a>".repeat(count));
    let documented = edited(&[]).replacen(
        TYPES_END,
        &format!("{TYPES_END}<wsdl:documentation>{}</wsdl:documentation>", deep(20_000)),
        1,
    );
    for text in [nested(70), nested(20_000), nested(100_000), documented] {
        let line = text.lines().position(|line| line.contains(&"<xs:sequence>".repeat(60)));
        let line = line.or_else(|| text.lines().position(|line| line.contains("<a><a>"))).unwrap() + 1;
        let expected =
            format!("line {line} of {SERVICE}?wsdl is inside more than 64 elements, which no WSDL needs");
        let documents = [document(&text)];
        assert_eq!(learn(&text).unwrap_err().to_string(), expected);
        assert_eq!(LearnedWsdl::new(&documents).unwrap_err().to_string(), expected);
        assert_eq!(imports(&documents[0]).unwrap_err().to_string(), expected);
    }
}

#[test]
fn type_with_many_bases_is_read_once() {
    // Each level would be read twice for each one above it.
    let twice = derived(16).replace(
        "</xs:complexContent>",
        "</xs:complexContent><xs:complexContent><xs:extension base=\"tns:L16\"/></xs:complexContent>",
    );
    let learned = learn("message", &[document(&twice)]).unwrap();
    assert_eq!(compare(&learned.layout).differences, Vec::<String>::new());
}

#[test]
fn bad_wsdls_are_refused_with_a_sentence() {
    let url = format!("{SERVICE}?wsdl");
    let whole = |text: &str| vec![document(text)];
    let by_edit = |edits: &[Edit]| vec![document(edited(edits))];
    const LOGIN: &str = "<!DOCTYPE HTML>\n<html><body><form>Sign in</form></body></html>";
    const XHTML: &str = r#"<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><body/></html>"#;
    const OTHER: &str = r#"<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:t="urn:t" targetNamespace="urn:t"><portType name="P"/><binding name="B" type="t:P"><soap:binding/><operation name="GetQuote"/><operation name="SaveQuote"/></binding></definitions>"#;
    const ACTION: &str = r#"soapAction="http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSTestConfigData" style="document""#;
    const TEST_REQUEST: &str = r#"<wsdl:part name="parameters" element="tns:TestConfigDataRequestWS"/>"#;
    const BODY: &str = r#"<wsdl:input name="TestConfigDataRequestWS"><soap:body use="literal"/>"#;
    let html = format!(
        "{url} is an HTML page, perhaps for a login; a WSDL is needed: add ?singleWsdl or ?wsdl to the address"
    );
    let table: Vec<(&str, Vec<WsdlDocument>, &str)> = vec![
        ("nothing", vec![], "no WSDL was given"),
        ("a login page", whole(LOGIN), &html),
        ("a login page that is XML", whole(XHTML), &html),
        (
            "an empty answer",
            whole(""),
            r#"http://localhost/service.svc?wsdl is no XML: the document does not have a root node"#,
        ),
        (
            "an answer in JSON",
            whole("{}"),
            r#"http://localhost/service.svc?wsdl is no XML: unknown token at 1:1"#,
        ),
        (
            "a SOAP message",
            whole(r#"<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"/>"#),
            r#"the root element of http://localhost/service.svc?wsdl is <Envelope>, expected <definitions> of a WSDL or <schema>"#,
        ),
        (
            "another service",
            whole(OTHER),
            r#"the WSDL has no operation of IErpConnectorWS, but 2 others (GetQuote, SaveQuote): it is that of another service"#,
        ),
        (
            "a schema alone",
            whole(r#"<schema xmlns="http://www.w3.org/2001/XMLSchema"/>"#),
            r#"the WSDL has no operation of IErpConnectorWS: it is that of another service"#,
        ),
        (
            "another service with one operation",
            whole(&OTHER.replace(r#"<operation name="SaveQuote"/>"#, "")),
            r#"the WSDL has no operation of IErpConnectorWS, but one other (GetQuote): it is that of another service"#,
        ),
        (
            "another service with many operations",
            whole(&OTHER.replace(
                r#"<operation name="SaveQuote"/>"#,
                r#"<operation name="A"/><operation name="B"/><operation name="C"/>"#,
            )),
            r#"the WSDL has no operation of IErpConnectorWS, but 4 others (GetQuote, A, B, ...): it is that of another service"#,
        ),
        (
            "a document type declaration",
            whole("<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>"),
            r#"http://localhost/service.svc?wsdl has a DTD, which is not read"#,
        ),
        (
            "no port type",
            by_edit(&[(r#"<wsdl:portType name="IErpConnectorWS">"#, r#"<wsdl:portType name="Other">"#)]),
            r#"the binding "BasicHttpBinding_IErpConnectorWS": <IErpConnectorWS> of "http://www.superoffice.net/EIS/Connector/1.0" is not in the WSDL or what it imports"#,
        ),
        (
            "an operation that the port type has not",
            by_edit(&[(
                r#"<wsdl:operation name="WSTestConfigData"><wsdl:input"#,
                r#"<wsdl:operation name="Other"><wsdl:input"#,
            )]),
            r#"the operation WSTestConfigData: its part of the port type is not in the WSDL or what it imports"#,
        ),
        (
            "no message",
            by_edit(&[(
                r#"<wsdl:message name="TestConfigDataRequestWS">"#,
                r#"<wsdl:message name="Other">"#,
            )]),
            r#"the input of WSTestConfigData: the message <TestConfigDataRequestWS> of "http://www.superoffice.net/EIS/Connector/1.0" is not in the WSDL or what it imports"#,
        ),
        (
            "no element",
            by_edit(&[(r#"<xs:element name="TestConfigDataRequestWS">"#, r#"<xs:element name="Other">"#)]),
            r#"the request of WSTestConfigData: <TestConfigDataRequestWS> of "http://www.superoffice.net/EIS/Connector/1.0" is not in the WSDL or what it imports"#,
        ),
        (
            "no type",
            by_edit(&[(r#"<xs:simpleType name="ResponseStateWS">"#, r#"<xs:simpleType name="Other">"#)]),
            r#"the reply of WSGetConfigData: the type <ResponseStateWS> of "http://www.superoffice.net/EIS/Connector/1.0" is not in the WSDL or what it imports"#,
        ),
        (
            "a header that no message has",
            by_edit(&[(
                BODY,
                r#"<wsdl:input name="TestConfigDataRequestWS"><soap:header message="tns:TestConfigDataRequestWS" part="Other" use="literal"/><soap:body use="literal"/>"#,
            )]),
            r#"the input of WSTestConfigData: the header part "Other" is not in the WSDL or what it imports"#,
        ),
        (
            "a type that extends itself",
            by_edit(&[(
                r#"<xs:complexType name="ErpActorWS"><xs:sequence>"#,
                r#"<xs:complexType name="ErpActorWS"><xs:complexContent><xs:extension base="tns:ErpActorWS"/></xs:complexContent></xs:complexType><xs:complexType name="Other"><xs:sequence>"#,
            )]),
            r#"the reply of WSGetActors: Actors: the type ErpActorWS contains itself"#,
        ),
        (
            "a type that extends another one over many levels",
            whole(&derived(17)),
            r#"the reply of WSGetActors: Actors: the type ErpActorWS is derived from another one over more than 16 levels"#,
        ),
        (
            "a value that restricts itself",
            by_edit(&[(
                r#"<xs:simpleType name="ResponseStateWS"><xs:restriction base="xs:string">"#,
                r#"<xs:simpleType name="ResponseStateWS"><xs:restriction base="tns:ResponseStateWS">"#,
            )]),
            r#"the reply of WSGetConfigData: State: the type ResponseStateWS contains itself"#,
        ),
        (
            "one action of two operations",
            by_edit(&[(
                ACTION,
                r#"soapAction="http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSGetConfigData" style="document""#,
            )]),
            r#"WSGetConfigData and WSTestConfigData have the same SOAPAction "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSGetConfigData""#,
        ),
        (
            "no action",
            by_edit(&[
                (ACTION, r#"soapAction="" style="document""#),
                (
                    r#" wsaw:Action="http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSTestConfigData""#,
                    "",
                ),
            ]),
            r#"the operation WSTestConfigData: it has no SOAPAction"#,
        ),
        (
            "rpc",
            by_edit(&[
                (BINDING, r#"<soap:binding style="rpc"/>"#),
                (r#"WSGetConfigData" style="document""#, r#"WSGetConfigData""#),
            ]),
            r#"the operation WSGetConfigData: its style is rpc, expected document"#,
        ),
        (
            "encoded",
            by_edit(&[(BODY, r#"<wsdl:input name="TestConfigDataRequestWS"><soap:body use="encoded"/>"#)]),
            r#"the input of WSTestConfigData: it is encoded, expected literal"#,
        ),
        (
            "a body of any kind",
            by_edit(&[(TEST_REQUEST, r#"<wsdl:part name="parameters" type="tns:Any"/>"#)]),
            r#"the input of WSTestConfigData: its part "parameters" has a type, expected an element"#,
        ),
        (
            "two elements in the body",
            by_edit(&[(
                TEST_REQUEST,
                r#"<wsdl:part name="parameters" element="tns:TestConfigDataRequestWS"/><wsdl:part name="more" element="tns:TestConfigDataRequestWS"/>"#,
            )]),
            r#"the request of WSTestConfigData: its body has 2 parts, expected one"#,
        ),
        (
            "the members of another request",
            by_edit(&[(TEST_REQUEST, r#"<wsdl:part name="parameters" element="tns:GetListRequestWS"/>"#)]),
            r#"the request of WSTestConfigData: <GetListRequestWS> has the members ConnectionGuid, ListName, expected those of TestConfigDataRequestWS"#,
        ),
        (
            "a choice of members",
            by_edit(&[(
                LIST_NAME,
                r#"<xs:choice><xs:element name="ListName" type="xs:string"/><xs:element name="Other" type="xs:string"/></xs:choice>"#,
            )]),
            r#"the reply of WSGetConfigData: FieldMetaDataObjects: its members are a <choice>, expected a sequence"#,
        ),
        (
            "a group of members",
            by_edit(&[(LIST_NAME, r#"<xs:group ref="tns:Other"/>"#)]),
            r#"the reply of WSGetConfigData: FieldMetaDataObjects: its members are a <group>, expected a sequence"#,
        ),
        (
            "another type",
            by_edit(&[(LIST_NAME, r#"<xs:element name="ListName" type="tns:ErpActorWS"/>"#)]),
            r#"FieldMetadataInfoWS: ListName: its type is ErpActorWS, expected a text"#,
        ),
        (
            "renamed values",
            by_edit(&[(r#"<xs:enumeration value="Warning"/>"#, r#"<xs:enumeration value="Attention"/>"#)]),
            r#"the reply of WSGetConfigData: State: its values are Ok, OkWithInfo, Attention, Error, expected Warning among them"#,
        ),
        (
            "no array",
            by_edit(&[(ACTORS, r#"<xs:element name="ErpActorWS" nillable="true" type="tns:ErpActorWS"/>"#)]),
            r#"the reply of WSGetActors: Actors: its type is ArrayOfErpActorWS, expected an array"#,
        ),
        (
            "items without an element around them",
            by_edit(&[(
                LIST_NAME,
                r#"<xs:element maxOccurs="unbounded" name="ListName" type="xs:string"/>"#,
            )]),
            r#"FieldMetadataInfoWS: ListName: it may come more than once, expected an element with the items in it"#,
        ),
        (
            "an array of other things",
            by_edit(&[(
                ACTORS,
                r#"<xs:element maxOccurs="unbounded" name="ErpActorWS" type="tns:FieldMetadataInfoWS"/>"#,
            )]),
            r#"the reply of WSGetActors: Actors: its type FieldMetadataInfoWS has no member of ErpActorWS"#,
        ),
        (
            "an entry with a value alone",
            by_edit(&[(KEY, "")]),
            r#"the request of WSTestConfigData: ConnectionInfo: its type is ArrayOfKeyValueOfstringstring, expected a dictionary of keys and values"#,
        ),
        (
            "an entry with the value first",
            by_edit(&[
                (KEY, ""),
                (
                    VALUE,
                    r#"<xs:element name="Value" type="xs:string"/><xs:element name="Key" type="xs:string"/>"#,
                ),
            ]),
            r#"the request of WSTestConfigData: ConnectionInfo: an entry has Value before Key, expected the key first"#,
        ),
        (
            "an entry of more than texts",
            by_edit(&[(
                VALUE,
                r#"<xs:element xmlns:c="http://www.superoffice.net/EIS/Connector/1.0" name="Value" type="c:ErpActorWS"/>"#,
            )]),
            r#"the request of WSTestConfigData: ConnectionInfo: its type is ArrayOfKeyValueOfstringstring, expected a dictionary of texts"#,
        ),
        (
            "arrays of two forms",
            by_edit(&[(
                r#"type="q5:ArrayOfstring" xmlns:q5="http://schemas.microsoft.com/2003/10/Serialization/Arrays"/>"#,
                r#"><xs:complexType><xs:sequence><xs:element maxOccurs="unbounded" name="FieldKey" type="xs:string"/></xs:sequence></xs:complexType></xs:element>"#,
            )]),
            r#"the request of WSGetActors: FieldKeys: arrays of texts have another form there than in other messages"#,
        ),
    ];
    for (what, documents, expected) in table {
        let error = learn("contract", &documents).map(|_| ()).expect_err(what);
        assert_eq!(error.to_string(), expected, "{what}");
    }
}
