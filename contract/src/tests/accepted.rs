//! Lenient reading: unusual messages that are served.

use crate::*;

const NS: &str = "http://www.superoffice.net/EIS/Connector/1.0";
const ARR: &str = namespace::ARRAYS;
const XSI: &str = namespace::SCHEMA_INSTANCE;
const PLAIN: &str = namespace::PLAIN;

fn action(operation: Operation) -> String {
    operation.action(NS)
}

fn soap(body: &str) -> String {
    format!("<s:Envelope xmlns:s='{}'><s:Body>{body}</s:Body></s:Envelope>", namespace::SOAP_11)
}

/// The call that all the odd forms below mean.
fn plain_call(dialect: Dialect) -> Call<'static> {
    Call {
        envelope: Envelope::new(dialect),
        connection_guid: Some("g".into()),
        request: Request::GetActors {
            actor_type: Some("Customer".into()),
            erp_keys: Some(vec![Some("1".into()), None]),
            field_keys: None,
        },
    }
}

#[test]
fn members_are_read_however_they_are_written() {
    let keys = format!(
        "<ErpKeys xmlns:a='{ARR}'><a:string>1</a:string><a:string xmlns:i='{XSI}' i:nil='1'/></ErpKeys>"
    );
    let keys_elsewhere = format!(
        "<ErpKeys xmlns:q='urn:q'>\n <!-- c --> <string xmlns='{ARR}'>1</string><q:string>x</q:string><other>y</other>\
         <string xmlns='{ARR}' xmlns:n='{XSI}' n:nil=' true '><left/>over</string></ErpKeys>"
    );
    for (what, members) in [
        ("as WCF writes", format!("<ActorType>Customer</ActorType><ConnectionGuid>g</ConnectionGuid>{keys}")),
        (
            "any order, white space, comments",
            format!(
                "\n{keys}\n<!-- c -->\t<ConnectionGuid>g</ConnectionGuid>\r\n<ActorType>Customer</ActorType>"
            ),
        ),
        (
            "CDATA, comments and references in text",
            format!(
                "<ActorType>Cu<![CDATA[sto]]><!-- - -->m&#x65;r</ActorType><ConnectionGuid><![CDATA[g]]></ConnectionGuid>{keys}"
            ),
        ),
        (
            "unknown members, and known names in foreign namespaces",
            format!(
                "<Extra a='1'>text<ActorType>no</ActorType></Extra><ActorType xmlns='urn:x'>no</ActorType>\
                 <ActorType>Customer</ActorType><ConnectionGuid>g</ConnectionGuid>{keys}<More/>"
            ),
        ),
        (
            "members in no namespace",
            format!(
                "<ActorType xmlns=''>Customer</ActorType><ConnectionGuid xmlns=''>g</ConnectionGuid>{keys}"
            ),
        ),
        (
            "what comes twice counts once",
            format!(
                "<ActorType>Customer</ActorType><ActorType>Person</ActorType><ConnectionGuid>g</ConnectionGuid>{keys}{keys}"
            ),
        ),
        (
            "null is as good as absent",
            format!(
                "<ActorType>Customer</ActorType><ConnectionGuid>g</ConnectionGuid>{keys}<FieldKeys xmlns:i='{XSI}' i:nil='true'/>"
            ),
        ),
        (
            "arrays with other prefixes, comments and foreign elements",
            format!("<ActorType>Customer</ActorType><ConnectionGuid>g</ConnectionGuid>{keys_elsewhere}"),
        ),
    ] {
        let message = soap(&format!("<GetActorsRequestWS xmlns='{NS}'>{members}</GetActorsRequestWS>"));
        assert_eq!(read_call(message.as_bytes(), None), Ok(plain_call(Dialect::Message)), "{what}");
        let message = soap(&format!("<WSGetActors xmlns='{NS}'>{members}</WSGetActors>"));
        let expected = plain_call(Dialect::MessageByOperation);
        assert_eq!(read_call(message.as_bytes(), None), Ok(expected), "{what}, by operation");
        let message = soap(&format!("<WSGetActors xmlns='{NS}'><request>{members}</request></WSGetActors>"));
        assert_eq!(read_call(message.as_bytes(), None), Ok(plain_call(Dialect::Data)), "{what}, data");
    }
}

#[test]
fn dialect_is_detected_from_the_structure() {
    let data = "<ActorType>Person</ActorType>";
    let plain = format!("<p:ActorType xmlns:p='{PLAIN}'>Person</p:ActorType>");
    let nil = format!("xmlns:i='{XSI}' i:nil='true'");
    for (inner, dialect) in [
        (data.to_owned(), Dialect::MessageByOperation),
        (plain.clone(), Dialect::MessageByOperation),
        (format!("<Extra>x</Extra>{data}"), Dialect::MessageByOperation),
        (format!("<Extra><Inner/></Extra>{data}"), Dialect::MessageByOperation),
        (format!("<request>{data}</request>"), Dialect::Data),
        (format!("<parameter>{data}</parameter>"), Dialect::Data),
        (format!("<request xmlns=''>{data}</request>"), Dialect::Data),
        (format!("<request><Unknown xmlns='{PLAIN}'/>{data}</request>"), Dialect::Data),
        (format!("<request>{plain}</request>"), Dialect::Plain),
        (format!("<request>{plain}{data}</request>"), Dialect::Plain),
        // Undecided: `data`, unless the reader is called with another dialect.
        (String::new(), Dialect::Data),
        ("<request/>".to_owned(), Dialect::Data),
        (format!("<request {nil}/>"), Dialect::Data),
    ] {
        let message = soap(&format!("<WSGetSearchableFields xmlns='{NS}'>{inner}</WSGetSearchableFields>"));
        let call = read_call(message.as_bytes(), Some(&action(Operation::GetSearchableFields))).unwrap();
        assert_eq!(call.envelope, Envelope::new(dialect), "{inner}");
        let actor_type = inner.contains("Person").then_some("Person".into());
        assert_eq!(call.request, Request::GetSearchableFields { actor_type }, "{inner}");
    }
    let message = soap(&format!("<WSGetConfigData xmlns='{NS}'/>"));
    let call = super::read_call_in(Dialect::Plain, message.as_bytes(), None).unwrap();
    assert_eq!((call.envelope.profile().name(), call.request), ("plain", Request::GetConfigData));
    // Mono's client sends such an element also where the contract has an empty body.
    let call = super::read_call_in(Dialect::Message, message.as_bytes(), None).unwrap();
    assert_eq!((call.envelope.profile().name(), call.request), ("message", Request::GetConfigData));
}

/// node-soap sends an element of the name that the WSDL gives to the message, in no namespace at that.
#[test]
fn element_for_an_operation_without_parameter_is_accepted() {
    for element in
        ["<IErpConnectorWS_WSGetConfigData_InputMessage/>", "<x:anything xmlns:x='urn:x'> <y/> </x:anything>"]
    {
        let message = soap(element);
        let call = read_call(message.as_bytes(), Some(&action(Operation::GetConfigData))).unwrap();
        assert_eq!((call.envelope, call.request), (Envelope::new(Dialect::Message), Request::GetConfigData));
    }
}

#[test]
fn namespaces_of_the_caller_are_mirrored() {
    let other = "http://www.superoffice.net/EIS/Connector/2.0";
    let message =
        soap(&format!("<RequestBaseWS xmlns='{other}'><ConnectionGuid>g</ConnectionGuid></RequestBaseWS>"));
    let call = read_call(message.as_bytes(), Some(&Operation::DeleteConnection.action(other))).unwrap();
    assert_eq!((call.envelope.contract_namespace(), call.connection_guid.as_deref()), (other, Some("g")));
    let mut out = Vec::new();
    write_reply(&mut out, &call.envelope, call.operation(), &Reply::plain(Outcome::ok()));
    let answer = String::from_utf8(out).unwrap();
    assert!(answer.contains(&format!("<ConnectorResultBaseWS xmlns=\"{other}\"")), "{answer}");

    // An empty body has no namespace to go by; its action has.
    let message = soap("");
    let call = read_call(message.as_bytes(), Some(&Operation::GetConfigData.action(other))).unwrap();
    assert_eq!((call.envelope.contract_namespace(), call.envelope.profile().name()), (other, "message"));

    // The body goes before the action.
    let message = soap(&format!("<RequestBaseWS xmlns='{other}'/>"));
    let call = read_call(message.as_bytes(), Some(&action(Operation::TestConnection))).unwrap();
    assert_eq!(call.envelope.contract_namespace(), other);

    let plain = "http://schemas.datacontract.org/2004/07/Other.Assembly";
    let message = soap(&format!(
        "<WSGetList xmlns='{NS}'><request xmlns:p='{plain}'><p:ListName>l</p:ListName></request></WSGetList>"
    ));
    let call = read_call(message.as_bytes(), None).unwrap();
    assert_eq!(call.envelope, Envelope::new(Dialect::Plain).with_namespace(2, plain));
    assert_eq!(call.request, Request::GetList { list_name: Some("l".into()) });
}

#[test]
fn guid_and_token_may_stand_in_the_header() {
    let message = |header: &str, body: &str| {
        format!(
            "<s:Envelope xmlns:s='{}'><s:Header><h:Other xmlns:h='urn:h'>x</h:Other>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>",
            namespace::SOAP_11
        )
    };
    let guid =
        format!("<h:ConnectionGuid xmlns:h='{NS}' s:mustUnderstand='1'>from header</h:ConnectionGuid>");
    let token = "<SignedToken xmlns='urn:anything'>token</SignedToken>";
    let test = action(Operation::TestConnection);
    for (header, body, wanted) in [
        (&guid[..], format!("<RequestBaseWS xmlns='{NS}'/>"), Some("from header")),
        (&guid[..], String::new(), Some("from header")),
        ("", String::new(), None),
        (
            &guid[..],
            format!("<RequestBaseWS xmlns='{NS}'><ConnectionGuid>from body</ConnectionGuid></RequestBaseWS>"),
            Some("from body"),
        ),
    ] {
        let message = message(header, &body);
        let call = read_call(message.as_bytes(), Some(&test)).unwrap();
        assert_eq!(call.connection_guid.as_deref(), wanted, "{message}");
    }
    for body in [String::new(), format!("<AuthenticationRequest xmlns='{NS}'/>")] {
        let message = message(token, &body);
        let call = read_call(message.as_bytes(), Some(&action(Operation::Authenticate))).unwrap();
        assert_eq!(call.request, Request::Authenticate { signed_token: Some("token".into()) });
    }
}

/// As WCF writes its own headers when there is no WS-Addressing.
#[test]
fn action_header_of_wcf_is_accepted_if_it_agrees() {
    const NONE: &str = namespace::ADDRESSING_NONE;
    let test = action(Operation::TestConnection);
    for soap in [namespace::SOAP_11, namespace::SOAP_12] {
        let message = |in_header: &str| {
            format!(
                "<s:Envelope xmlns:s='{soap}'><s:Header><To s:mustUnderstand='1' xmlns='{NONE}'>http://erp/</To>\
                 <Action s:mustUnderstand='1' xmlns='{NONE}'>{in_header}</Action></s:Header><s:Body>\
                 <RequestBaseWS xmlns='{NS}'/></s:Body></s:Envelope>"
            )
        };
        for soap_action in [Some(test.clone()), Some(format!("\"{test}\"")), Some(String::new()), None] {
            let message = message(&format!(" {test}\n"));
            let call = read_call(message.as_bytes(), soap_action.as_deref()).unwrap();
            assert_eq!(call.request, Request::TestConnection, "{soap_action:?}");
        }
        let other = action(Operation::DeleteConnection);
        let error = read_call(message(&other).as_bytes(), Some(&test)).unwrap_err().refusal;
        assert_eq!(error, Refusal::OtherAction { header: other.clone(), action: test.clone() });
        let error = read_call(message("urn:x").as_bytes(), None).unwrap_err().refusal;
        assert_eq!(error, Refusal::UnknownAction("urn:x".to_owned()));
        // Another namespace is another header.
        let addressing = message(&test).replace(NONE, "http://www.w3.org/2005/08/addressing");
        let error = read_call(addressing.as_bytes(), Some(&test)).unwrap_err().refusal;
        assert_eq!(error.code(), FaultCode::MustUnderstand);
    }
}

#[test]
fn soap_12_is_answered_in_soap_12() {
    let message = format!(
        "<e:Envelope xmlns:e='{}'><e:Header/><e:Body><RequestBaseWS xmlns='{NS}'/></e:Body></e:Envelope>",
        namespace::SOAP_12
    );
    let call = read_call(message.as_bytes(), Some(&action(Operation::TestConnection))).unwrap();
    assert_eq!(call.envelope.soap, SoapVersion::V12);
    let mut out = Vec::new();
    write_reply(&mut out, &call.envelope, call.operation(), &Reply::plain(Outcome::ok()));
    assert!(String::from_utf8(out).unwrap().contains(namespace::SOAP_12));
}

#[test]
fn actions_are_read_quoted_or_not() {
    let message = soap(&format!("<RequestBaseWS xmlns='{NS}'/>"));
    let action = action(Operation::DeleteConnection);
    for written in [action.clone(), format!("\"{action}\""), format!(" '{action}' ")] {
        let call = read_call(message.as_bytes(), Some(&written)).unwrap();
        assert_eq!(call.request, Request::DeleteConnection, "{written}");
    }
    for (value, wanted) in [
        ("\"urn:a\"", Some("urn:a")),
        (" urn:a ", Some("urn:a")),
        ("'urn:a'", Some("urn:a")),
        ("\" urn:a \"", Some("urn:a")),
        ("", None),
        ("\"\"", None),
        ("\" \"", None),
        ("\"urn:a", Some("\"urn:a")),
        ("\"", Some("\"")),
    ] {
        assert_eq!(soap_action(value), wanted, "{value}");
    }
}

#[test]
fn other_encodings_are_decoded() {
    let message =
        soap(&format!("<GetListRequestWS xmlns='{NS}'><ListName>Ærø 😀</ListName></GetListRequestWS>"));
    let declared = format!("<?xml version=\"1.0\" encoding=\"utf-16\"?>\r\n{message}\r\n<!-- end -->");
    let little = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_le_bytes).collect() };
    let big = |text: &str| -> Vec<u8> { text.encode_utf16().flat_map(u16::to_be_bytes).collect() };
    let marked = format!("\u{FEFF}{declared}");
    for (what, bytes, charset) in [
        ("UTF-8", message.clone().into_bytes(), Some("utf-8")),
        ("UTF-8, quoted charset", message.clone().into_bytes(), Some("\"UTF-8\"")),
        ("UTF-8 without charset", declared.clone().into_bytes(), None),
        ("UTF-8 with mark", marked.clone().into_bytes(), None),
        ("UTF-8 with mark, wrong charset", marked.clone().into_bytes(), Some("utf-16")),
        ("UTF-16 little-endian with mark", little(&marked), Some("utf-16")),
        ("UTF-16 big-endian with mark", big(&marked), Some("UTF-16")),
        ("UTF-16 little-endian", little(&message), Some("utf-16le")),
        ("UTF-16 big-endian", big(&message), Some("utf-16be")),
        ("UTF-16 without mark", little(&declared), Some("utf-16")),
        ("UTF-16 without mark, big-endian", big(&declared), Some("utf-16")),
        ("UTF-16 without charset", big(&declared), None),
    ] {
        let decoded = decode(&bytes, charset).unwrap();
        let call = read_call(&decoded, None).unwrap();
        assert_eq!(call.request, Request::GetList { list_name: Some("Ærø 😀".into()) }, "{what}");
    }
    // A mark is passed over even where nothing was decoded.
    assert!(read_call(format!("\u{FEFF}{message}").as_bytes(), None).is_ok());
    assert!(matches!(decode(message.as_bytes(), Some("utf-8")), Ok(std::borrow::Cow::Borrowed(_))));
}

#[test]
fn other_charsets_and_broken_utf_16_are_refused() {
    for (bytes, charset, error) in [
        (&b"<a/>"[..], Some("iso-8859-1"), EncodingError::Unsupported("iso-8859-1".to_owned())),
        (b"<\0a\0/", Some("utf-16"), EncodingError::InvalidUtf16),
        (b"\xFF\xFE<\0\0\xD8", None, EncodingError::InvalidUtf16),
    ] {
        assert_eq!(decode(bytes, charset), Err(error));
    }
}

#[test]
fn comments_and_instructions_around_the_envelope_are_accepted() {
    let message = format!(
        "<?xml version='1.0'?>\n<!-- a --><?style x?>\n{}\n<!-- b -->\n<?end?>\n",
        soap(&format!("\n <!-- c -->\n <GetListRequestWS xmlns='{NS}'/>\n <!-- d -->\n"))
    );
    assert!(read_call(message.as_bytes(), None).is_ok());
}

#[test]
fn null_elements_of_arrays_are_skipped() {
    let message = soap(&format!(
        "<SaveActorsRequestWS xmlns='{NS}' xmlns:i='{XSI}'><Actors><ErpActorWS i:nil='true'/><ErpActorWS><ErpKey>1</ErpKey>\
         <FieldValues i:nil='true'/></ErpActorWS></Actors></SaveActorsRequestWS>"
    ));
    let actors = Some(vec![Actor { erp_key: Some("1".into()), ..Actor::default() }]);
    assert_eq!(read_call(message.as_bytes(), None).unwrap().request, Request::SaveActors { actors });
}

#[test]
fn fields_of_a_reply_have_dotnets_zero_values() {
    let message = soap(&format!(
        "<FieldMetadataInfoArrayPluginResponseWS xmlns='{NS}' xmlns:i='{XSI}'><FieldMetaDataObjects><FieldMetadataInfoWS>\
         <FieldKey>k</FieldKey></FieldMetadataInfoWS><FieldMetadataInfoWS i:nil='true'/></FieldMetaDataObjects>\
         <IsOk>0</IsOk></FieldMetadataInfoArrayPluginResponseWS>"
    ));
    let answer = read_reply(message.as_bytes(), Operation::GetConfigData).unwrap();
    let fields = vec![Field { field_key: Some("k".into()), ..Field::default() }];
    let outcome = Outcome { state: State::Error, ..Outcome::ok() };
    assert_eq!(answer.reply, Reply::with(outcome, Payload::Fields(Some(fields))));
}

/// As in every .NET service, in carriers and entries as in messages.
#[test]
fn member_of_a_carrier_that_comes_twice_counts_once() {
    let ns = crate::namespace::CONTRACT;
    let arrays = crate::namespace::ARRAYS;
    let entry = "<a:KeyValueOfstringstring><a:Key>K</a:Key><a:Value>1</a:Value><a:Key>L</a:Key><a:Value>2</a:Value></a:KeyValueOfstringstring>";
    let body = format!(
        "<s:Envelope xmlns:s='http://schemas.xmlsoap.org/soap/envelope/'><s:Body><SaveActorsRequestWS xmlns='{ns}' xmlns:a='{arrays}'>\
         <Actors><ErpActorWS><ErpKey>C1</ErpKey><ErpKey>C2</ErpKey><FieldValues>{entry}</FieldValues></ErpActorWS></Actors>\
         </SaveActorsRequestWS></s:Body></s:Envelope>"
    );
    let call = crate::read_call(body.as_bytes(), None).unwrap();
    let crate::Request::SaveActors { actors: Some(actors) } = call.request else { panic!() };
    assert_eq!(actors[0].erp_key.as_deref(), Some("C1"));
    let fields = actors[0].field_values.as_ref().unwrap();
    assert_eq!(fields.iter().collect::<Vec<_>>(), [("K", Some("1"))]);
}
