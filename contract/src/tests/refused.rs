//! Messages that are refused, each with its exact reason and the fault that the caller gets.

use crate::*;

const NS: &str = "http://www.superoffice.net/EIS/Connector/1.0";
const GET_ACTORS: &str = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSGetActors";
const TEST_CONNECTION: &str = "http://www.superoffice.net/EIS/Connector/1.0/IErpConnectorWS/WSTestConnection";

/// A SOAP 1.1 message with this body.
fn soap(body: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{}\"><s:Body>{body}</s:Body></s:Envelope>", namespace::SOAP_11)
}

/// A message with this inside the envelope.
fn envelope(namespace: &str, inner: &str) -> String {
    format!("<s:Envelope xmlns:s=\"{namespace}\">{inner}</s:Envelope>")
}

fn get_actors(inner: &str) -> String {
    soap(&format!("<GetActorsRequestWS xmlns=\"{NS}\">{inner}</GetActorsRequestWS>"))
}

/// Reads, and gives the fault.
fn refused(message: &[u8], action: Option<&str>) -> (SoapVersion, Fault) {
    match read_call(message, action) {
        Ok(call) => panic!("accepted: {} as {call:?}", String::from_utf8_lossy(message)),
        Err(error) => (error.soap, Fault::from(&error)),
    }
}

#[test]
fn messages_are_refused_with_their_reason() {
    let fine = "<ActorType>Customer</ActorType>";
    let base = format!("<RequestBaseWS xmlns=\"{NS}\"/>");
    for (message, action, reason) in [
        // Not a document.
        (String::new(), None, "not well-formed: the document has no root element at byte 0"),
        (
            "{\"json\": true}".to_owned(),
            None,
            "not well-formed: the document has text before its root element",
        ),
        (soap("")[..50].to_owned(), None, "not well-formed"),
        (soap("&nbsp;"), None, "entity &nbsp; is not one of &lt; &gt; &amp; &apos; &quot;"),
        (format!("<!DOCTYPE x [<!ENTITY e 'x'>]>{}", soap("")), None, "(DOCTYPE) is not accepted at byte 0"),
        (format!("{}x", soap(&base)), Some(TEST_CONNECTION), "text or a second element after its root"),
        (format!("{}<a/>", soap(&base)), Some(TEST_CONNECTION), "text or a second element after its root"),
        (get_actors(&"<a>".repeat(70)), Some(GET_ACTORS), "elements are nested deeper than 64"),
        (get_actors("<ActorType>\u{8}</ActorType>"), Some(GET_ACTORS), "character U+0008 is not allowed"),
        (get_actors("<x:a/>"), Some(GET_ACTORS), "prefix \"x\" is not bound"),
        // Not SOAP.
        ("<html/>".to_owned(), None, "the root element is <html>, expected a SOAP <Envelope>"),
        (envelope(namespace::SOAP_11, ""), None, "the envelope has no <Body>"),
        (envelope(namespace::SOAP_11, "<s:Head/>"), None, "unexpected <Head> in <Envelope>"),
        (envelope(namespace::SOAP_11, "<Body/>"), None, "unexpected <Body> in <Envelope>"),
        (envelope(namespace::SOAP_11, "<s:Header/><s:Header/><s:Body/>"), None, "unexpected <Header> in"),
        (
            envelope(namespace::SOAP_11, &format!("<s:Body>{base}</s:Body><s:Header/>")),
            Some(TEST_CONNECTION),
            "unexpected <Header> in <Envelope>, expected one <Header> at most and then one <Body>",
        ),
        (
            envelope(namespace::SOAP_11, &format!("<s:Body>{base}</s:Body><s:Body/>")),
            Some(TEST_CONNECTION),
            "unexpected <Body> in <Envelope>",
        ),
        (
            envelope(namespace::SOAP_11, "text<s:Body/>"),
            None,
            "<Envelope> holds text \"text\", expected elements",
        ),
        (
            soap(&format!("<?p x?>{base}")),
            Some(TEST_CONNECTION),
            "processing instruction <?p?> in the envelope",
        ),
        (
            soap(&format!("{base}{base}")),
            Some(TEST_CONNECTION),
            "a second element <RequestBaseWS>, expected one",
        ),
        (soap(&format!("{base}tail")), Some(TEST_CONNECTION), "<Body> holds text \"tail\""),
        // The operation.
        (soap(""), None, "the body is empty and there is no SOAPAction"),
        (soap(""), Some("\"\""), "the body is empty and there is no SOAPAction"),
        (soap(""), Some(GET_ACTORS), "operation WSGetActors expects <GetActorsRequestWS>"),
        (soap(&base), None, "<RequestBaseWS> belongs to several operations"),
        (soap(&base), Some("urn:nothing"), "unknown SOAPAction \"urn:nothing\", expected one like \"http"),
        (
            soap(&base),
            Some(&format!("{NS}/IErpConnectorWS/WSNothing")),
            "IErpConnectorWS/WSNothing\", expected",
        ),
        (soap(&base), Some(&format!("{NS}/IErpConnectorWS/Authenticate")), "unknown SOAPAction"),
        (soap(&base), Some("/IErpConnectorWS/WSTestConnection"), "unknown SOAPAction"),
        (
            soap("<Nothing xmlns='urn:x'/>"),
            None,
            "unknown body element <Nothing>, expected an operation such as",
        ),
        (
            soap(&base),
            Some(GET_ACTORS),
            "names operation WSGetActors, but the body element is <RequestBaseWS>, expected <GetActorsRequestWS>",
        ),
        (soap(&format!("<WSGetList xmlns='{NS}'/>")), Some(GET_ACTORS), "the body element is <WSGetList>"),
        (
            soap(&base),
            Some(&format!("{NS}/IErpConnectorWS/WSGetConfigData")),
            "the body element is <RequestBaseWS>, expected <WSGetConfigData>",
        ),
        (
            soap("<GetActorsRequestWS/>"),
            Some(GET_ACTORS),
            "<GetActorsRequestWS> is in no namespace, expected \"http://www.superoffice.net/EIS/Connector/1.0\"",
        ),
        // Members.
        (
            get_actors("<ErpKeys>1</ErpKeys>"),
            Some(GET_ACTORS),
            "<ErpKeys> holds text \"1\", expected elements",
        ),
        (get_actors(&format!("x{fine}")), Some(GET_ACTORS), "<GetActorsRequestWS> holds text \"x\""),
        (
            get_actors(&format!("<ActorType>{fine}</ActorType>")),
            Some(GET_ACTORS),
            "holds element <ActorType>",
        ),
        (
            soap(&format!(
                "<SaveConnectionRequestWS xmlns='{NS}'><ConnectionInfo><a:KeyValueOfstringstring xmlns:a='{}'>\
                 <a:Value>x</a:Value></a:KeyValueOfstringstring></ConnectionInfo></SaveConnectionRequestWS>",
                namespace::ARRAYS
            )),
            None,
            "an entry of <ConnectionInfo> has no <Key>",
        ),
    ] {
        let (soap, fault) = refused(message.as_bytes(), action);
        assert!(fault.text.contains(reason), "{reason}: {fault} of {message}");
        assert_eq!((soap, fault.code), (SoapVersion::V11, FaultCode::Client), "{message}");
    }
}

#[test]
fn invalid_utf_8_is_refused_with_the_place() {
    let mut message = soap("").into_bytes();
    message[10] = 0xFF;
    let (_, fault) = refused(&message, None);
    assert_eq!(fault, Fault::client("the message is not valid UTF-8 at byte 10"));
}

#[test]
fn another_version_of_soap_is_a_version_mismatch() {
    let (soap, fault) = refused(envelope("urn:soap", "<s:Body/>").as_bytes(), None);
    assert_eq!((soap, &fault.code), (SoapVersion::V11, &FaultCode::VersionMismatch));
    assert!(
        fault.text.contains("\"urn:soap\", expected \"http://schemas.xmlsoap.org/soap/envelope/\""),
        "{fault:?}"
    );
}

#[test]
fn headers_that_must_be_understood_are_refused() {
    for (namespace, header, is_refused) in [
        (namespace::SOAP_11, "<x s:mustUnderstand='1'/>", true),
        (namespace::SOAP_11, "<x s:mustUnderstand='0'/>", false),
        (namespace::SOAP_11, "<x mustUnderstand='1'/>", false),
        (namespace::SOAP_11, "<x s:mustUnderstand='1' s:actor='urn:proxy'/>", false),
        (
            namespace::SOAP_11,
            "<x s:mustUnderstand='1' s:actor='http://schemas.xmlsoap.org/soap/actor/next'/>",
            true,
        ),
        (namespace::SOAP_11, "<ConnectionGuid s:mustUnderstand='1'/>", false),
        (namespace::SOAP_12, "<x s:mustUnderstand='true'/>", true),
        (namespace::SOAP_12, "<x s:mustUnderstand='false'/>", false),
        (namespace::SOAP_12, "<x s:mustUnderstand='1' s:role='urn:proxy'/>", false),
        (
            namespace::SOAP_12,
            "<x s:mustUnderstand='1' s:role='http://www.w3.org/2003/05/soap-envelope/role/ultimateReceiver'/>",
            true,
        ),
    ] {
        let body = format!("<s:Header>{header}</s:Header><s:Body><RequestBaseWS xmlns='{NS}'/></s:Body>");
        let message = envelope(namespace, &body);
        let read = read_call(message.as_bytes(), Some(TEST_CONNECTION));
        assert_eq!(read.is_err(), is_refused, "{header}");
        if let Err(error) = read {
            let wanted = if namespace == namespace::SOAP_12 { SoapVersion::V12 } else { SoapVersion::V11 };
            assert_eq!((error.soap, error.refusal.code()), (wanted, FaultCode::MustUnderstand));
            assert_eq!(error.to_string(), "header <x> says mustUnderstand and is not understood");
        }
    }
}

#[test]
fn refusal_has_the_soap_version_once_the_envelope_is_open() {
    let message = envelope(namespace::SOAP_12, "<s:Body><broken");
    assert_eq!(refused(message.as_bytes(), None).0, SoapVersion::V12);
    assert_eq!(
        refused(envelope(namespace::SOAP_12, "<s:Body/>").as_bytes(), Some("urn:x")).0,
        SoapVersion::V12
    );
}

#[test]
fn refusal_texts_cut_what_came_from_outside() {
    let long = "x".repeat(10_000);
    for (message, action) in [
        (format!("<{long}/>"), None),
        (soap(&format!("<{long}/>")), None),
        (soap(""), Some(long.as_str())),
        (soap(&long), None),
        (get_actors(&format!("&{long};")), None),
    ] {
        assert!(refused(message.as_bytes(), action).1.text.len() < 400);
    }
}

#[test]
fn replies_are_refused_too() {
    for (message, reason) in [
        (soap(""), "operation WSTestConnection expects <ConnectorResultBaseWS>"),
        (soap("<Other xmlns='urn:x'/>"), "the body element is <Other>, expected <ConnectorResultBaseWS>"),
        (
            soap(&format!("<ConnectorResultBaseWS xmlns='{NS}'><State>Fine</State></ConnectorResultBaseWS>")),
            "<State> holds \"Fine\", expected one of [Ok, OkWithInfo, Warning, Error]",
        ),
        (
            soap(&format!("<ConnectorResultBaseWS xmlns='{NS}'><IsOk>yes</IsOk></ConnectorResultBaseWS>")),
            "<IsOk> holds \"yes\", expected true or false",
        ),
    ] {
        let error = read_reply(message.as_bytes(), Operation::TestConnection).unwrap_err();
        assert!(error.to_string().contains(reason), "{error}");
    }
    let message = soap(&format!(
        "<FieldMetadataInfoArrayPluginResponseWS xmlns='{NS}'><FieldMetaDataObjects><FieldMetadataInfoWS>\
         <Rank>9999999999</Rank></FieldMetadataInfoWS></FieldMetaDataObjects></FieldMetadataInfoArrayPluginResponseWS>"
    ));
    let error = read_reply(message.as_bytes(), Operation::GetConfigData).unwrap_err();
    assert!(
        error.to_string().contains("<Rank> holds \"9999999999\", expected a whole number of 32 bits"),
        "{error}"
    );
}
